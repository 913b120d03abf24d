/* SPDX-License-Identifier: MIT */
/*
 * The queue of completed operations of one loop: the completion port.
 *
 * An operation that finishes inside the call that asked for it is not
 * reported from there: it is posted here, and the queue is emptied as soon as
 * the libuv callback that is running returns to us. So handlers never re-enter
 * themselves, the stack does not grow, and no turn of the loop is spent.
 *
 *     static void some_uv_cb(…) { tlr_port_enter(p); … ; tlr_port_leave(p); }
 *
 * What is posted outside of such a callback (the user's own timer called
 * tlr_write(), say), or is still queued after a long run of completions (a
 * handler that writes for ever to a quick peer must not starve the others), is
 * delivered on the loop's next turn, by an idle handle.
 *
 * Owned by a worker and used on its thread only. Allocates nothing: an entry
 * is a member of what completed.
 */
#ifndef TLR_PORT_H
#define TLR_PORT_H

#include <stdbool.h>

#include <uv.h>

#include "check.h"

struct tlr_port_entry {
    struct tlr_port_entry *next; /* NULL: not queued */
};

/* Delivers what completed; may post again. */
typedef void (*tlr_port_cb)(struct tlr_port_entry *entry);

struct tlr_port {
    uv_idle_t idle;               /* active while something is left over */
    tlr_port_cb deliver;
    struct tlr_port_entry *first; /* the end of the queue is `end` itself */
    struct tlr_port_entry *last;
    struct tlr_port_entry end;
    bool entered;                 /* between enter and leave */
};

/* Puts the idle handle on the loop; `deliver` gets every entry. */
void tlr_port_init(struct tlr_port *port, uv_loop_t *loop,
                   tlr_port_cb deliver);

/* Closes the idle handle; the queue has to be empty. */
void tlr_port_close(struct tlr_port *port, uv_close_cb cb);

static inline void tlr_port_enter(struct tlr_port *port)
{
    TLR_CHECK(!port->entered);
    port->entered = true;
}

void tlr_port_leave(struct tlr_port *port);

/* Has the idle handle deliver on the loop's next turn. */
void tlr_port_wake(struct tlr_port *port);

/* Queues an entry; harmless if it is queued already. */
static inline void tlr_port_post(struct tlr_port *port,
                                 struct tlr_port_entry *entry)
{
    if (entry->next != NULL) {
        return;
    }
    entry->next = &port->end;
    if (port->last == &port->end) {
        port->first = entry;
    } else {
        port->last->next = entry;
    }
    port->last = entry;
    if (!port->entered) {
        tlr_port_wake(port);
    }
}

#endif
