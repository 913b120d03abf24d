/* SPDX-License-Identifier: MIT */
/* See port.h. */
#include "port.h"

#include "check.h"
#include "list.h"

/* Completions delivered before the loop gets its turn. */
#define BATCH 256

static void on_idle(uv_idle_t *idle)
{
    struct tlr_port *port = TLR_CONTAINER_OF(idle, struct tlr_port, idle);

    tlr_port_enter(port);
    tlr_port_leave(port);
    if (port->first == &port->end) {
        (void)uv_idle_stop(idle); /* always 0 */
    }
}

void tlr_port_init(struct tlr_port *port, uv_loop_t *loop,
                   tlr_port_cb deliver)
{
    TLR_CHECK(uv_idle_init(loop, &port->idle) == 0);
    port->deliver = deliver;
    port->first = &port->end;
    port->last = &port->end;
    port->entered = false;
}

void tlr_port_close(struct tlr_port *port, uv_close_cb cb)
{
    TLR_CHECK(port->first == &port->end);
    uv_close((uv_handle_t *)&port->idle, cb);
}

void tlr_port_wake(struct tlr_port *port)
{
    (void)uv_idle_start(&port->idle, on_idle); /* cannot fail: cb set */
}

static struct tlr_port_entry *pop(struct tlr_port *port)
{
    struct tlr_port_entry *entry = port->first;

    port->first = entry->next;
    if (port->first == &port->end) {
        port->last = &port->end;
    }
    entry->next = NULL;
    return entry;
}

void tlr_port_leave(struct tlr_port *port)
{
    unsigned left = BATCH;

    while (port->first != &port->end && left-- > 0) {
        port->deliver(pop(port));
    }
    port->entered = false;
    if (port->first != &port->end) {
        tlr_port_wake(port);
    }
}
