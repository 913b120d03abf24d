/* SPDX-License-Identifier: MIT */
/*
 * DIALING: the addresses are tried in turn, from the one that worked last on, each
 * with a socket of its own; REDIALING is the time in which that of the last one
 * closes. The first that accepts makes the session READY; if none does, it fails
 * with what the last one said.
 */
#include <string.h>

#include "cli/check.h"
#include "cli/sockets.h"
#include "parts.h"

static void on_redial(uv_handle_t *tcp)
{
    struct tlr_load_session *session = tcp->data;
    if (!session->finishing) {
        tlr_load_session_dial(session);
        return;
    }
    tlr_load_session_enter(session, TLR_LOAD_CLOSED);
    session->context->on_closed(session);
}

static enum tlr_load_cause cause_of(int err)
{
    switch (err) {
    case UV_ECONNREFUSED:
        return TLR_LOAD_REFUSED;
    case UV_ETIMEDOUT:
        return TLR_LOAD_TIMEOUT;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOMEM:
    case UV_ENOBUFS:
    case UV_EADDRNOTAVAIL:
    case UV_EADDRINUSE:
        return TLR_LOAD_MACHINE;
    default:
        return TLR_LOAD_UNCONNECTED;
    }
}

/* What mends it. */
static const char *remedy_of(int err)
{
    switch (err) {
    case UV_EMFILE:
        return "; raise this process's limit of open files (ulimit -n), or use "
               "fewer connections";
    case UV_ENFILE:
        return "; raise the system's limit of open files (fs.file-max)";
    case UV_EADDRNOTAVAIL:
    case UV_EADDRINUSE: /* from bind(), where --source is given */
        return "; no local port is left, or a --source is no address of this "
               "machine: give more addresses to --source, or raise "
               "net.ipv4.ip_local_port_range";
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return "; the system has no memory for more sockets: use fewer "
               "connections or smaller buffers";
    default:
        return "";
    }
}

bool tlr_load_dial_next(struct tlr_load_session *session)
{
    if (session->finishing ||
        session->tries >= session->context->plan->address_count) {
        return false;
    }
    tlr_load_session_enter(session, TLR_LOAD_REDIALING);
    uv_close((uv_handle_t *)&session->tcp, on_redial);
    return true;
}

void tlr_load_dial_failed(struct tlr_load_session *session, int err)
{
    if (tlr_load_dial_next(session)) {
        return;
    }
    tlr_load_session_fail(session, cause_of(err), ": cannot connect (%s)%s",
        uv_strerror(err), remedy_of(err));
}

/* From when it was due, where connecting is what is measured. */
static void record_connect(struct tlr_load_session *session, uint64_t now)
{
    struct tlr_load_context *context = session->context;
    const struct tlr_load_plan *plan = context->plan;
    uint64_t from = plan->rate > 0 && tlr_load_plan_dials_late(plan)
                        ? tlr_load_schedule_due(&context->schedule,
                              session->slot, session->begun)
                        : session->since;
    if (from >= context->figures_from) {
        tlr_load_histogram_add(
            &context->figures->latency[TLR_LOAD_CONNECTING], now - from);
    }
}

/* TCP connects one to itself whose own port is that of nobody's address (on a
 * machine's own addresses, and by chance): all that is sent comes back. */
static bool is_self(const uv_tcp_t *tcp)
{
    struct sockaddr_storage here = {0};
    struct sockaddr_storage there = {0};
    int size = sizeof(here);
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&here, &size) != 0) {
        return false; /* reading tells */
    }
    size = sizeof(there);
    return uv_tcp_getpeername(tcp, (struct sockaddr *)&there, &size) == 0 &&
           memcmp(&here, &there, sizeof(here)) == 0;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct tlr_load_session *session = request->handle->data;
    struct tlr_load_context *context = session->context;
    if (session->state != TLR_LOAD_DIALING) {
        return; /* closing: cancelled */
    }
    if (status == 0 && is_self(&session->tcp)) {
        status = UV_ECONNREFUSED;
    }
    if (status == 0 && context->plan->mode != TLR_LOAD_HALF_CLOSE) {
        status = tlr_load_session_read(session);
    }
    if (status != 0) {
        tlr_load_dial_failed(session, status);
        return;
    }
    uint64_t now = uv_hrtime();
    record_connect(session, now);
    tlr_load_session_enter(session, TLR_LOAD_READY);
    session->since = now;
    session->tries = 0;
    context->open++;
    context->tally->connected++;
    context->tally->reached |= tlr_load_tally_reached(session->address);
    context->address = session->address;
    context->on_ready(session);
}

static int set_options(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    uv_handle_t *handle = (uv_handle_t *)&session->tcp;
    int receive = (int)plan->receive_buffer;
    int send = (int)plan->send_buffer;
    int err = 0;
    if (receive != 0) {
        err = uv_recv_buffer_size(handle, &receive);
    }
    if (err == 0 && send != 0) {
        err = uv_send_buffer_size(handle, &send);
    }
    /* Only a delay is lost if it fails. */
    (void)uv_tcp_nodelay(&session->tcp, !plan->delay);
    return err;
}

static const struct sockaddr *source_for(
    const struct tlr_load_session *session, int family)
{
    const struct tlr_load_plan *plan = session->context->plan;
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct sockaddr_storage *source =
            &plan->sources[(session->number + i) % plan->source_count];
        if (source->ss_family == family) {
            return (const struct sockaddr *)source;
        }
    }
    return NULL;
}

/* With a socket at once, for some options hold from the handshake on. */
static int open_socket(struct tlr_load_session *session, int family)
{
    uv_loop_t *loop = session->context->loop;
    int err = uv_tcp_init_ex(loop, &session->tcp, (unsigned)family);
    if (err != 0) {
        int again = uv_tcp_init(loop, &session->tcp);
        TLR_CLI_CHECK(again == 0); /* makes no socket, so it cannot fail */
        session->tcp.data = session;
        return err;
    }
    session->tcp.data = session;
    err = set_options(session);
    const struct sockaddr *source = source_for(session, family);
    if (err == 0 && source != NULL) {
        err = tlr_cli_bind_address(&session->tcp, source);
    }
    return err;
}

void tlr_load_session_dial(struct tlr_load_session *session)
{
    struct tlr_load_context *context = session->context;
    const struct tlr_load_plan *plan = context->plan;
    session->address = (uint16_t)(session->tries == 0
                                      ? context->address
                                      : (session->address + 1u) %
                                            plan->address_count);
    const struct sockaddr *address =
        (const struct sockaddr *)&plan->addresses[session->address];
    session->since = uv_hrtime();
    session->session += session->tries == 0;
    session->tries++;
    session->reading = false;
    session->failed = false;
    session->dialled = true;
    tlr_load_session_enter(session, TLR_LOAD_DIALING);
    int err = open_socket(session, address->sa_family);
    if (err == 0) {
        err = uv_tcp_connect(
            &session->request.connect, &session->tcp, address, on_connected);
    }
    if (err != 0) {
        tlr_load_dial_failed(session, err);
    }
}
