/* SPDX-License-Identifier: MIT */
/*
 * The door of a server: whom its listeners let in, and what they count.
 *
 * Owned by the server, shared by all of its listeners, on whatever threads they
 * are. The order of the questions is that of their cost: whether there is room
 * and whether it is not too soon, before accept(); who it is, and how many of
 * them there are, right after it and before anything is allocated for the
 * connection.
 */
#ifndef TLR_DOOR_H
#define TLR_DOOR_H

#include "access.h"
#include "bucket.h"
#include "listener.h"
#include "peers.h"
#include "warnings.h"

/* Why one is turned away. */
enum tlr_refusal {
    TLR_REFUSED_ACCESS,
    TLR_REFUSED_PEER,
    TLR_REFUSED_LIMIT,
    TLR_REFUSED_RATE,
    TLR_REFUSED_MEMORY,
    TLR_REFUSALS
};

/* What the listeners of one loop have counted: its thread writes. */
struct tlr_door_tally {
    _Atomic uint64_t refused[TLR_REFUSALS];
    _Atomic uint64_t accept_errors;
    _Atomic uint64_t out_of_descriptors;
    _Atomic uint64_t out_of_memory;
    _Atomic uint64_t waited_limit;
    _Atomic uint64_t waited_rate;
};

struct tlr_door {
    struct tlr_access access;
    struct tlr_bucket bucket;
    struct tlr_peers peers;
    struct tlr_warnings warnings;
    enum tlr_at_limit at_limit;
};

/*
 * Fills in one that is all zeroes; peers.most may be set later. UV_ENOMEM, or
 * what uv_mutex_init() says.
 */
int tlr_door_init(struct tlr_door *door, const struct tlr_allocator *allocator,
                  const struct tlr_options *options);

/* When all connections are gone. */
void tlr_door_close(struct tlr_door *door,
                    const struct tlr_allocator *allocator);

/*
 * Before accept(). ticket->worker: where there is room, or NULL. When that is
 * not NULL afterwards the room is used, else it is not, and the caller's to give
 * back. emptying: the accept rate does not count: the peers are in the kernel's
 * queue of a listener that is about to close, and would be reset.
 */
enum tlr_admission tlr_door_admit(struct tlr_door *door,
                                  struct tlr_door_tally *tally,
                                  struct tlr_ticket *ticket, bool emptying);

/* Nothing was there. */
void tlr_door_dismiss(struct tlr_door *door, const struct tlr_ticket *ticket);

/*
 * After accept(). True: it comes in, and *peer is for tlr_door_leave(). Else the
 * socket has been closed with RST, and counted.
 */
bool tlr_door_enter(struct tlr_door *door, struct tlr_door_tally *tally,
                    const struct tlr_ticket *ticket, uv_os_sock_t sock,
                    const struct sockaddr_storage *address,
                    struct tlr_peer **peer);

/*
 * One that did not come through a listener. UV_ENOBUFS: max_per_peer;
 * UV_ENOMEM.
 */
int tlr_door_adopt(struct tlr_door *door,
                   const struct sockaddr_storage *address,
                   struct tlr_peer **peer);

/* Any thread. */
static inline void tlr_door_leave(struct tlr_door *door, struct tlr_peer *peer)
{
    if (peer != NULL) {
        tlr_peers_release(&door->peers, peer);
    }
}

/* tlr_listener_callbacks.trouble */
void tlr_door_trouble(struct tlr_door *door, struct tlr_door_tally *tally,
                      enum tlr_accept_result result, int err);

/* Adds what was counted to the counters. */
void tlr_door_tally_read(const struct tlr_door_tally *tally,
                         struct tlr_counters *counters);

#endif
