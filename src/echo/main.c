/* SPDX-License-Identifier: MIT */
/*
 * teller-echo: reads its options, starts a server on its own loop, waits for a
 * signal, drains, says how it went.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/limits.h"
#include "cli/privileges.h"
#include "cli/signals.h"
#include "echo.h"
#include "inherit.h"
#include "listen.h"
#include "options.h"
#include "report.h"
#include "service.h"

#define PROGRESS 1000 /* milliseconds between lines while it drains */

struct program {
    struct tlr_echo_options options;
    struct tlr_echo_report report;
    struct tlr_echo_service service;
    struct tlr_server *server;
    int64_t predecessor; /* whom it has taken over from; 0: nobody */
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

/* One line, and the status that fits. */
static int complain(struct tlr_cli_text *complaint, int err)
{
    (void)fprintf(stderr, "teller-echo: %s\n", tlr_cli_text_line(complaint));
    tlr_cli_text_free(complaint);
    return err == UV_EINVAL || err == UV_ENOTSUP || err == UV_ENOTSOCK
               ? TLR_CLI_STATUS_USAGE
               : TLR_CLI_STATUS_FAILURE;
}

static uint64_t count_open(const struct program *program)
{
    struct tlr_progress progress;

    tlr_server_progress(program->server, &progress, sizeof(progress));
    return progress.open;
}

static void on_progress(uv_timer_t *timer)
{
    struct program *program = timer->data;

    tlr_echo_report_progress(&program->report);
    tlr_echo_service_draining(&program->service, count_open(program));
}

static void begin_progress(struct program *program)
{
    tlr_echo_service_draining(&program->service, count_open(program));
    /* Cannot fail: cb set. */
    (void)uv_timer_start(&program->progress, on_progress, PROGRESS, PROGRESS);
}

/*
 * systemd stops a service by a SIGTERM for each of its processes, and one more
 * for those that are left when the main one has ended. That is no reason to
 * hurry for one that has been taken over, and drains; what a person types is.
 */
static bool is_for_the_service(const struct program *program)
{
    return program->service.left && program->signals.signum == SIGTERM;
}

static void on_stop_asked(struct tlr_cli_signals *signals, unsigned times)
{
    struct program *program = signals->data;
    uint64_t deadline = times == 1 ? program->options.drain : 0;

    if (is_for_the_service(program)) {
        return;
    }
    if (times <= 2) {
        tlr_echo_report_draining(&program->report, deadline);
    }
    if (times == 1) {
        begin_progress(program);
    }
    tlr_server_drain(program->server, deadline);
}

/* Its drain has begun. */
static void on_taken_over(struct tlr_server *server, int64_t pid)
{
    struct program *program = tlr_server_user(server);

    tlr_echo_service_leave(&program->service, pid);
    tlr_echo_report_taken_over(&program->report, pid);
    tlr_echo_report_draining(&program->report, program->options.drain);
    begin_progress(program);
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
    tlr_echo_service_stall(&program->service, worker, milliseconds, over != 0);
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
    tlr_echo_service_close(&program->service);
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
    options->stall_time = tlr_echo_service_stall_time(
        &program->service, (unsigned)program->options.stall_time);
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

static int listen_on_own(struct program *program,
                         struct tlr_cli_text *complaint)
{
    const struct tlr_cli_list *listen = &program->options.listen;

    if (tlr_server_addresses(program->server) == 0) {
        tlr_echo_options_default_listen(&program->options);
    }
    return tlr_echo_listen(program->server, listen->items, listen->count,
                           complaint);
}

/*
 * Who takes over listens where the one before did: --listen is for the first
 * one. systemd's sockets are for all of them.
 */
static int get_sockets(struct program *program,
                       struct tlr_cli_text *complaint)
{
    const char *path = program->options.takeover;
    int err = 0;

    if (path != NULL) {
        err = tlr_echo_take_over(program->server, path, &program->predecessor,
                                 complaint);
    }
    if (err == 0) {
        err = tlr_echo_listen_inherited(
            program->server, &program->service.systemd, complaint);
    }
    if (err == 0 && program->predecessor == 0) {
        err = listen_on_own(program, complaint);
    }
    return err;
}

/* As root all that needs it comes first, and no thread is there before the end. */
static int listen_everywhere(struct program *program)
{
    const struct tlr_echo_options *options = &program->options;
    struct tlr_cli_text complaint = {0};
    int err = get_sockets(program, &complaint);

    if (err == 0 && options->user != NULL) {
        err = tlr_cli_become(options->user, &complaint);
    }
    if (err == 0 && options->takeover != NULL) {
        err = tlr_echo_offer(program->server, options->takeover,
                             options->drain, on_taken_over, &complaint);
    }
    return err == 0 ? TLR_CLI_STATUS_OK : complain(&complaint, err);
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
    uv_update_time(&program->loop); /* the start may have taken a while */
    if (program->options.stats > 0) {
        (void)uv_timer_start(&program->stats, on_stats, program->options.stats,
                             program->options.stats); /* cannot fail: cb set */
    }
    tlr_echo_report_init(&program->report, program->server,
                         program->options.json, program->options.quiet);
    if (program->predecessor != 0) {
        tlr_echo_report_took_over(&program->report, program->predecessor);
    }
    tlr_echo_report_listening(&program->report, program->options.loops);
    tlr_echo_service_ready(&program->service, &program->loop,
                           tlr_server_addresses(program->server));
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

static bool read_environment(struct program *program, int *status)
{
    struct tlr_cli_text complaint = {0};
    int err = tlr_cli_systemd_read(&program->service.systemd, &complaint);

    if (err != 0) {
        *status = complain(&complaint, err);
    }
    return err == 0;
}

int main(int argc, char **argv)
{
    char **args = tlr_cli_arguments(&argc, argv);
    struct program *program = calloc(1, sizeof(*program));
    const char **items = calloc((size_t)argc + 1, sizeof(*items));
    int status = TLR_CLI_STATUS_FAILURE;
    int err = UV_ENOMEM;

    tlr_cli_ignore_sigpipe();
    if (args != NULL && program != NULL && items != NULL) {
        if (!tlr_echo_options_read(&program->options, items, argc, args,
                                   &status) ||
            !read_environment(program, &status)) {
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
        tlr_cli_systemd_free(&program->service.systemd);
    }
    free(items);
    free(program);
    return status;
}
