/* SPDX-License-Identifier: MIT */
/* The limits of connections, and what TLR_AUTO comes to for each. */
#include "server.h"

#include "handoff.h"

/* Descriptors that are left to the program: a part of all, or so many. */
#define PROGRAMS_PART 32
#define PROGRAMS_LEAST 8

/* TLR_AUTO limits a peer's connections where there may be so many in all. */
#define PEERS_FROM 1000

/* As many as there can be descriptors for; 0: there is no limit. */
static unsigned connections_at_most(void)
{
    uint64_t limit;
    uint64_t taken;
    uint64_t left;

    if (!tlr_handoff_descriptors(&limit, &taken)) {
        return 0;
    }
    left = limit / PROGRAMS_PART;
    taken += left < PROGRAMS_LEAST ? PROGRAMS_LEAST : left;
    left = limit > taken ? limit - taken : 1;
    return left < TLR_AUTO ? (unsigned)left : 0;
}

/* Twice an even share: so that they need not come evenly. */
static uint64_t share(uint64_t connections, unsigned workers)
{
    return (2 * connections + workers - 1) / workers;
}

/*
 * What the limit for a peer is for is a server that many share. With few
 * connections an eighth is nothing, and whoever is alone there should wait like
 * others at max_connections, and not be reset.
 */
static unsigned most_of(unsigned connections)
{
    return connections < PEERS_FROM ? 0 : connections - connections / 8;
}

static void set_peers_limit(struct tlr_server *server, unsigned connections)
{
    struct tlr_peers *peers = &server->door.peers;

    peers->but_loopback = server->max_per_peer == TLR_AUTO;
    peers->most = server->max_per_peer == TLR_AUTO ? most_of(connections)
                                                   : server->max_per_peer;
}

void tlr_server_set_limits(struct tlr_server *server)
{
    struct tlr_pool *pool = &server->pool;
    unsigned connections = server->max_connections;
    unsigned i;

    if (connections == TLR_AUTO) {
        connections = connections_at_most();
    }
    pool->limit = connections;
    pool->worker_limit = server->max_per_worker == TLR_AUTO
                             ? share(connections, pool->count)
                             : server->max_per_worker;
    set_peers_limit(server, connections);
    for (i = 0; tlr_endpoints_are_workers(server) && i < pool->count; i++) {
        pool->workers[i].limit = pool->worker_limit;
    }
    atomic_store(&server->limited, true);
}
