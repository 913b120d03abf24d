/* SPDX-License-Identifier: MIT */
/*
 * See peers.h.
 *
 * A table of chains. The hash has a key that nobody outside knows (SipHash,
 * Aumasson and Bernstein 2012, with 1 and 3 rounds, for 16 bytes): else peers
 * with many addresses, as everyone with IPv6 is, could all fall into one chain.
 * A table that has become too small, or far too large, is replaced bit by bit,
 * some chains with each call, so that no connection waits for all of it. Without
 * memory for a larger one the chains become longer, and nothing else happens.
 */
#include "peers.h"

#include <string.h>

#include "check.h"

#define SIZE_LEAST 64
#define MOVES 16 /* old chains, with each call: done before it is due again */

struct tlr_peer {
    struct tlr_peer *next;
    struct tlr_number network;
    unsigned open;
};

/* ---- the hash ------------------------------------------------------- */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash(const struct tlr_peers *peers, struct tlr_number number)
{
    uint64_t v[4] = {peers->key[0] ^ 0x736f6d6570736575u,
                     peers->key[1] ^ 0x646f72616e646f6du,
                     peers->key[0] ^ 0x6c7967656e657261u,
                     peers->key[1] ^ 0x7465646279746573u};
    int i;

    sip_word(v, number.high);
    sip_word(v, number.low);
    sip_word(v, (uint64_t)16 << 56); /* how many bytes that were */
    v[2] ^= 0xff;
    for (i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The system's random numbers; if there are none, what is hard to guess. */
static void make_key(struct tlr_peers *peers)
{
    if (uv_random(NULL, NULL, peers->key, sizeof(peers->key), 0, NULL) != 0) {
        peers->key[0] = uv_hrtime();
        peers->key[1] = (uint64_t)(uintptr_t)peers;
    }
}

/* ---- the table ------------------------------------------------------ */

static struct tlr_peer **chain_in(struct tlr_peer **buckets, size_t size,
                                  uint64_t hashed)
{
    return &buckets[hashed & (size - 1)];
}

/* Where a peer is that is there: an old chain counts until it is moved. */
static struct tlr_peer **chain(struct tlr_peers *peers, uint64_t hashed)
{
    if (peers->old != NULL &&
        (hashed & (peers->old_size - 1)) >= peers->moved) {
        return chain_in(peers->old, peers->old_size, hashed);
    }
    return chain_in(peers->buckets, peers->size, hashed);
}

static void move_chain(struct tlr_peers *peers, struct tlr_peer *peer)
{
    while (peer != NULL) {
        struct tlr_peer *next = peer->next;
        struct tlr_peer **to =
            chain_in(peers->buckets, peers->size, hash(peers, peer->network));

        peer->next = *to;
        *to = peer;
        peer = next;
    }
}

static void move_some(struct tlr_peers *peers)
{
    unsigned i;

    for (i = 0; i < MOVES && peers->old != NULL; i++) {
        move_chain(peers, peers->old[peers->moved++]);
        if (peers->moved == peers->old_size) {
            tlr_free(peers->allocator, peers->old);
            peers->old = NULL;
        }
    }
}

static bool resize(struct tlr_peers *peers, size_t size)
{
    struct tlr_peer **buckets =
        tlr_calloc(peers->allocator, size * sizeof(struct tlr_peer *));

    if (buckets == NULL) {
        return false;
    }
    peers->old = peers->buckets;
    peers->old_size = peers->size;
    peers->moved = 0;
    peers->buckets = buckets;
    peers->size = size;
    return true;
}

/* As many chains as peers, or up to eight times as many. */
static void fit(struct tlr_peers *peers)
{
    move_some(peers);
    if (peers->old != NULL) {
        return;
    }
    if (peers->count > peers->size) {
        (void)resize(peers, peers->size * 2); /* it works without */
    } else if (peers->size > SIZE_LEAST && peers->count < peers->size / 8) {
        (void)resize(peers, peers->size / 2);
    }
}

/* ---- counting ------------------------------------------------------- */

static struct tlr_number network_of(const struct tlr_peers *peers,
                                    struct tlr_number address)
{
    unsigned prefix = tlr_number_is_ipv4(address) ? 96 + peers->prefix_ipv4
                                                  : peers->prefix_ipv6;

    return tlr_number_network(address, prefix);
}

static struct tlr_peer *find(struct tlr_peer *peer, struct tlr_number network)
{
    while (peer != NULL && (peer->network.low != network.low ||
                            peer->network.high != network.high)) {
        peer = peer->next;
    }
    return peer;
}

static struct tlr_peer *add_new(struct tlr_peers *peers,
                                struct tlr_peer **chain,
                                struct tlr_number network)
{
    struct tlr_peer *peer = tlr_malloc(peers->allocator, sizeof(*peer));

    if (peer != NULL) {
        peer->network = network;
        peer->open = 0;
        peer->next = *chain;
        *chain = peer;
        peers->count++;
    }
    return peer;
}

/* Under the mutex. */
static int add(struct tlr_peers *peers, struct tlr_number network,
               struct tlr_peer **added)
{
    struct tlr_peer **at;
    struct tlr_peer *peer;

    if (peers->size == 0 && !resize(peers, SIZE_LEAST)) {
        return UV_ENOMEM;
    }
    fit(peers);
    at = chain(peers, hash(peers, network));
    peer = find(*at, network);
    if (peer != NULL && peer->open >= peers->most) {
        return UV_ENOBUFS;
    }
    if (peer == NULL) {
        peer = add_new(peers, at, network);
    }
    if (peer == NULL) {
        return UV_ENOMEM;
    }
    peer->open++;
    *added = peer;
    return 0;
}

/* 127.0.0.0/8, ::1 */
static bool is_loopback(struct tlr_number address)
{
    return tlr_number_is_ipv4(address)
               ? ((address.low >> 24) & 0xff) == 127
               : address.high == 0 && address.low == 1;
}

int tlr_peers_add(struct tlr_peers *peers, struct tlr_number address,
                  struct tlr_peer **peer)
{
    int err;

    *peer = NULL;
    if (peers->most == 0 || (peers->but_loopback && is_loopback(address))) {
        return 0;
    }
    uv_mutex_lock(&peers->mutex);
    err = add(peers, network_of(peers, address), peer);
    uv_mutex_unlock(&peers->mutex);
    return err;
}

/* Under the mutex. */
static void remove_last(struct tlr_peers *peers, struct tlr_peer *peer)
{
    struct tlr_peer **at = chain(peers, hash(peers, peer->network));

    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    peers->count--;
    tlr_free(peers->allocator, peer);
    fit(peers);
}

void tlr_peers_release(struct tlr_peers *peers, struct tlr_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    uv_mutex_lock(&peers->mutex);
    peer->open--;
    if (peer->open == 0) {
        remove_last(peers, peer);
    }
    uv_mutex_unlock(&peers->mutex);
}

int tlr_peers_init(struct tlr_peers *peers,
                   const struct tlr_allocator *allocator)
{
    peers->allocator = allocator;
    make_key(peers);
    return uv_mutex_init(&peers->mutex);
}

void tlr_peers_close(struct tlr_peers *peers)
{
    TLR_CHECK(peers->count == 0);
    tlr_free(peers->allocator, peers->old);
    tlr_free(peers->allocator, peers->buckets);
    uv_mutex_destroy(&peers->mutex);
}
