/* SPDX-License-Identifier: MIT */
/* See conns.h. */
#include "conns.h"

#include "check.h"
#include "conn.h"
#include "door.h"
#include "handoff.h"
#include "watchers.h"

int tlr_conns_reserve(struct tlr_conns *conns, const struct tlr_config *config)
{
    conns->config = config;
    conns->timeouts_at = tlr_conn_timeouts_at(config);
    return tlr_buffers_init(&conns->buffers, &config->allocator,
                            config->read_buffer);
}

void tlr_conns_unreserve(struct tlr_conns *conns)
{
    tlr_buffers_close(&conns->buffers);
}

static void on_highest_closed(uv_handle_t *handle);

void tlr_conns_init(struct tlr_conns *conns, uv_loop_t *loop, unsigned index,
                    tlr_conns_gone_cb on_gone, tlr_conns_cb on_closed)
{
    conns->loop = loop;
    conns->index = index;
    conns->on_gone = on_gone;
    conns->on_closed = on_closed;
    conns->handles = 2;
    conns->random = uv_hrtime() ^ (uintptr_t)conns ^ 1;
    tlr_list_init(&conns->all);
    tlr_port_init(&conns->port, loop, tlr_conn_deliver);
    tlr_deadlines_init(&conns->deadlines, loop);
    tlr_ids_init(&conns->ids, &conns->config->allocator,
                 conns->config->first_serial);
    conns->handles +=
        tlr_watchers_grow(loop, &conns->highest, on_highest_closed);
}

static void handle_closed(struct tlr_conns *conns)
{
    conns->handles--;
    if (conns->handles == 0) {
        tlr_ids_close(&conns->ids);
        tlr_buffers_close(&conns->buffers);
        conns->on_closed(conns);
    }
}

static void on_idle_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_conns, port.idle));
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_conns, deadlines.timer));
}

static void on_highest_closed(uv_handle_t *handle)
{
    handle_closed(TLR_CONTAINER_OF(handle, struct tlr_conns, highest));
}

void tlr_conns_close(struct tlr_conns *conns)
{
    TLR_CHECK(tlr_conns_empty(conns));
    tlr_port_close(&conns->port, on_idle_closed);
    tlr_deadlines_close(&conns->deadlines, on_timer_closed);
}

bool tlr_conns_empty(const struct tlr_conns *conns)
{
    return tlr_list_empty(&conns->all);
}

void tlr_conns_open(struct tlr_conns *conns, uv_os_sock_t sock,
                    struct tlr_peer *peer)
{
    int err = tlr_conn_open(conns, sock, peer);

    if (err == 0) {
        return;
    }
    tlr_tally_add(&conns->tally.refused, 1);
    if (err == UV_ENOMEM) {
        tlr_tally_add(&conns->tally.refused_memory, 1);
        tlr_config_warn(conns->config, TLR_WARNING_MEMORY, err);
    }
    tlr_handoff_reset(sock);
}

void tlr_config_warn(const struct tlr_config *config,
                     enum tlr_warning_kind kind, int error)
{
    if (config->door != NULL) {
        tlr_warnings_note(&config->door->warnings, kind, error);
    }
}

/* Ending a connection never takes it off the list before its callback. */
static void each(struct tlr_conns *conns, void (*call)(struct tlr_conn *conn))
{
    struct tlr_list *link;

    for (link = conns->all.next; link != &conns->all; link = link->next) {
        call(TLR_CONTAINER_OF(link, struct tlr_conn, link));
    }
}

void tlr_conns_drain(struct tlr_conns *conns)
{
    conns->draining = true;
    each(conns, tlr_conn_drain);
}

void tlr_conns_ref_handle(const struct tlr_conns *conns, uv_handle_t *handle)
{
    if (conns->unreferenced) {
        uv_unref(handle);
    } else {
        uv_ref(handle);
    }
}

void tlr_conns_ref(struct tlr_conns *conns, bool ref)
{
    struct tlr_list *link;

    conns->unreferenced = !ref;
    tlr_conns_ref_handle(conns, (uv_handle_t *)&conns->port.idle);
    tlr_conns_ref_handle(conns, (uv_handle_t *)&conns->deadlines.timer);
    for (link = conns->all.next; link != &conns->all; link = link->next) {
        tlr_conn_ref(TLR_CONTAINER_OF(link, struct tlr_conn, link));
    }
}

void tlr_conns_stop(struct tlr_conns *conns)
{
    each(conns, tlr_conn_stop);
}
