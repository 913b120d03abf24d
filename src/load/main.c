/* SPDX-License-Identifier: MIT */
/* teller-load: reads its options, runs, prints the result. The loop here waits
 * for signals and for the run; the load is on threads of its own (worker.h). */
#include <stdio.h>

#include <uv.h>

#include "cli/check.h"
#include "cli/limits.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "page.h"
#include "problems.h"
#include "report.h"
#include "result_json.h"
#include "run.h"
#include "settings.h"

struct program {
    struct tlr_load_settings settings;
    struct tlr_cli_signals signals;
    struct tlr_load_run *run;
    int status;
};

static void on_stop(struct tlr_cli_signals *signals, unsigned times)
{
    struct program *program = signals->data;
    (void)times; /* the run counts for itself */
    tlr_load_run_stop(program->run);
}

static void on_problem(void *data, const char *line)
{
    (void)data;
    (void)fprintf(stderr, "teller-load: %s\n", line);
}

static void print_result(
    struct program *program, const struct tlr_load_result *result)
{
    struct tlr_cli_text text = {0};
    if (program->settings.json) {
        tlr_load_result_json(result, &text);
    } else if (!program->settings.quiet) {
        tlr_load_report_table(result, &text);
    }
    if (tlr_cli_text_print(&text, stdout) != 0) {
        program->status = TLR_CLI_STATUS_FAILURE;
    }
    tlr_cli_text_free(&text);
}

static void write_report(
    struct program *program, const struct tlr_load_result *result)
{
    struct tlr_cli_text complaint = {0};
    if (program->settings.report != NULL &&
        tlr_load_page_write(
            program->settings.report, result, &complaint) != 0) {
        (void)fprintf(
            stderr, "teller-load: %s\n", tlr_cli_text_get(&complaint));
        program->status = TLR_CLI_STATUS_FAILURE;
    }
    tlr_cli_text_free(&complaint);
}

static void print_remedy(const struct tlr_load_result *result)
{
    uint64_t failed = tlr_load_tally_failed(&result->total);
    char text[TLR_CLI_ADDRESS_LENGTH];
    if (result->total.connected == 0 && failed > 0 &&
        result->total.errors[TLR_LOAD_REFUSED] == failed) {
        (void)fprintf(stderr,
            "teller-load: nothing listens at %s: start teller-echo first\n",
            tlr_cli_format_address(
                (const struct sockaddr *)result->plan->addresses, text));
    } else if (failed > TLR_LOAD_PROBLEMS) {
        (void)fprintf(stderr,
            "teller-load: %llu more errors like these were only counted\n",
            (unsigned long long)(failed - TLR_LOAD_PROBLEMS));
    }
}

static void on_done(void *data, const struct tlr_load_result *result)
{
    struct program *program = data;
    program->status = tlr_load_result_is_good(result) ? TLR_CLI_STATUS_OK
                                                      : TLR_CLI_STATUS_FAILURE;
    print_remedy(result);
    print_result(program, result);
    write_report(program, result);
    tlr_cli_signals_close(&program->signals, NULL);
}

static void announce(const struct tlr_load_settings *settings)
{
    const struct tlr_load_plan *plan = &settings->plan;
    char text[TLR_CLI_ADDRESS_LENGTH];
    if (settings->quiet) {
        return;
    }
    (void)fprintf(stderr, "teller-load: %s, %u connections to %s",
        tlr_load_mode_name(plan->mode), (unsigned)plan->connections,
        tlr_cli_format_address((const struct sockaddr *)plan->addresses, text));
    if (plan->mode == TLR_LOAD_ECHO || plan->mode == TLR_LOAD_SLOW) {
        (void)fprintf(stderr, ", messages of %s%llu bytes, %u on the way each",
            plan->sizes == NULL ? "" : "up to ",
            (unsigned long long)plan->size, (unsigned)plan->depth);
    }
    (void)fprintf(stderr, "; Ctrl-C ends it\n");
}

static const struct tlr_load_callbacks callbacks = {
    .problem = on_problem,
    .done = on_done,
};

static int run(struct program *program, uv_loop_t *loop)
{
    program->signals.data = program;
    int err = tlr_cli_signals_init(&program->signals, loop, on_stop);
    if (err == 0) {
        announce(&program->settings); /* from here on Ctrl-C does what it says */
        err = tlr_load_run_start(&program->run, loop, &program->settings.plan,
            &callbacks, program);
    }
    if (err != 0) {
        (void)fprintf(stderr, "teller-load: cannot start: %s\n",
            uv_strerror(err));
        program->status = TLR_CLI_STATUS_FAILURE;
        tlr_cli_signals_close(&program->signals, NULL);
    }
    /* Ends when the run is done and its handles are closed. */
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return program->status;
}

int main(int argc, char **argv)
{
    struct program program = {.status = TLR_CLI_STATUS_OK};
    uv_loop_t loop;
    tlr_cli_ignore_sigpipe();
    if (!tlr_load_settings_read(
            &program.settings, argc, argv, &program.status)) {
        return program.status;
    }
    (void)tlr_cli_raise_descriptor_limit(); /* a refusal shows in time */
    int err = uv_loop_init(&loop);
    if (err != 0) {
        (void)fprintf(
            stderr, "teller-load: cannot start: %s\n", uv_strerror(err));
        tlr_load_settings_free(&program.settings);
        return TLR_CLI_STATUS_FAILURE;
    }
    program.status = run(&program, &loop);
    err = uv_loop_close(&loop);
    TLR_CLI_CHECK(err == 0);
    tlr_load_settings_free(&program.settings);
    return program.status;
}
