/* SPDX-License-Identifier: MIT */
/* teller-load: reads its options, runs, prints the result. The loop here waits
 * for signals and for the run; the load is on threads of its own (worker.h). With
 * --repeat the loop goes through one run after the other, each to its end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "advice.h"
#include "cli/arguments.h"
#include "cli/check.h"
#include "cli/limits.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/standard.h"
#include "compare.h"
#include "csv.h"
#include "merge.h"
#include "outfiles.h"
#include "problems.h"
#include "progress.h"
#include "reached.h"
#include "report.h"
#include "require.h"
#include "result_json.h"
#include "run.h"
#include "series.h"
#include "settings.h"

struct program {
    struct tlr_load_settings settings;
    struct tlr_cli_signals signals;
    struct tlr_load_progress progress; /* of that run */
    struct tlr_load_run *run;          /* NULL: between two */
    struct tlr_load_series series;
    struct tlr_load_outfiles files;
    uint64_t runs; /* begun */
    bool stopped;  /* by a signal: no run follows */
    bool unwritten; /* standard output has failed */
    int status;
};

static void on_stop(struct tlr_cli_signals *signals, unsigned times)
{
    struct program *program = signals->data;
    (void)times; /* the run counts for itself */
    program->stopped = true;
    if (program->run != NULL) {
        tlr_load_run_stop(program->run);
    }
}

static void on_problem(void *data, const char *line)
{
    struct program *program = data;
    tlr_load_progress_clear(&program->progress);
    (void)fprintf(stderr, "teller-load: %s\n", line);
}

static void on_waiting(void *data, double seconds, uint64_t open, double warm)
{
    struct program *program = data;
    tlr_load_progress_wait(&program->progress, seconds, open, warm);
}

static void on_interval(void *data, const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    struct program *program = data;
    tlr_load_outfiles_interval(&program->files, interval, figures);
    tlr_load_progress_add(&program->progress, interval);
}

/* ---- what is told ---- */

static void cannot(struct program *program, const char *what, int err)
{
    (void)fprintf(
        stderr, "teller-load: cannot %s: %s\n", what, uv_strerror(err));
    program->status = TLR_CLI_STATUS_FAILURE;
}

/* What mends it: each thread has a loop, and that takes descriptors. */
static const char *remedy_of_start(int err)
{
    switch (err) {
    case UV_EMFILE:
        return "; raise this process's limit of open files (ulimit -n), or use "
               "fewer --threads";
    case UV_ENFILE:
        return "; raise the system's limit of open files (fs.file-max), or use "
               "fewer --threads";
    case UV_EAGAIN:
    case UV_ENOMEM:
        return "; use fewer --threads or --connections";
    default:
        return "";
    }
}

static void cannot_start(struct program *program, int err)
{
    (void)fprintf(stderr, "teller-load: cannot start: %s%s\n",
        uv_strerror(err), remedy_of_start(err));
    program->status = TLR_CLI_STATUS_FAILURE;
}

/* Prints to standard output, and releases. What cannot be written is told once. */
static void print(struct program *program, struct tlr_cli_text *text)
{
    if (!program->unwritten &&
        tlr_cli_text_output(text, "teller-load") != 0) {
        program->unwritten = true;
        program->status = TLR_CLI_STATUS_FAILURE;
    }
    tlr_cli_text_free(text);
}

/* A line of CSV comes when its run is over. */
static void print_line(
    struct program *program, const struct tlr_load_result *result)
{
    struct tlr_cli_text text = {0};
    if (program->runs == 1) {
        tlr_load_csv_names(result, &text);
    }
    tlr_load_csv_values(result, program->runs, &text);
    print(program, &text);
}

static void print_result(struct program *program)
{
    const struct tlr_load_series *series = &program->series;
    const struct tlr_load_settings *settings = &program->settings;
    struct tlr_cli_text text = {0};
    if (settings->json) {
        tlr_load_series_json(series, &text);
    } else if (!settings->quiet && !settings->csv) {
        tlr_load_report_table(
            series->runs[tlr_load_series_median(series)], &text);
        tlr_load_series_table(series, &text);
        tlr_load_series_verdict(series, &text);
    }
    print(program, &text);
}

/* For a reader of numbers alone, who would take these for measured. */
static void warn_if_unmeasured(
    const struct program *program, const struct tlr_load_result *result)
{
    const struct tlr_load_settings *settings = &program->settings;
    struct tlr_cli_text text = {0};
    if (!settings->quiet && (settings->json || settings->csv)) {
        tlr_load_advice_unmeasured(result, &text);
    }
    if (text.length > 0) {
        (void)fprintf(stderr, "teller-load: %s", tlr_cli_text_get(&text));
    }
    tlr_cli_text_free(&text);
}

static void print_remedy(const struct tlr_load_result *result)
{
    uint64_t failed = tlr_load_tally_failed(&result->total);
    struct tlr_cli_text addresses = {0};
    tlr_load_reached_add(result, &addresses);
    if (result->total.connected == 0 && failed > 0 &&
        result->total.errors[TLR_LOAD_REFUSED] == failed) {
        (void)fprintf(stderr,
            "teller-load: nothing listens at %s: start the server first\n",
            tlr_cli_text_get(&addresses));
    } else if (failed > TLR_LOAD_PROBLEMS) {
        (void)fprintf(stderr,
            "teller-load: %" PRIu64 " more, of these causes or others, only "
            "counted\n",
            failed - TLR_LOAD_PROBLEMS);
    }
    tlr_cli_text_free(&addresses);
}

/* Those of a name behind it: which of them it will be is not known yet. */
static void print_addresses(const struct tlr_load_settings *settings)
{
    const struct tlr_load_result none = {.plan = &settings->plan};
    struct tlr_cli_text addresses = {0};
    tlr_load_reached_add(&none, &addresses);
    if (settings->plan.address_count == 1) {
        (void)fprintf(stderr, "%s", tlr_cli_text_get(&addresses));
    } else {
        (void)fprintf(stderr, "%s (%s)", settings->address,
            tlr_cli_text_get(&addresses));
    }
    tlr_cli_text_free(&addresses);
}

static void announce(const struct tlr_load_settings *settings)
{
    const struct tlr_load_plan *plan = &settings->plan;
    if (settings->quiet) {
        return;
    }
    (void)fprintf(stderr, "teller-load: %s, %" PRIu32 " connection%s to ",
        tlr_load_mode_name(plan->mode), plan->connections,
        plan->connections == 1 ? "" : "s");
    print_addresses(settings);
    if (plan->mode == TLR_LOAD_ECHO || plan->mode == TLR_LOAD_SLOW) {
        (void)fprintf(stderr,
            ", messages of %s%" PRIu64 " %s, %" PRIu32 " on the way each",
            plan->sizes == NULL ? "" : "up to ", plan->size,
            tlr_load_problem_bytes(plan->size), plan->depth);
    }
    if (plan->think_ms != 0) {
        (void)fprintf(stderr, ", thinking for %g s in between",
            (double)plan->think_ms / 1000);
    }
    if (settings->repeat > 1) {
        (void)fprintf(stderr, ", %" PRIu64 " times", settings->repeat);
    }
    (void)fprintf(stderr, "; Ctrl-C ends it\n");
}

static void complain(struct program *program, struct tlr_cli_text *complaint)
{
    (void)fprintf(
        stderr, "teller-load: %s\n", tlr_cli_text_line(complaint));
    program->status = TLR_CLI_STATUS_FAILURE;
}

/* Before the load: else it may all have been for nothing. */
static void open_files(struct program *program)
{
    struct tlr_cli_text complaint = {0};
    int err = tlr_load_outfiles_open(
        &program->files, &program->settings, &complaint);
    if (err != 0) {
        complain(program, &complaint);
        program->stopped = true;
    }
    if (err == UV_EEXIST) {
        program->status = TLR_CLI_STATUS_USAGE;
    }
    tlr_cli_text_free(&complaint);
}

static void close_files(struct program *program)
{
    struct tlr_cli_text complaint = {0};
    if (tlr_load_outfiles_close(
            &program->files, &program->series, &complaint) != 0) {
        complain(program, &complaint);
    }
    tlr_cli_text_free(&complaint);
}

/* Tells each that the median has missed. */
static void check_requirements(struct program *program)
{
    const struct tlr_load_series *series = &program->series;
    const struct tlr_load_requirements *all = &program->settings.require;
    const struct tlr_load_result *result =
        series->runs[tlr_load_series_median(series)];
    for (size_t i = 0; i < all->count; i++) {
        struct tlr_cli_text line = {0};
        if (!tlr_load_require_holds(&all->items[i], result, &line)) {
            (void)fprintf(
                stderr, "teller-load: %s\n", tlr_cli_text_line(&line));
            if (program->status == TLR_CLI_STATUS_OK) {
                program->status = TLR_LOAD_STATUS_MISSED;
            }
        }
        tlr_cli_text_free(&line);
    }
}

/* ---- its course ---- */

/* A run that was broken off counts only where there is no other. */
static void keep(struct program *program, const struct tlr_load_result *result)
{
    struct tlr_load_series *series = &program->series;
    if (result->stopped_early && series->count > 0) {
        tlr_load_series_mark_stopped(series);
        return;
    }
    int err = tlr_load_series_add(series, result);
    if (err != 0) {
        cannot(program, "keep the result", err);
        program->stopped = true;
    }
}

static void on_done(void *data, const struct tlr_load_result *result)
{
    struct program *program = data;
    program->run = NULL;
    tlr_load_progress_clear(&program->progress);
    if (!tlr_load_require_allows(&program->settings.require, result)) {
        program->status = TLR_CLI_STATUS_FAILURE;
    }
    print_remedy(result);
    warn_if_unmeasured(program, result);
    if (program->settings.csv) {
        print_line(program, result);
    }
    keep(program, result);
    program->stopped |= result->aborted;
}

static const struct tlr_load_callbacks callbacks = {
    .problem = on_problem,
    .waiting = on_waiting,
    .interval = on_interval,
    .done = on_done,
};

/* One run, to its end. */
static void run_once(struct program *program, uv_loop_t *loop)
{
    const struct tlr_load_settings *settings = &program->settings;
    program->runs++;
    if (settings->repeat > 1 && !settings->quiet) {
        (void)fprintf(stderr, "teller-load: run %" PRIu64 " of %" PRIu64 "\n",
            program->runs, settings->repeat);
    }
    tlr_load_progress_init(
        &program->progress, &settings->plan, settings->quiet);
    int err = tlr_load_run_start(
        &program->run, loop, &settings->plan, &callbacks, program);
    if (err != 0) {
        cannot_start(program, err);
        program->run = NULL;
        program->stopped = true;
    }
    /* Ends when the run's handles are closed: signals do not keep it alive. */
    (void)uv_run(loop, UV_RUN_DEFAULT);
}

static void run(struct program *program, uv_loop_t *loop)
{
    program->signals.data = program;
    program->series.wanted = program->settings.repeat;
    int err = tlr_cli_signals_init(&program->signals, loop, on_stop);
    if (err != 0) {
        cannot_start(program, err);
        program->stopped = true;
    } else {
        open_files(program);
    }
    if (!program->stopped) {
        announce(&program->settings); /* from here on Ctrl-C does what it says */
    }
    while (!program->stopped && program->runs < program->settings.repeat) {
        run_once(program, loop);
    }
    tlr_cli_signals_close(&program->signals, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    if (program->series.count > 0) {
        print_result(program);
        check_requirements(program);
    }
    close_files(program);
    tlr_load_series_free(&program->series);
}

int main(int argc, char **argv)
{
    struct program program = {.status = TLR_CLI_STATUS_OK};
    uv_loop_t loop;
    tlr_cli_open_standard();
    tlr_cli_ignore_sigpipe();
    argv = tlr_cli_arguments(&argc, argv);
    if (argv == NULL) {
        cannot(&program, "start", UV_ENOMEM);
        return program.status;
    }
    if (argc > 1 && strcmp(argv[1], "compare") == 0) {
        return tlr_load_compare_main(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "merge") == 0) {
        return tlr_load_merge_main(argc - 1, argv + 1);
    }
    if (!tlr_load_settings_read(
            &program.settings, argc, argv, &program.status)) {
        return program.status;
    }
    (void)tlr_cli_raise_descriptor_limit(); /* a refusal shows in time */
    int err = uv_loop_init(&loop);
    if (err == 0) {
        run(&program, &loop);
        err = uv_loop_close(&loop);
        TLR_CLI_CHECK(err == 0);
    } else {
        cannot_start(&program, err);
    }
    tlr_load_settings_free(&program.settings);
    return program.status;
}
