/* SPDX-License-Identifier: MIT */
/*
 * An echo server inside another program that runs a libuv loop: what the
 * modules of all these hosts share. One for each loop, or several.
 *
 * It is compiled with teller's own sources, with the headers of libuv and
 * without a libuv: each uv_*() is left to be found in the host (see hosts.sh).
 *
 * All functions are for the thread that runs the host's loop. The memory of a
 * server is its own until `stopped`, and nothing may be called after that.
 */
#ifndef EMBED_MODULE_H
#define EMBED_MODULE_H

#include "teller.h"

#if defined(_WIN32)
#define EMBED_EXTERN __declspec(dllexport)
#else
#define EMBED_EXTERN __attribute__((visibility("default")))
#endif

struct embed;

/* What the server tells, on the host's thread; each may be NULL. */
struct embed_events {
    void (*listening)(void *user, int port);
    /* So many connections have ended; at every `stats_every`-th. */
    void (*stats)(void *user, const struct tlr_counters *counters);
    /* The last: nothing of the server is left. */
    void (*stopped)(void *user, const struct tlr_counters *counters);
    /* tlr_options.trampoline */
    void (*trampoline)(void (*call)(void *argument), void *argument,
                       void *user);
    void *user;
};

/*
 * Starts to serve on 127.0.0.1, on a port that the system chooses, with so many
 * loops of its own; `events` is copied. Returns NULL and a UV_E* code in *err if
 * that fails; then nothing is told.
 */
EMBED_EXTERN struct embed *embed_start(uv_loop_t *loop, int loops,
                                       unsigned stats_every,
                                       const struct embed_events *events,
                                       int *err);
EMBED_EXTERN int embed_port(const struct embed *embed);
EMBED_EXTERN void embed_stats(const struct embed *embed,
                              struct tlr_counters *counters);

/* Whether the server keeps the host's loop running: at first it does. */
EMBED_EXTERN void embed_ref(struct embed *embed);
EMBED_EXTERN void embed_unref(struct embed *embed);

/* Drains for so many milliseconds, then `stopped` follows. */
EMBED_EXTERN void embed_stop(struct embed *embed, unsigned deadline);

/*
 * The same, and returns when no thread is left: for a host whose loop will not
 * run again, or only to close what is on it. Nothing is told any more, `stopped`
 * included, for what would listen may be gone by then.
 */
EMBED_EXTERN int embed_stop_wait(struct embed *embed, unsigned deadline);

#endif
