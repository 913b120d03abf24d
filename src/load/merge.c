/* SPDX-License-Identifier: MIT */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/options.h"
#include "merged.h"
#include "option_rows.h"
#include "percentiles.h"
#include "report.h"
#include "result_json.h"

struct settings {
    struct tlr_cli_list logs;
    bool json;
    bool quiet;
    const char *histogram;
};

static const char summary[] =
    "Adds the logs up that runs of teller-load have written with --log, as on "
    "several machines at the same time, and prints what one run would have "
    "printed. Histograms and counts are added, not averaged, so that every "
    "percentile is exact to three digits.";

static const char notes[] =
    "Rates are of the sums, over the longest of the times. What each log counted is\n"
    "shared out among seconds since the earliest, by the machines' clocks. Logs of\n"
    "other programs are taken as round trips in nanoseconds: there the bytes, the\n"
    "errors and the rest are unknown.\n"
    "\n"
    "Exit status: 0 no errors, 1 a log is damaged or has errors or something\n"
    "cannot be written, 2 wrong usage.";

static bool read_settings(
    struct settings *settings, int argc, char **argv, int *status)
{
    const struct tlr_cli_option positionals[] = {
        {.name = "FILE", .help = "a log; as many as there are",
            .apply = tlr_cli_apply_list, .target = &settings->logs,
            .repeats = true},
    };
    const struct tlr_cli_option options[] = {
        TLR_LOAD_OPTION_JSON(&settings->json),
        TLR_LOAD_OPTION_HISTOGRAM(&settings->histogram),
        TLR_LOAD_OPTION_QUIET(&settings->quiet),
    };
    const struct tlr_cli_program program = {
        .name = "teller-load merge",
        .version = TLR_VERSION_TEXT,
        .summary = summary,
        .notes = notes,
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = positionals,
        .positional_count = 1,
    };
    return tlr_cli_begin(&program, argc, argv, status);
}

/* Prints what has been said, each line after the program's name. */
static void say(const struct tlr_cli_text *text)
{
    const char *line = tlr_cli_text_line(text);
    while (*line != '\0') {
        int length = 0;
        while (line[length] != '\0' && line[length] != '\n') {
            length++;
        }
        (void)fprintf(stderr, "teller-load merge: %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

static int print_result(
    const struct settings *settings, const struct tlr_load_result *result)
{
    struct tlr_cli_text text = {0};
    if (settings->json) {
        tlr_load_result_json(result, &text);
    } else if (!settings->quiet) {
        tlr_load_report_table(result, &text);
    }
    int err = tlr_cli_text_output(&text, "teller-load merge");
    tlr_cli_text_free(&text);
    if (err != 0) {
        return TLR_CLI_STATUS_FAILURE;
    }
    return tlr_load_result_is_good(result) ? TLR_CLI_STATUS_OK
                                           : TLR_CLI_STATUS_FAILURE;
}

static int write_histogram(
    const char *path, const struct tlr_load_result *result)
{
    struct tlr_cli_text complaint = {0};
    int err = tlr_load_histogram_write(path,
        &result->figures->latency[tlr_load_main_measure(result->plan)],
        &complaint);
    say(&complaint);
    tlr_cli_text_free(&complaint);
    return err;
}

static int merge(
    const struct settings *settings, struct tlr_load_merged *merged)
{
    int err = 0;
    for (size_t i = 0; i < settings->logs.count && err == 0; i++) {
        struct tlr_cli_text remarks = {0};
        struct tlr_cli_text complaint = {0};
        err = tlr_load_merged_add(
            merged, settings->logs.items[i], &remarks, &complaint);
        if (!settings->quiet) {
            say(&remarks);
        }
        say(&complaint);
        tlr_cli_text_free(&remarks);
        tlr_cli_text_free(&complaint);
    }
    if (err != 0) {
        return TLR_CLI_STATUS_FAILURE;
    }
    const struct tlr_load_result *result = tlr_load_merged_result(merged);
    if (result == NULL) {
        (void)fprintf(stderr, "teller-load merge: out of memory\n");
        return TLR_CLI_STATUS_FAILURE;
    }
    int status = print_result(settings, result);
    if (settings->histogram != NULL &&
        write_histogram(settings->histogram, result) != 0) {
        status = TLR_CLI_STATUS_FAILURE;
    }
    return status;
}

int tlr_load_merge_main(int argc, char **argv)
{
    int status = TLR_CLI_STATUS_FAILURE;
    struct settings settings = {0};
    struct tlr_load_merged *merged = NULL;
    settings.logs.capacity = (size_t)argc;
    settings.logs.items = calloc((size_t)argc, sizeof(*settings.logs.items));
    if (settings.logs.items == NULL || tlr_load_merged_create(&merged) != 0) {
        (void)fprintf(stderr, "teller-load merge: out of memory\n");
    } else if (read_settings(&settings, argc, argv, &status)) {
        status = merge(&settings, merged);
    }
    if (merged != NULL) {
        tlr_load_merged_destroy(merged);
    }
    free(settings.logs.items);
    return status;
}
