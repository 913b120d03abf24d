/* SPDX-License-Identifier: MIT */
/*
 * The way of a session that goes well: NEW, DIALING, READY, RUNNING, ENDING,
 * CLOSING, CLOSED. While RUNNING, each message that is back lets the next one
 * go, so that `depth` of them are on the way. The end of the server's stream is
 * right only when all is back and our own end was sent.
 *
 * It fails by calling fail(), which counts the cause and closes. A wrong byte
 * takes the way by EXAMINING: whose bytes came instead is told from a few of
 * them, and TCP may deliver those one by one.
 */
#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/sockets.h"
#include "diagnosis.h"
#include "pattern.h"

struct tlr_load_evidence {
    size_t size;
    uint8_t bytes[TLR_LOAD_EVIDENCE];
};

/* How long to wait for more bytes after a wrong one. */
enum { EXAMINE_MS = 200 };

#define BIT(state) (1u << TLR_LOAD_##state)
static const unsigned successors[TLR_LOAD_STATES] = {
    [TLR_LOAD_NEW] = BIT(DIALING) | BIT(CLOSED),
    [TLR_LOAD_DIALING] = BIT(REDIALING) | BIT(READY) | BIT(CLOSING),
    [TLR_LOAD_REDIALING] = BIT(DIALING) | BIT(CLOSED),
    [TLR_LOAD_READY] = BIT(RUNNING) | BIT(EXAMINING) | BIT(CLOSING),
    [TLR_LOAD_RUNNING] = BIT(ENDING) | BIT(EXAMINING) | BIT(CLOSING),
    [TLR_LOAD_EXAMINING] = BIT(CLOSING),
    [TLR_LOAD_ENDING] = BIT(EXAMINING) | BIT(CLOSING),
    [TLR_LOAD_CLOSING] = BIT(CLOSED),
};

static void enter(struct tlr_load_session *session, enum tlr_load_state state)
{
    TLR_CLI_CHECK((successors[session->state] & 1u << state) != 0);
    session->state = (uint8_t)state;
}

static void touch(struct tlr_load_session *session)
{
    session->progress_at = uv_now(session->context->loop);
}

static struct tlr_load_session *session_of(void *tcp)
{
    return ((uv_handle_t *)tcp)->data;
}

static void close_session(struct tlr_load_session *session);

/* Counts the failure and closes. The line begins with the connection's number;
 * `format` goes on. */
static void fail(struct tlr_load_session *session, enum tlr_load_cause cause,
    const char *format, ...)
{
    struct tlr_load_context *context = session->context;
    char line[TLR_LOAD_PROBLEM_LENGTH];
    va_list args;
    int length =
        snprintf(line, sizeof(line), "connection %" PRIu32, session->number);
    TLR_CLI_CHECK(length > 0 && (size_t)length < sizeof(line));
    va_start(args, format);
    /* A line that is too long is cut off, which a reader survives. */
    (void)vsnprintf(
        line + length, sizeof(line) - (size_t)length, format, args);
    va_end(args);
    context->tally->errors[cause]++;
    (void)tlr_load_problems_add(context->problems, line); /* counted anyway */
    close_session(session);
}

static void on_session_closed(uv_handle_t *tcp)
{
    struct tlr_load_session *session = session_of(tcp);
    free(session->evidence);
    session->evidence = NULL;
    enter(session, TLR_LOAD_CLOSED);
    session->context->on_closed(session);
}

static void close_session(struct tlr_load_session *session)
{
    enter(session, TLR_LOAD_CLOSING);
    uv_close((uv_handle_t *)&session->tcp, on_session_closed);
}

/* ---- a wrong byte ---- */

static void conclude(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    char text[TLR_LOAD_DIAGNOSIS_LENGTH];
    uint64_t position = session->received;
    uint8_t expected;
    tlr_load_pattern_fill(session->number, position, &expected, 1);
    struct tlr_load_diagnosis diagnosis =
        tlr_load_diagnose(session->number, position, bytes, size,
            session->context->plan->connections);
    tlr_load_diagnosis_text(&diagnosis, session->number, text);
    if (position >= session->sent) {
        fail(session, TLR_LOAD_SURPLUS,
            ": surplus: more came back than the %" PRIu64 " bytes sent; %s",
            session->sent, text);
    } else {
        fail(session, TLR_LOAD_WRONG,
            ": byte %" PRIu64 " is wrong (expected 0x%02x, got 0x%02x): %s",
            position, expected, bytes[0], text);
    }
}

static void conclude_evidence(struct tlr_load_session *session)
{
    conclude(session, session->evidence->bytes, session->evidence->size);
}

static void examine(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    struct tlr_load_evidence *evidence = session->evidence;
    size_t room = TLR_LOAD_EVIDENCE - evidence->size;
    size_t length = size < room ? size : room;
    memcpy(evidence->bytes + evidence->size, bytes, length);
    evidence->size += length;
    if (evidence->size == TLR_LOAD_EVIDENCE) {
        conclude_evidence(session);
    }
}

/* The first of these bytes is wrong. */
static void suspect(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    if (size < TLR_LOAD_EVIDENCE) {
        session->evidence = calloc(1, sizeof(*session->evidence));
    }
    if (session->evidence == NULL) {
        conclude(session, bytes, size);
        return;
    }
    enter(session, TLR_LOAD_EXAMINING);
    examine(session, bytes, size);
}

/* ---- sending ---- */

static void send_more(struct tlr_load_session *session);

/* Our end goes out when all is back. The union of requests is free then: a
 * write may be complete for the peer and its callback still to come. */
static void end_if_all_is_back(struct tlr_load_session *session)
{
    if (session->state != TLR_LOAD_RUNNING || session->chunk != NULL ||
        session->received < session->end) {
        return;
    }
    enter(session, TLR_LOAD_ENDING);
    int err = uv_shutdown(&session->request.shutdown,
        (uv_stream_t *)&session->tcp, NULL); /* reading tells how it went */
    if (err != 0) {
        fail(session, TLR_LOAD_RESET,
            ": broken off when all %" PRIu64 " bytes were back (%s)",
            session->received, uv_strerror(err));
    }
}

static void write_failed(struct tlr_load_session *session, int err)
{
    fail(session, err == UV_ENOMEM ? TLR_LOAD_OTHER : TLR_LOAD_RESET,
        ": broken off while sending (%s) when %" PRIu64 " of %" PRIu64
        " bytes were back",
        uv_strerror(err), session->received, session->sent);
}

static void on_written(uv_write_t *request, int status)
{
    struct tlr_load_session *session = session_of(request->handle);
    tlr_load_chunk_put(&session->context->spare, session->chunk);
    session->chunk = NULL;
    if (session->state == TLR_LOAD_CLOSING) {
        return;
    }
    touch(session);
    if (session->state == TLR_LOAD_EXAMINING) {
        return;
    }
    if (status != 0) {
        write_failed(session, status);
        return;
    }
    send_more(session);
    end_if_all_is_back(session);
}

/* Notes when the messages that begin before `position` were sent. */
static void stamp(struct tlr_load_session *session, uint64_t position)
{
    const struct tlr_load_plan *plan = session->context->plan;
    if (session->begun * plan->size >= position) {
        return;
    }
    uint64_t now = uv_hrtime();
    while (session->begun * plan->size < position) {
        session->stamps[session->begun % plan->depth] = now;
        session->begun++;
    }
}

/* Writes the next `size` bytes of the stream: at once what the system takes,
 * the rest from memory of its own. */
static int send_piece(struct tlr_load_session *session, size_t size)
{
    struct tlr_load_context *context = session->context;
    uv_stream_t *stream = (uv_stream_t *)&session->tcp;
    uv_buf_t buf = uv_buf_init(context->send, (unsigned)size);
    tlr_load_pattern_fill(
        session->number, session->sent, (uint8_t *)context->send, size);
    stamp(session, session->sent + size);
    int written = uv_try_write(stream, &buf, 1);
    if (written < 0 && written != UV_EAGAIN) {
        return written;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    if (done < size) {
        session->chunk = tlr_load_chunk_get(&context->spare);
        if (session->chunk == NULL) {
            return UV_ENOMEM;
        }
        memcpy(session->chunk->bytes, context->send + done, size - done);
        buf = uv_buf_init(session->chunk->bytes, (unsigned)(size - done));
        int err =
            uv_write(&session->request.write, stream, &buf, 1, on_written);
        if (err != 0) {
            tlr_load_chunk_put(&context->spare, session->chunk);
            session->chunk = NULL;
            return err;
        }
    }
    session->sent += size;
    context->tally->bytes_sent += size;
    return 0;
}

static void send_more(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    uint64_t window = session->boundary + (plan->depth - 1) * plan->size;
    if (window > session->end) {
        window = session->end;
    }
    while (session->state == TLR_LOAD_RUNNING && session->chunk == NULL &&
           session->sent < window) {
        uint64_t left = window - session->sent;
        int err = send_piece(
            session, left < TLR_LOAD_CHUNK ? (size_t)left : TLR_LOAD_CHUNK);
        if (err != 0) {
            write_failed(session, err);
        }
    }
}

/* ---- receiving ---- */

/* Counts the messages that the bytes received so far make whole. */
static void count_round_trips(struct tlr_load_session *session)
{
    struct tlr_load_context *context = session->context;
    const struct tlr_load_plan *plan = context->plan;
    uint64_t now = uv_hrtime();
    context->tally->last_byte_at = now;
    while (session->boundary <= session->received) {
        uint64_t begun_at = session->stamps[session->back % plan->depth];
        tlr_load_histogram_add(&context->tally->latency, now - begun_at);
        context->tally->round_trips++;
        session->back++;
        session->boundary += plan->size;
    }
}

static void receive(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    struct tlr_load_tally *tally = session->context->tally;
    uint64_t owed = session->sent - session->received;
    size_t due = size < owed ? size : (size_t)owed;
    size_t right = tlr_load_pattern_verify(
        session->number, session->received, bytes, due);
    tally->bytes_received += size;
    tally->bytes_verified += right;
    session->received += right;
    if (right > 0) {
        count_round_trips(session);
    }
    if (right < size) {
        suspect(session, bytes + right, size - right);
        return;
    }
    send_more(session);
    end_if_all_is_back(session);
}

/* The server's stream ended with UV_EOF, or the connection with an error. */
static void ended(struct tlr_load_session *session, int err)
{
    uint64_t received = session->received;
    uint64_t missing = session->sent - received;
    if (session->state == TLR_LOAD_EXAMINING) {
        conclude_evidence(session);
    } else if (err == UV_EOF && session->state == TLR_LOAD_ENDING) {
        session->context->tally->whole++;
        close_session(session);
    } else if (err == UV_EOF) {
        fail(session, TLR_LOAD_MISSING,
            ": the server ended it early, after %" PRIu64 " bytes; missing "
            "%" PRIu64 " bytes",
            received, missing);
    } else if (err == UV_ECONNRESET || err == UV_ECONNABORTED) {
        fail(session, TLR_LOAD_RESET,
            ": reset by the server after %" PRIu64 " bytes; missing %" PRIu64
            " bytes",
            received, missing);
    } else {
        fail(session, err == UV_ETIMEDOUT ? TLR_LOAD_TIMEOUT : TLR_LOAD_OTHER,
            ": failed after %" PRIu64 " bytes (%s)", received,
            uv_strerror(err));
    }
}

/* One buffer serves all: libuv asks for it right before it reads into it and
 * has it read right after, on Windows too (it waits with an empty read). */
static void on_alloc(uv_handle_t *tcp, size_t suggested, uv_buf_t *buf)
{
    (void)suggested; /* ours is as large */
    *buf = uv_buf_init(session_of(tcp)->context->receive, TLR_LOAD_CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct tlr_load_session *session = session_of(stream);
    const uint8_t *bytes = (const uint8_t *)buf->base;
    if (nread == UV_EOF) {
        ended(session, tlr_cli_end_of_stream(&session->tcp));
    } else if (nread < 0) {
        ended(session, (int)nread);
    } else if (nread > 0 && session->state == TLR_LOAD_EXAMINING) {
        session->context->tally->bytes_received += (uint64_t)nread;
        examine(session, bytes, (size_t)nread);
    } else if (nread > 0) {
        touch(session);
        receive(session, bytes, (size_t)nread);
    }
}

/* ---- connecting ---- */

static void on_redial(uv_handle_t *tcp)
{
    struct tlr_load_session *session = session_of(tcp);
    if (session->end > 0) {
        tlr_load_session_dial(session);
        return;
    }
    enter(session, TLR_LOAD_CLOSED); /* was told to finish in the meantime */
    session->context->on_closed(session);
}

static void dial_failed(struct tlr_load_session *session, int err)
{
    struct tlr_load_context *context = session->context;
    const char *remedy = "";
    if (session->tries < context->plan->address_count) {
        enter(session, TLR_LOAD_REDIALING);
        uv_close((uv_handle_t *)&session->tcp, on_redial);
        return;
    }
    if (err == UV_ECONNREFUSED) {
        context->tally->refused++;
    } else if (err == UV_EMFILE || err == UV_ENFILE) {
        remedy = "; raise the limit of open files (ulimit -n)";
    } else if (err == UV_EADDRNOTAVAIL) {
        remedy = "; no local port is left, use fewer connections";
    }
    fail(session, TLR_LOAD_CONNECT, ": cannot connect (%s)%s",
        uv_strerror(err), remedy);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct tlr_load_session *session = session_of(request->handle);
    struct tlr_load_context *context = session->context;
    if (session->state != TLR_LOAD_DIALING) {
        return; /* closing: cancelled */
    }
    if (status == 0) {
        status = uv_read_start(
            (uv_stream_t *)&session->tcp, on_alloc, on_read);
    }
    if (status != 0) {
        dial_failed(session, status);
        return;
    }
    /* Only a delay is lost if it fails. */
    (void)uv_tcp_nodelay(&session->tcp, 1);
    enter(session, TLR_LOAD_READY);
    touch(session);
    session->was_ready = true;
    context->tally->connected++;
    context->address = session->address;
    context->on_ready(session);
}

void tlr_load_session_dial(struct tlr_load_session *session)
{
    struct tlr_load_context *context = session->context;
    const struct tlr_load_plan *plan = context->plan;
    session->address = session->tries == 0
                           ? context->address
                           : (session->address + 1) % plan->address_count;
    int err = uv_tcp_init(context->loop, &session->tcp);
    TLR_CLI_CHECK(err == 0); /* makes no descriptor, so it cannot fail */
    session->tcp.data = session;
    session->tries++;
    enter(session, TLR_LOAD_DIALING);
    touch(session);
    err = uv_tcp_connect(&session->request.connect, &session->tcp,
        (const struct sockaddr *)&plan->addresses[session->address], on_connected);
    if (err != 0) {
        dial_failed(session, err);
    }
}

/* ---- what the worker asks for ---- */

size_t tlr_load_session_size(const struct tlr_load_plan *plan)
{
    return sizeof(struct tlr_load_session) + plan->depth * sizeof(uint64_t);
}

void tlr_load_session_init(struct tlr_load_session *session,
    struct tlr_load_context *context, uint32_t number)
{
    const struct tlr_load_plan *plan = context->plan;
    uint64_t most = (UINT64_C(1) << 47) / plan->size; /* see pattern.h */
    uint64_t messages = plan->round_trips == 0 ? most : plan->round_trips;
    memset(session, 0, tlr_load_session_size(plan));
    session->context = context;
    session->number = number;
    session->state = TLR_LOAD_NEW;
    session->boundary = plan->size;
    session->end = plan->size * messages;
}

void tlr_load_session_go(struct tlr_load_session *session)
{
    enter(session, TLR_LOAD_RUNNING);
    touch(session);
    send_more(session);
    end_if_all_is_back(session);
}

void tlr_load_session_finish(struct tlr_load_session *session)
{
    switch (session->state) {
    case TLR_LOAD_NEW:
        enter(session, TLR_LOAD_CLOSED);
        session->context->on_closed(session);
        break;
    case TLR_LOAD_DIALING:
        close_session(session);
        break;
    case TLR_LOAD_REDIALING:
        session->end = 0;
        break;
    case TLR_LOAD_READY:
        session->end = 0;
        tlr_load_session_go(session);
        break;
    case TLR_LOAD_RUNNING:
        session->end = session->sent;
        end_if_all_is_back(session);
        break;
    default: /* ends by itself */
        break;
    }
}

void tlr_load_session_abort(struct tlr_load_session *session)
{
    if (session->state == TLR_LOAD_RUNNING &&
        session->received < session->sent) {
        fail(session, TLR_LOAD_OTHER,
            ": given up when %" PRIu64 " bytes were still missing",
            session->sent - session->received);
    } else if (session->state == TLR_LOAD_EXAMINING) {
        conclude_evidence(session);
    } else if (session->state == TLR_LOAD_READY ||
               session->state == TLR_LOAD_RUNNING ||
               session->state == TLR_LOAD_ENDING) {
        close_session(session);
    } else {
        tlr_load_session_finish(session);
    }
}

static void stalled(struct tlr_load_session *session)
{
    double seconds = (double)session->context->plan->timeout_ms / 1000;
    if (session->state == TLR_LOAD_DIALING) {
        fail(session, TLR_LOAD_CONNECT,
            ": no answer to the connect for %g s", seconds);
    } else if (session->state == TLR_LOAD_ENDING) {
        fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: all %" PRIu64 " bytes are back, but the server has "
            "not ended its side for %g s after we ended ours",
            session->received, seconds);
    } else {
        fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: stalled at byte %" PRIu64 " for %g s; missing %" PRIu64
            " bytes of %" PRIu64 " sent",
            session->received, seconds, session->sent - session->received,
            session->sent);
    }
}

void tlr_load_session_tick(struct tlr_load_session *session)
{
    uint64_t idle = uv_now(session->context->loop) - session->progress_at;
    switch (session->state) {
    case TLR_LOAD_DIALING:
    case TLR_LOAD_RUNNING:
    case TLR_LOAD_ENDING:
        if (idle >= session->context->plan->timeout_ms) {
            stalled(session);
        }
        break;
    case TLR_LOAD_EXAMINING:
        if (idle >= EXAMINE_MS) {
            conclude_evidence(session);
        }
        break;
    default:
        break;
    }
}
