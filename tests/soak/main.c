/* SPDX-License-Identifier: MIT */
/*
 * teller-soak: clients of many kinds at once (course.h), for hard use and for
 * attacks. Prints lines of JSON: one a second, one for each of the first
 * failures, and a summary. Includes nothing of src/core.
 *
 * Exit status: 0, or 1 if a byte was wrong or nobody was ever connected, with
 * --strict also if any connection failed; 2 for wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/address.h"
#include "cli/check.h"
#include "cli/limits.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "crowd.h"
#include "report.h"
#include "watch.h"

enum { SECOND = 1000, MOST_SOURCES = 64 };

struct program {
    struct crowd crowd;
    struct watch watch;
    struct tlr_cli_signals signals;
    uv_timer_t second;
    uint64_t began_at; /* ns */
    uint64_t failures; /* reported or not */
    const char *target;
    const char *mix;
    const char *from;
    const char *mark;
    bool strict;
    bool quiet;
    struct sockaddr_storage sources[MOST_SOURCES];
    int status;
};

/* ---- options ---- */

static int apply_mix(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    return kinds_parse(value, option->target, complaint);
}

static int resolve(const char *text, struct sockaddr_storage *address)
{
    struct tlr_cli_addresses addresses = {0};
    struct tlr_cli_text complaint = {0};
    int err = tlr_cli_resolve(text, "127.0.0.1", &addresses, &complaint);
    if (err != 0) {
        (void)fprintf(
            stderr, "teller-soak: %s\n", tlr_cli_text_get(&complaint));
    } else {
        *address = addresses.items[0];
        tlr_cli_addresses_free(&addresses);
    }
    tlr_cli_text_free(&complaint);
    return err;
}

/* "127.0.0.1,127.0.1.1" */
static int resolve_sources(struct program *program)
{
    struct crowd_plan *plan = &program->crowd.plan;
    char text[64];
    int err = 0;
    plan->sources = program->sources;
    for (const char *part = program->from; err == 0 && part != NULL;) {
        size_t length = strcspn(part, ",");
        if (length + 3 > sizeof(text) || plan->source_count == MOST_SOURCES) {
            return UV_EINVAL;
        }
        (void)snprintf(
            text, sizeof(text), "%.*s:0", (int)length, part); /* it fits */
        err = resolve(text, &program->sources[plan->source_count++]);
        part = part[length] == ',' ? part + length + 1 : NULL;
    }
    return err;
}

static void set_defaults(struct program *program)
{
    struct crowd_plan *plan = &program->crowd.plan;
    struct habits *habits = &plan->habits;
    plan->connections = 200;
    plan->duration_ms = 10 * SECOND;
    plan->timeout_ms = 30 * SECOND;
    plan->seed = 1;
    habits->every_ms = 10;
    habits->lifetime_ms = 8 * SECOND;
    habits->probes = 100;
    habits->weights[KIND_QUICK] = 10;
    habits->weights[KIND_SLOW] = 3;
    habits->weights[KIND_SILENT] = 2;
    habits->weights[KIND_RESET] = 2;
    habits->weights[KIND_HALF] = 2;
    habits->weights[KIND_BYTES] = 2;
}

static bool read_options(
    struct program *program, int argc, char **argv, int *status)
{
    struct crowd_plan *plan = &program->crowd.plan;
    struct habits *habits = &plan->habits;
    const struct tlr_cli_option options[] = {
        {.name = "--connections", .argument = "N",
            .help = "open at a time; 200 by default",
            .apply = tlr_cli_apply_number, .target = &plan->connections,
            .min = 1, .max = 1000000},
        {.name = "--rate", .argument = "N",
            .help = "begun in a second; 0, the default, is no limit",
            .apply = tlr_cli_apply_number, .target = &plan->rate,
            .max = 1000000},
        {.name = "--duration", .argument = "SECONDS",
            .help = "how long new ones are begun; 10 by default",
            .apply = tlr_cli_apply_seconds, .target = &plan->duration_ms,
            .min = 1, .max = 7 * 24 * 3600 * (uint64_t)SECOND},
        {.name = "--from-full",
            .help = "the duration begins when all connections are open",
            .apply = tlr_cli_apply_flag, .target = &plan->from_full},
        {.name = "--timeout", .argument = "SECONDS",
            .help = "how long the server may owe something; 30 by default",
            .apply = tlr_cli_apply_seconds, .target = &plan->timeout_ms,
            .min = 1, .max = 3600 * SECOND},
        {.name = "--mix", .argument = "KIND=WEIGHT,...",
            .help = "quick=10,slow=3,silent=2,reset=2,half=2,bytes=2 by "
                    "default; there are also hold, probe, starve, drip, flood "
                    "and mute",
            .apply = apply_mix, .target = habits->weights},
        {.name = "--every", .argument = "SECONDS",
            .help = "the pace of probe and drip; 10ms by default",
            .apply = tlr_cli_apply_seconds, .target = &habits->every_ms,
            .min = 1, .max = 3600 * SECOND},
        {.name = "--lifetime", .argument = "SECONDS",
            .help = "the longest that a session plans for; 8 by default",
            .apply = tlr_cli_apply_seconds, .target = &habits->lifetime_ms,
            .min = 1, .max = 3600 * SECOND},
        {.name = "--half", .argument = "BYTES",
            .help = "of a session of the kind half; drawn by default",
            .apply = tlr_cli_apply_size, .target = &habits->half_bytes,
            .max = UINT64_C(1) << 40},
        {.name = "--probes", .argument = "N",
            .help = "messages of a probe; 100 by default, 0 is until the end",
            .apply = tlr_cli_apply_number, .target = &habits->probes,
            .max = 1000000000},
        {.name = "--mark", .argument = "FILE",
            .help = "forget the latencies so far when there is such a file, "
                    "and remove it",
            .apply = tlr_cli_apply_string, .target = &program->mark},
        {.name = "--from", .argument = "IP,...",
            .help = "addresses to connect from, in turn",
            .apply = tlr_cli_apply_string, .target = &program->from},
        {.name = "--seed", .argument = "N", .help = "1 by default",
            .apply = tlr_cli_apply_number, .target = &plan->seed,
            .max = UINT64_MAX},
        {.name = "--watch", .argument = "FILE",
            .help = "pids, one a line, whose memory and descriptors are "
                    "watched; it is read again each second",
            .apply = tlr_cli_apply_string, .target = &program->watch.file},
        {.name = "--strict", .help = "no connection may fail",
            .apply = tlr_cli_apply_flag, .target = &program->strict},
        {.name = "--quiet", .help = "print failures and the summary only",
            .apply = tlr_cli_apply_flag, .target = &program->quiet},
    };
    const struct tlr_cli_option positionals[] = {
        {.name = "ADDRESS", .help = "the echo server",
            .apply = tlr_cli_apply_string, .target = &program->target},
    };
    const struct tlr_cli_program cli = {
        .name = "teller-soak",
        .version = "of the tests",
        .summary = "Clients of many kinds for an echo server, all at once.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = positionals,
        .positional_count = 1,
    };
    set_defaults(program);
    return tlr_cli_begin(&cli, argc, argv, status);
}

/* ---- running ---- */

static double seconds_of(const struct program *program)
{
    return (double)(uv_hrtime() - program->began_at) / 1e9;
}

static void on_failed(const struct session *session, enum cause cause, int err)
{
    struct program *program = session->crowd->data;
    if (program->failures++ < REPORT_FAILURES) {
        report_failure(session, cause, err);
    }
}

static void forget_if_marked(struct program *program)
{
    struct crowd_tally *tally = &program->crowd.tally;
    if (program->mark != NULL && remove(program->mark) == 0) {
        tlr_load_histogram_init(&tally->round_trip);
        tlr_load_histogram_init(&tally->first_answer);
    }
}

/* What a process takes to get going is no slope. */
static void on_second(uv_timer_t *timer)
{
    struct program *program = timer->data;
    const struct crowd *crowd = &program->crowd;
    double seconds = seconds_of(program);
    double begin = (double)crowd->plan.duration_ms / 5e3;
    begin = begin > 60 ? 60 : begin;
    watch_look(&program->watch, seconds,
        seconds >= begin && !crowd->finishing);
    if (!program->quiet) {
        report_second(crowd, &program->watch, seconds);
    }
    forget_if_marked(program);
}

static void on_signal(struct tlr_cli_signals *signals, unsigned times)
{
    struct program *program = signals->data;
    crowd_finish(&program->crowd);
    if (times > 1) {
        crowd_abandon(&program->crowd);
    }
}

static bool is_good(const struct program *program)
{
    const struct crowd_tally *tally = &program->crowd.tally;
    uint64_t offered = 0;
    uint64_t failed = 0;
    for (unsigned i = 0; i < KINDS; i++) {
        offered += tally->kinds[i].offered;
        failed += tally->kinds[i].failed;
    }
    return tally->causes[CAUSE_WRONG] == 0 && offered > 0 &&
           (!program->strict || failed == 0);
}

static void on_done(struct crowd *crowd)
{
    struct program *program = crowd->data;
    bool good = is_good(program);
    if (program->status == TLR_CLI_STATUS_OK && !good) {
        program->status = TLR_CLI_STATUS_FAILURE;
    }
    report_summary(crowd, &program->watch, seconds_of(program), good);
    uv_close((uv_handle_t *)&program->second, NULL);
    tlr_cli_signals_close(&program->signals, NULL);
}

static void run(struct program *program, uv_loop_t *loop)
{
    program->signals.data = program;
    program->second.data = program;
    program->began_at = uv_hrtime();
    program->crowd.data = program;
    program->crowd.on_failed = on_failed;
    program->crowd.on_done = on_done;
    (void)uv_timer_init(loop, &program->second); /* always 0 */
    (void)uv_timer_start(
        &program->second, on_second, SECOND, SECOND); /* cb is set */
    int err = tlr_cli_signals_init(&program->signals, loop, on_signal);
    crowd_start(&program->crowd, loop);
    if (err != 0) {
        (void)fprintf(
            stderr, "teller-soak: cannot start: %s\n", uv_strerror(err));
        program->status = TLR_CLI_STATUS_FAILURE;
        crowd_finish(&program->crowd);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT); /* until all is closed */
}

int main(int argc, char **argv)
{
    struct program *program = calloc(1, sizeof(*program));
    uv_loop_t loop;
    TLR_CLI_CHECK(program != NULL);
    tlr_cli_ignore_sigpipe();
    if (!read_options(program, argc, argv, &program->status)) {
        goto out;
    }
    (void)tlr_cli_raise_descriptor_limit(); /* a refusal shows in time */
    program->status = TLR_CLI_STATUS_USAGE;
    if (resolve(program->target, &program->crowd.plan.target) != 0 ||
        resolve_sources(program) != 0) {
        goto out;
    }
    program->status = TLR_CLI_STATUS_OK;
    int err = uv_loop_init(&loop);
    TLR_CLI_CHECK(err == 0);
    run(program, &loop);
    err = uv_loop_close(&loop);
    TLR_CLI_CHECK(err == 0);
out:
    err = program->status;
    free(program);
    return err;
}
