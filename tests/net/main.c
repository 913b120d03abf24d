/* SPDX-License-Identifier: MIT */
/*
 * teller-bad-proxy: a network to be had everywhere that is slow, uneven and
 * breaks (flow.h). For tests: it proves nothing by itself, changes no byte, and
 * ends by itself after --time. It prints where it listens, a line of JSON for
 * each connection that it breaks, and its figures when it is stopped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/address.h"
#include "cli/check.h"
#include "cli/json.h"
#include "cli/limits.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "flow.h"

enum { SECOND = 1000, BACKLOG = 511, OUT_OF_TIME = 3 };

struct program {
    struct proxy proxy;
    const char *target;
    const char *listen;
    uint64_t time_ms;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t time;
    struct tlr_cli_signals signals;
    int status;
};

static bool read_options(
    struct program *program, int argc, char **argv, int *status)
{
    struct plan *plan = &program->proxy.plan;
    const struct tlr_cli_option options[] = {
        {.name = "--listen", .argument = "ADDRESS",
            .help = "where to listen; 127.0.0.1:0 by default",
            .apply = tlr_cli_apply_string, .target = &program->listen},
        {.name = "--seed", .argument = "N",
            .help = "the same one has the same happen; 1 by default",
            .apply = tlr_cli_apply_number, .target = &plan->seed,
            .max = UINT64_MAX},
        {.name = "--delay", .argument = "SECONDS", .help = "each way",
            .apply = tlr_cli_apply_seconds, .target = &plan->delay_ms,
            .max = 60 * SECOND},
        {.name = "--jitter", .argument = "SECONDS",
            .help = "up to so much more delay",
            .apply = tlr_cli_apply_seconds, .target = &plan->jitter_ms,
            .max = 60 * SECOND},
        {.name = "--piece", .argument = "BYTES",
            .help = "pass on in pieces of 1 to so many bytes",
            .apply = tlr_cli_apply_size, .target = &plan->piece, .min = 1,
            .max = 65536},
        {.name = "--rate", .argument = "BYTES",
            .help = "pass on so many bytes a second each way",
            .apply = tlr_cli_apply_size, .target = &plan->rate, .min = 1,
            .max = UINT64_C(1) << 40},
        {.name = "--stall", .argument = "SECONDS",
            .help = "pass on nothing for so long, now and then",
            .apply = tlr_cli_apply_seconds, .target = &plan->stall_ms,
            .max = 3600 * SECOND},
        {.name = "--stall-every", .argument = "BYTES",
            .help = "how often: 16K by default, on average",
            .apply = tlr_cli_apply_size, .target = &plan->stall_every,
            .min = 1, .max = UINT64_C(1) << 40},
        {.name = "--cut", .argument = "PERCENT",
            .help = "of the connections to end by FIN in mid-stream",
            .apply = tlr_cli_apply_number, .target = &plan->cut_percent,
            .max = 100},
        {.name = "--reset", .argument = "PERCENT",
            .help = "of the connections to end by RST",
            .apply = tlr_cli_apply_number, .target = &plan->reset_percent,
            .max = 100},
        {.name = "--within", .argument = "BYTES",
            .help = "at which byte at the latest; 4K by default",
            .apply = tlr_cli_apply_size, .target = &plan->break_within,
            .min = 1, .max = UINT64_C(1) << 40},
        {.name = "--time", .argument = "SECONDS",
            .help = "fail after so long; 60 by default",
            .apply = tlr_cli_apply_seconds, .target = &program->time_ms,
            .min = 1, .max = 24 * 3600 * SECOND},
    };
    const struct tlr_cli_option positionals[] = {
        {.name = "ADDRESS", .help = "the target",
            .apply = tlr_cli_apply_string, .target = &program->target},
    };
    const struct tlr_cli_program cli = {
        .name = "teller-bad-proxy",
        .version = "of the tests",
        .summary = "A TCP proxy that is a bad network, for tests.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = positionals,
        .positional_count = 1,
    };
    program->listen = "127.0.0.1:0";
    program->time_ms = 60 * SECOND;
    plan->seed = 1;
    plan->stall_every = 16 * 1024;
    plan->break_within = 4096;
    return tlr_cli_begin(&cli, argc, argv, status);
}

/* ---- what it says ---- */

static void on_break(
    uint64_t pair, enum ending ending, bool to_client, uint64_t at)
{
    (void)printf("{\"event\":\"%s\",\"pair\":%" PRIu64
                 ",\"flow\":\"to %s\",\"at\":%" PRIu64 "}\n",
        ending == ENDING_RESET ? "reset" : "cut", pair,
        to_client ? "client" : "target", at);
}

static void print_summary(const struct tally *tally)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_string(&json, "event", "summary");
    tlr_cli_json_u64(&json, "accepted", tally->accepted);
    tlr_cli_json_u64(&json, "refused", tally->refused);
    tlr_cli_json_u64(&json, "whole", tally->whole);
    tlr_cli_json_u64(&json, "cut", tally->cut);
    tlr_cli_json_u64(&json, "reset", tally->reset);
    tlr_cli_json_u64(&json, "broken", tally->broken);
    tlr_cli_json_u64(&json, "left", tally->left);
    tlr_cli_json_u64(&json, "stalls", tally->stalls);
    tlr_cli_json_u64(&json, "pieces", tally->pieces);
    tlr_cli_json_u64(&json, "to_target", tally->to_target);
    tlr_cli_json_u64(&json, "to_client", tally->to_client);
    tlr_cli_json_close(&json);
    tlr_cli_text_add(&text, "\n");
    (void)tlr_cli_text_print(&text, stdout); /* whoever reads it misses it */
    tlr_cli_text_free(&text);
}

static int complain(const char *what, int err)
{
    (void)fprintf(
        stderr, "teller-bad-proxy: %s: %s\n", what, uv_strerror(err));
    return TLR_CLI_STATUS_FAILURE;
}

/* ---- start and end ---- */

static void stop(struct program *program)
{
    if (uv_is_closing((uv_handle_t *)&program->time)) {
        return;
    }
    proxy_stop(&program->proxy);
    uv_close((uv_handle_t *)&program->listener, NULL);
    uv_close((uv_handle_t *)&program->time, NULL);
    tlr_cli_signals_close(&program->signals, NULL);
}

static void on_signal(struct tlr_cli_signals *signals, unsigned times)
{
    (void)times;
    stop(signals->data);
}

static void on_time(uv_timer_t *timer)
{
    struct program *program = timer->data;
    (void)fprintf(stderr, "teller-bad-proxy: out of time (--time)\n");
    program->status = OUT_OF_TIME;
    stop(program);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct program *program = listener->data;
    if (status == 0) {
        status = proxy_accept(&program->proxy, listener);
    }
    if (status != 0) {
        program->status = complain("cannot accept", status);
    }
}

static int resolve(const char *text, struct sockaddr_storage *address)
{
    struct tlr_cli_addresses addresses = {0};
    struct tlr_cli_text complaint = {0};
    int err = tlr_cli_resolve(text, "127.0.0.1", &addresses, &complaint);
    if (err != 0) {
        (void)fprintf(stderr, "teller-bad-proxy: %s\n",
            tlr_cli_text_get(&complaint));
    } else {
        *address = addresses.items[0];
        tlr_cli_addresses_free(&addresses);
    }
    tlr_cli_text_free(&complaint);
    return err;
}

static int begin_listening(struct program *program)
{
    struct sockaddr_storage address;
    int length = sizeof(address);
    char text[TLR_CLI_ADDRESS_LENGTH];
    int err = resolve(program->listen, &address);
    if (err == 0) {
        err = uv_tcp_bind(
            &program->listener, (const struct sockaddr *)&address, 0);
    }
    if (err == 0) {
        err = uv_listen(
            (uv_stream_t *)&program->listener, BACKLOG, on_connection);
    }
    if (err == 0) {
        err = uv_tcp_getsockname(
            &program->listener, (struct sockaddr *)&address, &length);
    }
    if (err == 0) {
        (void)printf("listening on %s\n",
            tlr_cli_format_address((const struct sockaddr *)&address, text));
        (void)fflush(stdout); /* whoever reads it misses it */
    }
    return err;
}

static void start(struct program *program)
{
    int err = uv_tcp_init(&program->loop, &program->listener);
    TLR_CLI_CHECK(err == 0); /* makes no descriptor, so it cannot fail */
    (void)uv_timer_init(&program->loop, &program->time); /* always 0 */
    program->listener.data = program;
    program->time.data = program;
    program->signals.data = program;
    program->proxy.loop = &program->loop;
    program->proxy.on_break = on_break;
    err = tlr_cli_signals_init(&program->signals, &program->loop, on_signal);
    if (err == 0) {
        err = resolve(program->target, &program->proxy.plan.target);
    }
    if (err == 0) {
        err = begin_listening(program);
    }
    if (err != 0) {
        program->status = complain("cannot start", err);
        stop(program);
        return;
    }
    (void)uv_timer_start(
        &program->time, on_time, program->time_ms, 0); /* cb is set */
}

int main(int argc, char **argv)
{
    static struct program program;
    tlr_cli_ignore_sigpipe();
    if (!read_options(&program, argc, argv, &program.status)) {
        return program.status;
    }
    (void)tlr_cli_raise_descriptor_limit(); /* a refusal shows in time */
    int err = uv_loop_init(&program.loop);
    if (err != 0) {
        return complain("cannot start", err);
    }
    start(&program);
    (void)uv_run(&program.loop, UV_RUN_DEFAULT); /* until all is closed */
    print_summary(&program.proxy.tally);
    err = uv_loop_close(&program.loop);
    TLR_CLI_CHECK(err == 0);
    return program.status;
}
