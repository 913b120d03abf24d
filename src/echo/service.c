/* SPDX-License-Identifier: MIT */
/* See service.h, and sd_notify(3) for what is said. */
#include "service.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* While it drains: it may take so much longer, from each time on. */
#define MORE_TIME "EXTEND_TIMEOUT_USEC=5000000"

#define AGAIN 50       /* milliseconds after which something is said again */
#define TRIES_MOST 100 /* so often: 5 seconds */

/*
 * A manager that does not listen is no reason not to serve. If this is lost it
 * is soon said anew.
 */
static void say(const struct tlr_echo_service *service, const char *lines)
{
    if (!service->left) {
        (void)tlr_cli_systemd_notify(&service->systemd, lines);
    }
}

static void stop_insisting(struct tlr_echo_service *service)
{
    service->tries = 0;
    (void)uv_timer_stop(&service->again); /* always 0 */
    if (!service->open) {
        uv_close((uv_handle_t *)&service->again, NULL); /* it was the last */
    }
}

static bool has_no_room(int err)
{
    return err == UV_EAGAIN || err == UV_ENOBUFS; /* Linux; BSD */
}

static void on_again(uv_timer_t *timer)
{
    struct tlr_echo_service *service = timer->data;
    int err = tlr_cli_systemd_notify(&service->systemd, service->unsaid);

    service->tries--;
    if (!has_no_room(err) || service->tries == 0) {
        stop_insisting(service);
    }
}

/*
 * Something that is said once, and that the manager would end the service
 * without: again, while its queue is full. In place of what is unsaid so far.
 */
static void insist(struct tlr_echo_service *service, const char *lines)
{
    stop_insisting(service);
    if (has_no_room(tlr_cli_systemd_notify(&service->systemd, lines))) {
        (void)snprintf(service->unsaid, sizeof(service->unsaid), "%s", lines);
        service->tries = TRIES_MOST;
        (void)uv_timer_start(&service->again, on_again, AGAIN,
                             AGAIN); /* cannot fail: cb set */
    }
}

static void init_timer(struct tlr_echo_service *service, uv_loop_t *loop,
                       uv_timer_t *timer)
{
    (void)uv_timer_init(loop, timer); /* always 0 */
    timer->data = service;
    uv_unref((uv_handle_t *)timer);
}

unsigned tlr_echo_service_stall_time(const struct tlr_echo_service *service,
                                     unsigned asked)
{
    uint64_t half = service->systemd.watchdog / 2;

    if (half == 0 || (asked != 0 && asked <= half)) {
        return asked;
    }
    return half < UINT_MAX ? (unsigned)half : UINT_MAX;
}

static bool is_stuck(const struct tlr_echo_service *service)
{
    uint64_t now = uv_hrtime();
    unsigned i;

    for (i = 0; i < TLR_ECHO_WORKERS_MOST; i++) {
        uint64_t since = service->stalled[i];

        if (since != 0 &&
            (now - since) / 1000000 >= service->systemd.watchdog) {
            return true;
        }
    }
    return false;
}

static void on_alive(uv_timer_t *timer)
{
    struct tlr_echo_service *service = timer->data;

    if (!is_stuck(service)) {
        say(service, "WATCHDOG=1");
    }
}

/* For the last line of a notice. */
static const char *sign_of_life(const struct tlr_echo_service *service)
{
    return service->systemd.watchdog > 0 ? "\nWATCHDOG=1" : "";
}

/*
 * MAINPID: after a takeover this is not the process that was started first. The
 * manager may not have been told yet by that one, and then heeds nothing of
 * this: the next sign comes after a quarter of the time to the one after it, so
 * that even a process before this one that gave none when it left, and has been
 * silent for half of the manager's time, leaves no gap.
 */
void tlr_echo_service_ready(struct tlr_echo_service *service, uv_loop_t *loop,
                            unsigned addresses)
{
    uint64_t half = service->systemd.watchdog / 2;
    char lines[128];

    (void)snprintf(lines, sizeof(lines),
                   "READY=1\nMAINPID=%d\nSTATUS=serving on %u address%s%s",
                   (int)uv_os_getpid(), addresses, addresses == 1 ? "" : "es",
                   sign_of_life(service));
    init_timer(service, loop, &service->alive);
    init_timer(service, loop, &service->again);
    service->open = true;
    insist(service, lines);
    if (service->systemd.watchdog > 0) {
        half = half == 0 ? 1 : half;
        (void)uv_timer_start(&service->alive, on_alive, half / 4,
                             half); /* cannot fail: cb set */
    }
}

void tlr_echo_service_stall(struct tlr_echo_service *service, unsigned worker,
                            uint64_t ms, bool over)
{
    uint64_t now = uv_hrtime();

    if (worker < TLR_ECHO_WORKERS_MOST) {
        service->stalled[worker] =
            over ? 0 : (now > ms * 1000000 ? now - ms * 1000000 : 1);
    }
}

void tlr_echo_service_draining(struct tlr_echo_service *service,
                               uint64_t open)
{
    char lines[128];

    (void)snprintf(lines, sizeof(lines),
                   "STOPPING=1\n" MORE_TIME "\nSTATUS=draining: %" PRIu64
                   " connection%s open",
                   open, open == 1 ? "" : "s");
    if (!service->left) {
        stop_insisting(service); /* it is not ready any more */
    }
    say(service, lines);
}

/*
 * That the main process is another now has to come from the main process, or
 * from one that the unit lets speak (NotifyAccess=). And before it ends: the
 * manager reads what was said before it looks at who has ended. Its time goes on
 * from this process's last sign, whoever the main one is: so there is one more,
 * and all of the time is the new one's. READY=1 changes nothing for a manager
 * that has been told, and this may be in place of a READY=1 yet unsaid.
 */
void tlr_echo_service_leave(struct tlr_echo_service *service, int64_t pid)
{
    char lines[64];

    (void)snprintf(lines, sizeof(lines), "READY=1\nMAINPID=%" PRId64 "%s", pid,
                   sign_of_life(service));
    insist(service, lines);
    service->left = true;
}

void tlr_echo_service_close(struct tlr_echo_service *service)
{
    if (service->open) {
        service->open = false;
        uv_close((uv_handle_t *)&service->alive, NULL);
        if (service->tries == 0) {
            uv_close((uv_handle_t *)&service->again, NULL);
        } else {
            uv_ref((uv_handle_t *)&service->again); /* it closes itself */
        }
    }
}
