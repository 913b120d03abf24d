/* SPDX-License-Identifier: MIT */
/*
 * A TCP proxy that is a bad network. A *pair* is a client's connection and the
 * one that is made to the target for it; each direction of it is a *flow*. The
 * bytes of a flow are never changed, swapped or doubled: they come late, in
 * other pieces, or not at all any more.
 *
 * What befalls a pair follows from the seed, the pair's number and positions in
 * its streams, and not from how fast anything is. A pair frees itself when its
 * handles are closed. Everything is on one loop's thread.
 */
#ifndef TLR_TESTS_FLOW_H
#define TLR_TESTS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

/* How a pair is broken: not at all, by both sides' FIN, or by RST to both. */
enum ending { ENDING_WELL, ENDING_CUT, ENDING_RESET };

struct plan {
    struct sockaddr_storage target;
    uint64_t seed;
    uint64_t delay_ms; /* each way, */
    uint64_t jitter_ms; /* and up to so much more */
    uint64_t piece; /* bytes of one write at most; 0: as they come */
    uint64_t rate; /* bytes a second, each way; 0: as they come */
    uint64_t stall_every; /* bytes from one stall to the next, on average */
    uint64_t stall_ms; /* 0: none */
    uint64_t cut_percent; /* of the pairs */
    uint64_t reset_percent;
    uint64_t break_within; /* bytes of one flow, from 1 on */
};

struct tally {
    uint64_t accepted;
    uint64_t refused; /* the target could not be reached */
    uint64_t whole; /* both flows came to their ends */
    uint64_t cut;
    uint64_t reset;
    uint64_t broken; /* by one of the two sides */
    uint64_t left; /* open when the proxy was stopped */
    uint64_t stalls;
    uint64_t pieces; /* writes */
    uint64_t to_target; /* bytes */
    uint64_t to_client;
};

struct pair;

struct proxy {
    uv_loop_t *loop;
    struct plan plan;
    struct tally tally;
    struct pair *pairs; /* the open ones */
    /* Borrowed until it returns; may be NULL. `at` is how many bytes of the
     * flow `to_client` (or to the target) were let through. */
    void (*on_break)(
        uint64_t pair, enum ending ending, bool to_client, uint64_t at);
};

/* Accepts one from `listener` and begins to dial. Returns 0 or an error: then
 * there is no pair. */
int proxy_accept(struct proxy *proxy, uv_stream_t *listener);

/* Resets all pairs that are open. */
void proxy_stop(struct proxy *proxy);

#endif
