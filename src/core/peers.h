/* SPDX-License-Identifier: MIT */
/*
 * How many connections each peer has, a peer being an address or, by its first
 * bits, a network of them.
 *
 * Part of a server's door. Any thread may add and take away; a lock is held for
 * a few instructions. A peer is allocated with its first connection and freed
 * with its last.
 */
#ifndef TLR_PEERS_H
#define TLR_PEERS_H

#include "access.h"

struct tlr_peer;

struct tlr_peers {
    const struct tlr_allocator *allocator;
    unsigned most;        /* connections of one peer; 0: not counted */
    bool but_loopback;    /* this machine's own addresses are not counted */
    unsigned prefix_ipv4; /* how many bits of an address make a peer */
    unsigned prefix_ipv6;
    uint64_t key[2];      /* of the hash: peers cannot choose their bucket */
    uv_mutex_t mutex;
    /* Under the mutex: */
    size_t count;
    struct tlr_peer **buckets;
    size_t size;           /* of these, a power of 2; 0: none yet */
    struct tlr_peer **old; /* being moved to `buckets`, or NULL */
    size_t old_size;
    size_t moved; /* of the old buckets */
};

/* Fills in one that is all zeroes. What uv_mutex_init() says. */
int tlr_peers_init(struct tlr_peers *peers,
                   const struct tlr_allocator *allocator);

/* There must be none left. */
void tlr_peers_close(struct tlr_peers *peers);

/*
 * One more connection of the peer that has this address; *peer is for
 * tlr_peers_release(), and may be NULL. UV_ENOBUFS: it has `most` already;
 * UV_ENOMEM.
 */
int tlr_peers_add(struct tlr_peers *peers, struct tlr_number address,
                  struct tlr_peer **peer);

/* One less. NULL is ignored. */
void tlr_peers_release(struct tlr_peers *peers, struct tlr_peer *peer);

#endif
