/* SPDX-License-Identifier: MIT */
/*
 * teller-echo: reads its options, starts a server on its own loop, waits for a
 * signal, drains, says how it went.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/limits.h"
#include "cli/signals.h"
#include "echo.h"
#include "listen.h"
#include "options.h"
#include "report.h"

#define PROGRESS 1000 /* milliseconds between lines while it drains */

struct program {
    struct tlr_echo_options options;
    struct tlr_echo_report report;
    struct tlr_server *server;
    struct tlr_cli_signals signals;
    uv_timer_t stats;
    uv_timer_t progress; /* of a drain */
    uv_loop_t loop;
};

static int say(const char *what, int err)
{
    (void)fprintf(stderr, "teller-echo: %s: %s (%s)\n", what, uv_strerror(err),
            uv_err_name(err));
    return TLR_CLI_STATUS_FAILURE;
}

static void on_progress(uv_timer_t *timer)
{
    struct program *program = timer->data;

    tlr_echo_report_progress(&program->report);
}

static void on_stop_asked(struct tlr_cli_signals *signals, unsigned times)
{
    struct program *program = signals->data;
    uint64_t deadline = times == 1 ? program->options.drain : 0;

    if (times <= 2) {
        tlr_echo_report_draining(&program->report, deadline);
    }
    tlr_server_drain(program->server, deadline);
    if (times == 1) { /* cannot fail: cb set */
        (void)uv_timer_start(&program->progress, on_progress, PROGRESS,
                             PROGRESS);
    }
}

static void on_stats(uv_timer_t *timer)
{
    struct program *program = timer->data;

    tlr_echo_report_figures(&program->report);
}

static void on_stall(struct tlr_server *server, unsigned worker,
                     uint64_t milliseconds, int over)
{
    struct program *program = tlr_server_user(server);

    tlr_echo_report_stall(&program->report, worker, milliseconds, over != 0);
}

static void on_warning(struct tlr_server *server,
                       const struct tlr_warning *warning)
{
    struct program *program = tlr_server_user(server);

    tlr_echo_report_warning(&program->report, warning);
}

/* What is left on the loop is ours: close it, and the loop ends. */
static void on_stopped(struct tlr_server *server)
{
    struct program *program = tlr_server_user(server);

    tlr_echo_report_summary(&program->report);
    tlr_cli_signals_close(&program->signals, NULL);
    uv_close((uv_handle_t *)&program->stats, NULL);
    uv_close((uv_handle_t *)&program->progress, NULL);
}

static void fill_limits(const struct tlr_echo_options *from,
                        struct tlr_options *options)
{
    options->max_connections = (unsigned)from->max_connections;
    options->max_per_worker = (unsigned)from->max_per_worker;
    options->max_per_peer = (unsigned)from->max_per_peer;
    options->accept_rate = (unsigned)from->accept_rate;
    options->accept_burst = (unsigned)from->accept_burst;
    options->at_limit = (enum tlr_at_limit)from->at_limit;
    options->access = from->access.items;
    options->access_count = from->access.count;
    options->max_queued = (size_t)from->max_queued;
    options->idle_timeout = (unsigned)from->idle_timeout;
    options->write_timeout = (unsigned)from->write_timeout;
    options->write_rate = (unsigned)from->write_rate;
    options->max_lifetime = (unsigned)from->max_lifetime;
}

static void fill_options(struct program *program, struct tlr_options *options)
{
    tlr_options_init(options, sizeof(*options));
    tlr_echo_handler(&options->handler);
    options->loops = program->options.loops;
    options->balance = (enum tlr_balance)program->options.balance;
    options->backlog = (int)program->options.backlog;
    fill_limits(&program->options, options);
    options->read_buffer = (size_t)program->options.read_buffer;
    options->user = program;
    options->on_stopped = on_stopped;
    options->on_stall = on_stall;
    options->on_warning = on_warning;
}

static int create(struct program *program)
{
    struct tlr_options options;
    int err;

    fill_options(program, &options);
    err = tlr_server_create(&program->server, &program->loop, &options);
    if (err == UV_ENOTSUP) {
        (void)fprintf(stderr, "teller-echo: --balance reuseport is for Linux: "
                              "here choose least or rr\n");
        return TLR_CLI_STATUS_USAGE;
    }
    return err == 0 ? TLR_CLI_STATUS_OK : say("cannot create the server", err);
}

static int listen_everywhere(struct program *program)
{
    struct tlr_cli_text complaint = {0};
    int err = 0;
    size_t i;

    for (i = 0; i < program->options.listen.count && err == 0; i++) {
        err = tlr_echo_listen(program->server,
                              program->options.listen.items[i], &complaint);
    }
    if (err == 0) {
        return TLR_CLI_STATUS_OK;
    }
    (void)fprintf(stderr, "teller-echo: %s\n", tlr_cli_text_get(&complaint));
    tlr_cli_text_free(&complaint);
    return err == UV_EINVAL ? TLR_CLI_STATUS_USAGE : TLR_CLI_STATUS_FAILURE;
}

static int watch_signals(struct program *program)
{
    int err;

    program->signals.data = program;
    err = tlr_cli_signals_init(&program->signals, &program->loop,
                               on_stop_asked);
    if (err != 0) {
        tlr_cli_signals_close(&program->signals, NULL);
    }
    return err;
}

/* Both handles keep working until on_stopped closes them. */
static int start(struct program *program)
{
    int err = watch_signals(program);

    if (err == 0) {
        err = tlr_server_start(program->server);
        if (err != 0) {
            tlr_cli_signals_close(&program->signals, NULL);
        }
    }
    if (err != 0) {
        return say("cannot start the server", err);
    }
    (void)uv_timer_init(&program->loop, &program->stats); /* always 0 */
    (void)uv_timer_init(&program->loop, &program->progress);
    program->stats.data = program;
    program->progress.data = program;
    if (program->options.stats > 0) {
        (void)uv_timer_start(&program->stats, on_stats, program->options.stats,
                             program->options.stats); /* cannot fail: cb set */
    }
    tlr_echo_report_init(&program->report, program->server,
                         program->options.json, program->options.quiet);
    tlr_echo_report_listening(&program->report, program->options.loops);
    return TLR_CLI_STATUS_OK;
}

static int serve(struct program *program)
{
    int status = create(program);

    if (status == TLR_CLI_STATUS_OK) {
        status = listen_everywhere(program);
    }
    if (status == TLR_CLI_STATUS_OK) {
        status = start(program);
    }
    (void)uv_run(&program->loop, UV_RUN_DEFAULT); /* until all is closed */
    tlr_server_destroy(program->server);
    (void)uv_run(&program->loop, UV_RUN_DEFAULT); /* a failed start's rest */
    return status;
}

int main(int argc, char **argv)
{
    struct program *program = calloc(1, sizeof(*program));
    const char **items = calloc((size_t)argc + 1, sizeof(*items));
    int status = TLR_CLI_STATUS_FAILURE;
    int err = UV_ENOMEM;

    tlr_cli_ignore_sigpipe();
    if (program != NULL && items != NULL) {
        if (!tlr_echo_options_read(&program->options, items, argc, argv,
                                   &status)) {
            goto out;
        }
        (void)tlr_cli_raise_descriptor_limit(); /* serves with what it has */
        err = uv_loop_init(&program->loop);
    }
    if (err != 0) {
        status = say("cannot start", err);
        goto out;
    }
    status = serve(program);
    err = uv_loop_close(&program->loop);
    if (err != 0) {
        status = say("something was left on the loop", err);
    }
out:
    if (program != NULL) {
        tlr_echo_options_free(&program->options);
    }
    free(items);
    free(program);
    return status;
}
