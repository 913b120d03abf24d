/* SPDX-License-Identifier: MIT */
/*
 * The connections of one loop, and what they share: the port, the read
 * buffers, the deadlines, the counters.
 *
 * Part of a worker. Set up before its thread starts, then used on that thread
 * only, but for the tally.
 */
#ifndef TLR_CONNS_H
#define TLR_CONNS_H

#include "buffers.h"
#include "deadlines.h"
#include "list.h"
#include "port.h"
#include "tally.h"
#include "teller.h"

/*
 * What the connections of a server have in common. Owned by the server, does
 * not change once it runs, outlives every worker.
 */
struct tlr_config {
    struct tlr_handler handler;
    struct tlr_allocator allocator;
    size_t conn_data_size;
    size_t read_buffer;
    void *user;
};

struct tlr_conns;

typedef void (*tlr_conns_cb)(struct tlr_conns *conns);

struct tlr_conns {
    const struct tlr_config *config;
    uv_loop_t *loop;
    uintptr_t thread; /* tlr_handoff_thread_id() of the owner */
    unsigned index;   /* the worker's number */
    unsigned handles; /* of port and lingering, not closed yet */
    struct tlr_list all;
    struct tlr_port port;
    struct tlr_buffers buffers;
    struct tlr_deadlines lingering;
    tlr_conns_cb on_gone;   /* a connection ended, or could not be opened */
    tlr_conns_cb on_closed; /* after tlr_conns_close() */
    bool draining;          /* each that opens is told at once */
    char sink[1024];        /* for what is dropped, when memory is out */
    struct tlr_tally tally;
};

/*
 * What can fail: allocates. Taken back by tlr_conns_unreserve(), or later by
 * tlr_conns_close(). Borrows `config`. UV_ENOMEM.
 */
int tlr_conns_reserve(struct tlr_conns *conns, const struct tlr_config *config);
void tlr_conns_unreserve(struct tlr_conns *conns);

/* Then what cannot: puts two handles on the loop. */
void tlr_conns_init(struct tlr_conns *conns, uv_loop_t *loop, unsigned index,
                    tlr_conns_cb on_gone, tlr_conns_cb on_closed);

/* Every connection has to be gone. on_closed follows. */
void tlr_conns_close(struct tlr_conns *conns);

bool tlr_conns_empty(const struct tlr_conns *conns);

/*
 * The following are called between tlr_port_enter() and tlr_port_leave().
 */

/*
 * Opens an accepted socket here, and takes it; on_open is called before it
 * returns. When that fails the socket is closed and counted as refused. In
 * either case on_gone is called once, now or later.
 */
void tlr_conns_open(struct tlr_conns *conns, uv_os_sock_t sock);

/* Calls on_drain for every open connection, and for each that opens later. */
void tlr_conns_drain(struct tlr_conns *conns);

/* tlr_conn_stop() for every connection. */
void tlr_conns_stop(struct tlr_conns *conns);

#endif
