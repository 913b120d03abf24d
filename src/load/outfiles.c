/* SPDX-License-Identifier: MIT */
#include "outfiles.h"

#include <string.h>

#include "files.h"
#include "page.h"
#include "percentiles.h"

static int try_to_open(const char *path, struct tlr_cli_text *complaint)
{
    int err = tlr_load_file_try(path);
    if (err != 0) {
        tlr_cli_text_add(
            complaint, "cannot write %s: %s", path, uv_strerror(err));
    }
    return err;
}

int tlr_load_outfiles_open(struct tlr_load_outfiles *files,
    const struct tlr_load_settings *settings, struct tlr_cli_text *complaint)
{
    int err = 0;
    memset(files, 0, sizeof(*files));
    files->settings = settings;
    if (settings->report != NULL) {
        err = try_to_open(settings->report, complaint);
    }
    if (err == 0 && settings->histogram != NULL) {
        err = try_to_open(settings->histogram, complaint);
    }
    if (err == 0 && settings->log != NULL) {
        err = tlr_load_log_open(&files->log, settings->log, complaint);
    }
    return err;
}

void tlr_load_outfiles_interval(struct tlr_load_outfiles *files,
    const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    if (files->log != NULL) {
        tlr_load_log_interval(files->log, interval, figures);
    }
}

/* Adds a complaint to those before it, and releases it. */
static void add(struct tlr_cli_text *complaint, struct tlr_cli_text *one)
{
    if (tlr_cli_text_line(one)[0] != '\0') {
        tlr_cli_text_add(complaint, "%s%s",
            tlr_cli_text_get(complaint)[0] == '\0' ? "" : "; ",
            tlr_cli_text_line(one));
    }
    tlr_cli_text_free(one);
}

static int write_histogram(const char *path,
    const struct tlr_load_result *result, struct tlr_cli_text *complaint)
{
    return tlr_load_histogram_write(path,
        &result->figures->latency[tlr_load_main_measure(result->plan)],
        complaint);
}

int tlr_load_outfiles_close(struct tlr_load_outfiles *files,
    const struct tlr_load_series *series, struct tlr_cli_text *complaint)
{
    const struct tlr_load_settings *settings = files->settings;
    const struct tlr_load_result *result =
        series->count == 0 ? NULL
                           : series->runs[tlr_load_series_median(series)];
    struct tlr_cli_text of_log = {0};
    struct tlr_cli_text of_histogram = {0};
    struct tlr_cli_text of_report = {0};
    int errors[3] = {0, 0, 0};
    if (files->log != NULL) {
        errors[0] = tlr_load_log_close(files->log, result, &of_log);
        files->log = NULL;
    }
    if (result != NULL && settings->histogram != NULL) {
        errors[1] =
            write_histogram(settings->histogram, result, &of_histogram);
    }
    if (result != NULL && settings->report != NULL) {
        errors[2] = tlr_load_page_write(settings->report, series, &of_report);
    }
    add(complaint, &of_log);
    add(complaint, &of_histogram);
    add(complaint, &of_report);
    return errors[0] != 0   ? errors[0]
           : errors[1] != 0 ? errors[1]
                            : errors[2];
}
