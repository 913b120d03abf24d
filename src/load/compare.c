/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/options.h"
#include "comparison.h"
#include "files.h"
#include "report.h"

/* The columns are called A to P. A file is some KiB and 300 bytes a second. */
enum { FILES_MOST = 16, FILE_MOST = 256 * 1024 * 1024, BLOCK = 64 * 1024 };

struct comparison {
    struct tlr_load_compared files[FILES_MOST];
    size_t count;
};

/* ---- reading ---- */

/* All of an open file, with a zero behind it. Gives *bytes to be freed. */
static int read_open(uv_file file, char **bytes, size_t *length)
{
    char *all = NULL;
    int got = 1;
    *length = 0;
    while (got > 0) {
        char *more = realloc(all, *length + BLOCK + 1);
        if (more == NULL || *length > FILE_MOST) {
            free(more == NULL ? all : more);
            return more == NULL ? UV_ENOMEM : UV_EFBIG;
        }
        all = more;
        got = tlr_load_file_read(file, all + *length, BLOCK);
        *length += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        free(all);
        return got;
    }
    all[*length] = '\0';
    *bytes = all;
    return 0;
}

static int read_file(const char *name, char **bytes, size_t *length)
{
    uv_file file = tlr_load_file_open(name);
    if (file < 0) {
        return file;
    }
    int err = read_open(file, bytes, length);
    (void)tlr_load_file_close(file); /* it was only read */
    return err;
}

/* False: it was said why not. */
static bool read_result(struct tlr_load_compared *compared, const char *name)
{
    struct tlr_cli_text complaint = {0};
    char *bytes = NULL;
    size_t length = 0;
    int err = read_file(name, &bytes, &length);
    bool good = false;
    if (err != 0) {
        tlr_cli_text_add(&complaint, "cannot be read (%s)", uv_strerror(err));
    } else if (strlen(bytes) != length) {
        tlr_cli_text_add(&complaint, "is damaged: it has a zero in it");
    } else {
        good = tlr_load_compared_read(compared, name, bytes, &complaint);
    }
    if (!good) {
        (void)fprintf(stderr, "teller-load: %s %s\n", name,
            tlr_cli_text_line(&complaint));
    }
    free(bytes);
    tlr_cli_text_free(&complaint);
    return good;
}

/* ---- as a table ---- */

static void add_value(
    struct tlr_cli_text *text, unsigned row, const struct tlr_load_range *range)
{
    if (!range->known) {
        tlr_cli_text_add(text, "-");
    } else if (row == TLR_LOAD_ROW_BUSY) {
        tlr_cli_text_add(text, "%.1f %%", 100 * range->value);
    } else if (row >= TLR_LOAD_ROW_P50 && row <= TLR_LOAD_ROW_CONNECT) {
        tlr_load_report_time(text, (uint64_t)(range->value * 1000));
    } else {
        tlr_cli_text_add(text, "%.0f", range->value);
    }
}

/* "-1.2..+0.8 %" of the value. */
static void add_spread(struct tlr_cli_text *text,
    const struct tlr_load_compared *file, const struct tlr_load_range *range)
{
    double value = range->value;
    if (file->runs < 2 || !range->known) {
        return;
    }
    if (value == 0) {
        tlr_cli_text_add(text, "%.4g..%.4g", range->min, range->max);
        return;
    }
    tlr_cli_text_add(text, "%+.1f..%+.1f %%",
        100 * (range->min - value) / value, 100 * (range->max - value) / value);
}

/* `cell` with spaces before it, or behind it, and is empty then. */
static void move_cell(
    struct tlr_cli_text *text, struct tlr_cli_text *cell, int width)
{
    tlr_cli_text_add(text, "%*s", width, tlr_cli_text_get(cell));
    text->failed = text->failed || cell->failed;
    tlr_cli_text_free(cell);
}

static void add_cells(struct tlr_cli_text *text,
    const struct comparison *comparison, size_t index, unsigned row)
{
    const struct tlr_load_compared *file = &comparison->files[index];
    struct tlr_cli_text cell = {0};
    double ratio;
    add_value(&cell, row, &file->rows[row]);
    move_cell(text, &cell, 14);
    tlr_cli_text_add(text, "  ");
    add_spread(&cell, file, &file->rows[row]);
    move_cell(text, &cell, -16);
    if (index == 0) {
        return;
    }
    if (tlr_load_compared_ratio(&comparison->files[0], file, row, &ratio)) {
        tlr_cli_text_add(text, "%8.3f", ratio);
    } else {
        tlr_cli_text_add(text, "%8s", "-");
    }
}

static void add_verdicts(struct tlr_cli_text *text,
    const struct comparison *comparison, unsigned row)
{
    for (size_t i = 1; i < comparison->count; i++) {
        tlr_cli_text_add(text, i == 1 ? "  " : ", ");
        if (comparison->count > 2) {
            tlr_cli_text_add(text, "%c ", (char)('A' + i));
        }
        tlr_cli_text_add(text, "%s",
            tlr_load_verdict_text(tlr_load_compared_judge(
                &comparison->files[0], &comparison->files[i], row)));
    }
    tlr_cli_text_add(text, "\n");
}

static void add_head(
    struct tlr_cli_text *text, const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const struct tlr_load_compared *file = &comparison->files[i];
        tlr_cli_text_add(text, "%c  %s: %s, %.0f connections, %zu %s%s\n",
            (char)('A' + i), file->name, file->mode,
            file->set[TLR_LOAD_SET_CONNECTIONS].value,
            file->runs, file->runs == 1 ? "run" : "runs",
            file->verified ? "" : ", NOT verified");
    }
    tlr_cli_text_add(text, "%-12s", "");
    for (size_t i = 0; i < comparison->count; i++) {
        tlr_cli_text_add(text, "%14c  %-16s", (char)('A' + i), "spread");
        if (i > 0) {
            tlr_cli_text_add(text, "     %c/A", (char)('A' + i));
        }
    }
    tlr_cli_text_add(text, "\n");
}

static void add_warnings(
    struct tlr_cli_text *text, const struct comparison *comparison)
{
    for (size_t i = 1; i < comparison->count; i++) {
        tlr_load_compared_warn(
            &comparison->files[0], &comparison->files[i], text);
    }
}

static void add_table(
    struct tlr_cli_text *text, const struct comparison *comparison)
{
    struct tlr_cli_text warnings = {0};
    add_head(text, comparison);
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        tlr_cli_text_add(text, "%-12s", tlr_load_row_label(row));
        for (size_t i = 0; i < comparison->count; i++) {
            add_cells(text, comparison, i, row);
        }
        add_verdicts(text, comparison, row);
    }
    add_warnings(&warnings, comparison);
    for (const char *line = tlr_cli_text_get(&warnings); *line != '\0';) {
        int length = (int)strcspn(line, "\n");
        tlr_cli_text_add(text, "warning: %.*s\n", length, line);
        line += length + (line[length] == '\n'); /* or it is cut off */
    }
    text->failed = text->failed || warnings.failed;
    tlr_cli_text_free(&warnings);
}

/* ---- as JSON ---- */

static void add_file(
    struct tlr_cli_json *json, const struct tlr_load_compared *file)
{
    tlr_cli_json_open(json, NULL, '{');
    tlr_cli_json_string(json, "name", file->name);
    tlr_cli_json_string(json, "mode", file->mode);
    tlr_cli_json_u64(json, "runs", file->runs);
    tlr_cli_json_bool(json, "verified", file->verified);
    tlr_cli_json_close(json);
}

static void add_json_value(struct tlr_cli_json *json,
    const struct comparison *comparison, size_t index, unsigned row)
{
    static const char *const verdicts[] = {
        [TLR_LOAD_WITHIN] = "within",
        [TLR_LOAD_LARGER] = "larger",
        [TLR_LOAD_UNKNOWN] = "unknown",
    };
    const struct tlr_load_compared *first = &comparison->files[0];
    const struct tlr_load_compared *file = &comparison->files[index];
    const struct tlr_load_range *range = &file->rows[row];
    double none = NAN; /* written as null */
    double ratio = none;
    (void)tlr_load_compared_ratio(first, file, row, &ratio); /* or it stays */
    tlr_cli_json_open(json, NULL, '{');
    tlr_cli_json_double(json, "value", range->known ? range->value : none, 3);
    tlr_cli_json_double(json, "min", range->known ? range->min : none, 3);
    tlr_cli_json_double(json, "max", range->known ? range->max : none, 3);
    if (index > 0) {
        tlr_cli_json_double(json, "ratio", ratio, 6);
        tlr_cli_json_string(json, "difference",
            verdicts[tlr_load_compared_judge(first, file, row)]);
    }
    tlr_cli_json_close(json);
}

static void add_json_warnings(
    struct tlr_cli_json *json, const struct comparison *comparison)
{
    struct tlr_cli_text lines = {0};
    tlr_cli_json_open(json, "warnings", '[');
    add_warnings(&lines, comparison);
    for (char *line = lines.data; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        bool whole = line[length] == '\n'; /* or it is cut off */
        line[length] = '\0';
        tlr_cli_json_string(json, NULL, line);
        line += length + whole;
    }
    json->text->failed = json->text->failed || lines.failed;
    tlr_cli_text_free(&lines);
    tlr_cli_json_close(json);
}

static void add_json(
    struct tlr_cli_text *text, const struct comparison *comparison)
{
    struct tlr_cli_json json = {.text = text};
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_string(&json, "schema", "teller-load-compare/1");
    tlr_cli_json_open(&json, "files", '[');
    for (size_t i = 0; i < comparison->count; i++) {
        add_file(&json, &comparison->files[i]);
    }
    tlr_cli_json_close(&json);
    tlr_cli_json_open(&json, "rows", '{');
    for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
        tlr_cli_json_open(&json, tlr_load_row_name(row), '[');
        for (size_t i = 0; i < comparison->count; i++) {
            add_json_value(&json, comparison, i, row);
        }
        tlr_cli_json_close(&json);
    }
    tlr_cli_json_close(&json);
    add_json_warnings(&json, comparison);
    tlr_cli_json_close(&json);
    tlr_cli_text_add(text, "\n");
}

/* ---- the program ---- */

static const char notes[] =
    "The files are what teller-load --json printed; the ratios are to the first\n"
    "one, A. The spread goes from the worst to the best of the runs of --repeat,\n"
    "around the median. A difference is larger than the spread if no run of the\n"
    "one file reaches any of the other.\n"
    "\n"
    "Exit status: 0 done, 1 a file is unreadable or damaged or the comparison\n"
    "cannot be written, 2 wrong usage.";

static bool parse(int argc, char **argv, struct tlr_cli_list *list, bool *json,
    int *status)
{
    const struct tlr_cli_option positionals[] = {
        {.name = "JSON", .help = "results, two at least",
            .apply = tlr_cli_apply_list, .target = list, .repeats = true},
    };
    const struct tlr_cli_option options[] = {
        {.name = "--json", .help = "print the comparison as one JSON object",
            .apply = tlr_cli_apply_flag, .target = json},
    };
    const struct tlr_cli_program program = {
        .name = "teller-load compare",
        .version = TLR_VERSION_TEXT,
        .summary = "Puts results of teller-load side by side, and says which "
                   "differences are larger than those between their own runs.",
        .notes = notes,
        .options = options,
        .option_count = 1,
        .positionals = positionals,
        .positional_count = 1,
    };
    if (!tlr_cli_begin(&program, argc, argv, status)) {
        return false;
    }
    if (list->count < 2) {
        (void)fprintf(stderr, "teller-load compare: %s is the only file; give "
                              "one more to compare it with\n",
            list->items[0]);
        *status = TLR_CLI_STATUS_USAGE;
        return false;
    }
    return true;
}

int tlr_load_compare_main(int argc, char **argv)
{
    static struct comparison comparison; /* some KiB: not for a stack */
    const char *names[FILES_MOST];
    struct tlr_cli_list list = {.items = names, .capacity = FILES_MOST};
    struct tlr_cli_text text = {0};
    bool json = false;
    int status = TLR_CLI_STATUS_OK;
    if (!parse(argc, argv, &list, &json, &status)) {
        return status;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!read_result(&comparison.files[i], names[i])) {
            status = TLR_CLI_STATUS_FAILURE; /* and tell of the others too */
        }
    }
    if (status != TLR_CLI_STATUS_OK) {
        return status;
    }
    comparison.count = list.count;
    if (json) {
        add_json(&text, &comparison);
    } else {
        add_table(&text, &comparison);
    }
    if (tlr_cli_text_output(&text, "teller-load compare") != 0) {
        status = TLR_CLI_STATUS_FAILURE;
    }
    tlr_cli_text_free(&text);
    return status;
}
