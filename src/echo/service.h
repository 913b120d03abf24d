/* SPDX-License-Identifier: MIT */
/*
 * The program as a service of systemd's: what it tells its manager, and when.
 *
 * On the host loop. Signs of life are sent from there, so that it has to turn
 * for them, and not while a worker has been stalled for as long as the manager
 * would wait for one: then it is for the manager to act.
 */
#ifndef TLR_ECHO_SERVICE_H
#define TLR_ECHO_SERVICE_H

#include "cli/systemd.h"

#define TLR_ECHO_WORKERS_MOST 1024

struct tlr_echo_service {
    struct tlr_cli_systemd systemd;
    uv_timer_t alive;
    uv_timer_t again;  /* says `unsaid`, and once more */
    unsigned tries;    /* that are left for it; 0: there is nothing unsaid */
    char unsaid[128];
    bool open; /* the timers are on the loop */
    bool left; /* another process is the service now */
    uint64_t stalled[TLR_ECHO_WORKERS_MOST]; /* since uv_hrtime(); 0: no */
};

/*
 * tlr_options.stall_time, in milliseconds, where `asked` is what the user wants:
 * a loop that is stuck has to be noticed before the manager's time is up, even
 * if the user would not have it looked for (0).
 */
unsigned tlr_echo_service_stall_time(const struct tlr_echo_service *service,
                                     unsigned asked);

/* It serves. Puts timers on the loop, which keep it not alive. */
void tlr_echo_service_ready(struct tlr_echo_service *service, uv_loop_t *loop,
                            unsigned addresses);

/* A worker has not turned for so many milliseconds; over: it does again. */
void tlr_echo_service_stall(struct tlr_echo_service *service, unsigned worker,
                            uint64_t ms, bool over);

/* It drains: said at the beginning, and once a second or more often. */
void tlr_echo_service_draining(struct tlr_echo_service *service,
                               uint64_t open);

/* Process `pid` is the service from now on: this one is silent. */
void tlr_echo_service_leave(struct tlr_echo_service *service, int64_t pid);

/*
 * Closes the timers, if there are any. While the manager has no room for what
 * it has to know one of them stays, and keeps the loop alive: up to 5 seconds.
 */
void tlr_echo_service_close(struct tlr_echo_service *service);

#endif
