/* SPDX-License-Identifier: MIT */
#include "outfiles.h"

#include <string.h>

#include "files.h"
#include "page.h"
#include "percentiles.h"

/* S_IFMT and S_IFREG, which have these values on all systems that libuv tells the
 * mode of, and a name not in all of their headers. */
#define TYPE UINT64_C(0170000)
#define REGULAR UINT64_C(0100000)

/* Which file it is; if that cannot be told it is none of the others. */
static void identify(struct tlr_load_outfile *file, uv_file opened)
{
    uv_fs_t request;
    if (uv_fs_fstat(NULL, &request, opened, NULL) == 0) {
        file->regular = (request.statbuf.st_mode & TYPE) == REGULAR;
        file->device = request.statbuf.st_dev;
        file->number = request.statbuf.st_ino;
    }
    uv_fs_req_cleanup(&request);
}

/* Whether it can be written; one that was there is left as it is. */
static int try_to_open(
    struct tlr_load_outfile *file, struct tlr_cli_text *complaint)
{
    uv_file opened = tlr_load_file_keep(file->path, &file->made);
    if (opened < 0) {
        tlr_cli_text_add(complaint, "cannot write %s: %s", file->path,
            uv_strerror(opened));
        return opened;
    }
    identify(file, opened);
    (void)tlr_load_file_close(opened); /* nothing was written */
    return 0;
}

/* Under two names. */
static bool is_one_file(
    const struct tlr_load_outfile *a, const struct tlr_load_outfile *b)
{
    return a->regular && b->regular && a->number != 0 &&
           a->device == b->device && a->number == b->number;
}

static int find_one_file(
    const struct tlr_load_outfiles *files, struct tlr_cli_text *complaint)
{
    for (unsigned i = 0; i < TLR_LOAD_OUTFILES; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (is_one_file(&files->all[j], &files->all[i])) {
                tlr_cli_text_add(complaint,
                    "%s and %s are one file: give each a file of its own",
                    files->all[j].path, files->all[i].path);
                return UV_EEXIST;
            }
        }
    }
    return 0;
}

static void remove_made(struct tlr_load_outfiles *files)
{
    for (unsigned i = 0; i < TLR_LOAD_OUTFILES; i++) {
        if (files->all[i].made) {
            uv_fs_t request;
            /* If it cannot be, it stays, and is empty. */
            (void)uv_fs_unlink(NULL, &request, files->all[i].path, NULL);
            uv_fs_req_cleanup(&request);
            files->all[i].made = false;
        }
    }
}

int tlr_load_outfiles_open(struct tlr_load_outfiles *files,
    const struct tlr_load_settings *settings, struct tlr_cli_text *complaint)
{
    int err = 0;
    memset(files, 0, sizeof(*files));
    files->settings = settings;
    files->all[0].path = settings->report;
    files->all[1].path = settings->histogram;
    files->all[2].path = settings->log;
    for (unsigned i = 0; err == 0 && i < TLR_LOAD_OUTFILES; i++) {
        if (files->all[i].path != NULL) {
            err = try_to_open(&files->all[i], complaint);
        }
    }
    if (err == 0) {
        err = find_one_file(files, complaint);
    }
    if (err == 0 && settings->log != NULL) {
        err = tlr_load_log_open(&files->log, settings->log, complaint);
    }
    if (err != 0) {
        remove_made(files);
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
    if (result == NULL) {
        remove_made(files);
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
