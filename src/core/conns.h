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

#include "budget.h"
#include "buffers.h"
#include "deadlines.h"
#include "ids.h"
#include "list.h"
#include "port.h"
#include "tally.h"
#include "teller.h"

/* With the number of a worker behind it, and the 0 at the end. */
#define TLR_THREAD_NAME_SIZE 64

/*
 * What the connections of a server have in common. Owned by the server, does
 * not change once it runs, outlives every worker.
 */
struct tlr_config {
    struct tlr_server *server;
    struct tlr_door *door; /* shared, and it does change; NULL in some tests */
    struct tlr_budget *budget; /* likewise */
    struct tlr_handler handler;
    struct tlr_allocator allocator;
    size_t conn_data_size;
    size_t worker_data_size;
    size_t read_buffer;
    size_t mailbox;
    size_t send_queue;
    size_t low_water;
    size_t high_water;
    size_t stack_size;
    uint64_t first_serial;    /* of ids */
    unsigned idle_timeout;    /* the timeouts: milliseconds */
    unsigned read_timeout;
    unsigned write_timeout;
    unsigned max_lifetime;
    unsigned lifetime_grace;
    unsigned write_rate;      /* bytes a second */
    unsigned jitter;          /* percent */
    bool held; /* workers' own listeners wait for TLR_ORDER_ACCEPT */
    char thread_name[TLR_THREAD_NAME_SIZE];
    void *user;
    void (*on_worker_start)(struct tlr_server *server, unsigned worker);
    void (*on_worker_end)(struct tlr_server *server, unsigned worker);
    void (*trampoline)(void (*call)(void *argument), void *argument,
                       void *user);
    int (*resolve)(struct tlr_server *server, struct tlr_id id,
                   const char *node, const char *service);
};

/* Calls a callback of the program's on the host loop's thread. */
static inline void tlr_config_call(const struct tlr_config *config,
                                   void (*call)(void *argument),
                                   void *argument)
{
    if (config->trampoline != NULL) {
        config->trampoline(call, argument, config->user);
    } else {
        call(argument);
    }
}

/* Any thread: see tlr_options.on_warning. error: a UV_E* code, or 0. */
void tlr_config_warn(const struct tlr_config *config,
                     enum tlr_warning_kind kind, int error);

struct tlr_conns;
struct tlr_peer;

typedef void (*tlr_conns_cb)(struct tlr_conns *conns);

/*
 * counted: room was reserved for it: it was accepted or adopted. peer: whose it
 * was, or NULL.
 */
typedef void (*tlr_conns_gone_cb)(struct tlr_conns *conns, bool counted,
                                  struct tlr_peer *peer);

struct tlr_conns {
    const struct tlr_config *config;
    uv_loop_t *loop;
    uintptr_t thread; /* tlr_handoff_thread_id() of the owner */
    unsigned index;   /* the worker's number */
    unsigned handles; /* of port, deadlines and highest, not closed yet */
    struct tlr_list all;
    struct tlr_port port;
    struct tlr_buffers buffers;
    struct tlr_deadlines deadlines;
    struct tlr_ids ids;
    struct tlr_spending spending;
    size_t timeouts_at; /* behind a connection; 0: it has none */
    uint64_t random;    /* the last number, for their jitter */
    uv_tcp_t highest; /* see tlr_watchers_grow(); closing from the start */
    tlr_conns_cb on_first;     /* while draining: one, and there was none */
    tlr_conns_gone_cb on_gone; /* one ended, or could not be opened */
    tlr_conns_cb on_closed; /* after tlr_conns_close() */
    bool on_host;           /* the loop is the host's */
    bool foreign;           /* the loop is not the library's own */
    bool unreferenced;      /* none of our handles keeps the loop alive */
    bool draining;          /* each that opens is told at once */
    bool stopping;          /* nothing opens any more */
    char sink[1024];        /* for what is dropped, when memory is out */
    struct tlr_tally tally;
};

/*
 * What can fail: allocates. Taken back by tlr_conns_unreserve(), or later by
 * tlr_conns_close(). Borrows `config`. UV_ENOMEM.
 */
int tlr_conns_reserve(struct tlr_conns *conns, const struct tlr_config *config);
void tlr_conns_unreserve(struct tlr_conns *conns);

/* Then what cannot: puts its handles on the loop. */
void tlr_conns_init(struct tlr_conns *conns, uv_loop_t *loop, unsigned index,
                    tlr_conns_gone_cb on_gone, tlr_conns_cb on_closed);

/* Whether handles on the loop keep it alive, those to come included. */
void tlr_conns_ref(struct tlr_conns *conns, bool ref);

/* The same for one of them. */
void tlr_conns_ref_handle(const struct tlr_conns *conns, uv_handle_t *handle);

/*
 * Calls a callback of the program's: through the trampoline on the host's loop.
 */
static inline void tlr_conns_call(const struct tlr_conns *conns,
                                  void (*call)(void *argument),
                                  void *argument)
{
    if (conns->on_host) {
        tlr_config_call(conns->config, call, argument);
    } else {
        call(argument);
    }
}

/* Every connection has to be gone. on_closed follows. */
void tlr_conns_close(struct tlr_conns *conns);

bool tlr_conns_empty(const struct tlr_conns *conns);

/*
 * The following are called between tlr_port_enter() and tlr_port_leave().
 */

/*
 * Opens a connected socket here, and takes it; on_open is called before it
 * returns. When that fails the socket is closed with RST and counted as refused.
 * In either case on_gone is called once, now or later, with `peer`.
 */
void tlr_conns_open(struct tlr_conns *conns, uv_os_sock_t sock,
                    struct tlr_peer *peer);

/* Calls on_drain for every open connection, and for each that opens later. */
void tlr_conns_drain(struct tlr_conns *conns);

/* tlr_conn_stop() for every connection. */
void tlr_conns_stop(struct tlr_conns *conns);

#endif
