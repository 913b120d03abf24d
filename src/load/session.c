/* SPDX-License-Identifier: MIT */
/*
 * The way of a connection that goes well: NEW, DIALING, READY, RUNNING, ENDING,
 * CLOSING, CLOSED, and from there on DIALING again if the plan says so. The end
 * of the server's stream is right only when all is back and our own end was sent.
 *
 * It fails by calling tlr_load_session_fail(), which counts the cause and closes.
 * A wrong byte takes the way by EXAMINING (examine.c).
 */
#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/check.h"
#include "cli/sockets.h"
#include "parts.h"

#define NS_PER_MS UINT64_C(1000000)

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
    [TLR_LOAD_CLOSED] = BIT(DIALING),
};

void tlr_load_session_enter(
    struct tlr_load_session *session, enum tlr_load_state state)
{
    TLR_CLI_CHECK((successors[session->state] & 1u << state) != 0);
    session->state = (uint8_t)state;
    tlr_load_think_end(session); /* only one that runs does */
}

/* To the millisecond, and so without a call of the system's clock. */
void tlr_load_session_touch(struct tlr_load_session *session)
{
    session->since = uv_now(session->context->loop) * NS_PER_MS;
}

static const char *bytes(uint64_t count)
{
    return tlr_load_problem_bytes(count);
}

static struct tlr_load_session *session_of(void *tcp)
{
    return ((uv_handle_t *)tcp)->data;
}

/* ---- closing ---- */

/* "connection 7"; of those that follow each other in a slot, "connection 7, session
 * 3". Returns its length. */
static size_t add_name(
    const struct tlr_load_session *session, char *line, size_t room)
{
    int length = snprintf(line, room, "connection %" PRIu32, session->number);
    if (tlr_load_plan_reopens(session->context->plan)) {
        length += snprintf(line + length, room - (size_t)length,
            ", session %" PRIu32, session->session);
    }
    TLR_CLI_CHECK(length > 0 && (size_t)length < room);
    return (size_t)length;
}

void tlr_load_session_fail(struct tlr_load_session *session,
    enum tlr_load_cause cause, const char *format, ...)
{
    struct tlr_load_context *context = session->context;
    char line[TLR_LOAD_PROBLEM_LENGTH];
    va_list args;
    size_t length = add_name(session, line, sizeof(line));
    va_start(args, format);
    /* A line that is too long is cut off, which a reader survives. */
    (void)vsnprintf(line + length, sizeof(line) - length, format, args);
    va_end(args);
    context->tally->errors[cause]++;
    context->figures->errors++;
    session->failed = true;
    if (session->state == TLR_LOAD_DIALING) {
        session->tries = 0;
        /* It was one of those that were asked for. */
        session->begun += tlr_load_plan_dials_late(context->plan);
    }
    (void)tlr_load_problems_add(context->problems, line); /* counted anyway */
    tlr_load_session_close(session);
    context->on_failed(session);
}

static void on_session_closed(uv_handle_t *tcp)
{
    struct tlr_load_session *session = session_of(tcp);
    tlr_load_examine_free(session);
    tlr_load_session_enter(session, TLR_LOAD_CLOSED);
    session->context->on_closed(session);
}

void tlr_load_session_close(struct tlr_load_session *session)
{
    session->context->open -= session->state != TLR_LOAD_DIALING;
    tlr_load_session_enter(session, TLR_LOAD_CLOSING);
    uv_close((uv_handle_t *)&session->tcp, on_session_closed);
}

void tlr_load_session_succeed(struct tlr_load_session *session)
{
    session->context->tally->whole++;
    session->context->figures->sessions++;
    if (tlr_load_plan_dials_late(session->context->plan)) {
        session->context->tally->last_byte_at = uv_hrtime();
    }
    session->failed = false;
    tlr_load_session_close(session);
}

/* ---- reading ---- */

/* The server's stream ended with UV_EOF, or the connection with an error. */
static void ended(struct tlr_load_session *session, int err)
{
    uint64_t received = session->received - session->first;
    uint64_t missing = session->sent - session->received;
    if (session->state == TLR_LOAD_EXAMINING) {
        tlr_load_examine_end(session);
    } else if (err == UV_EOF && session->state == TLR_LOAD_ENDING &&
               missing == 0) {
        tlr_load_session_succeed(session);
    } else if (err == UV_EOF) {
        tlr_load_session_fail(session, TLR_LOAD_EARLY,
            ": the server ended it early, after %" PRIu64 " %s; missing "
            "%" PRIu64 " %s",
            received, bytes(received), missing, bytes(missing));
    } else if (err == UV_ECONNRESET || err == UV_ECONNABORTED) {
        tlr_load_session_fail(session, TLR_LOAD_RESET,
            ": reset by the server after %" PRIu64 " %s; missing %" PRIu64
            " %s",
            received, bytes(received), missing, bytes(missing));
    } else {
        tlr_load_session_fail(session,
            err == UV_ETIMEDOUT ? TLR_LOAD_TIMEOUT : TLR_LOAD_OTHER,
            ": failed after %" PRIu64 " %s (%s)", received, bytes(received),
            uv_strerror(err));
    }
}

/* One buffer serves all: libuv asks for it right before it reads into it and
 * has it read right after, on Windows too (it waits with an empty read). */
static void on_alloc(uv_handle_t *tcp, size_t suggested, uv_buf_t *buf)
{
    struct tlr_load_session *session = session_of(tcp);
    size_t room = tlr_load_traffic_room(session);
    (void)suggested; /* ours is as large */
    *buf = uv_buf_init(
        session->context->receive, (unsigned)(room == 0 ? 1 : room));
}

static void stop_if_slow(struct tlr_load_session *session)
{
    if (session->state == TLR_LOAD_RUNNING &&
        tlr_load_traffic_room(session) == 0) {
        (void)uv_read_stop((uv_stream_t *)&session->tcp); /* always 0 */
        session->reading = false;
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct tlr_load_session *session = session_of(stream);
    const uint8_t *data = (const uint8_t *)buf->base;
    if (nread == UV_EOF) {
        ended(session, tlr_cli_end_of_stream(&session->tcp));
    } else if (nread < 0) {
        ended(session, (int)nread);
    } else if (nread > 0 && session->state == TLR_LOAD_EXAMINING) {
        session->context->tally->bytes_received += (uint64_t)nread;
        tlr_load_examine_more(session, data, (size_t)nread);
    } else if (nread > 0) {
        tlr_load_traffic_receive(session, data, (size_t)nread);
        stop_if_slow(session);
    }
}

int tlr_load_session_read(struct tlr_load_session *session)
{
    if (session->reading) {
        return 0;
    }
    int err = uv_read_start((uv_stream_t *)&session->tcp, on_alloc, on_read);
    session->reading = err == 0;
    return err;
}

/* ---- what the worker asks for ---- */

size_t tlr_load_session_size(const struct tlr_load_plan *plan)
{
    return sizeof(struct tlr_load_session) + plan->depth * sizeof(uint64_t);
}

void tlr_load_session_init(struct tlr_load_session *session,
    struct tlr_load_context *context, uint32_t number, uint32_t slot)
{
    memset(session, 0, tlr_load_session_size(context->plan));
    session->context = context;
    session->number = number;
    session->slot = slot;
    session->state = TLR_LOAD_NEW;
    session->end = UINT64_MAX;
    const struct tlr_load_plan *plan = context->plan;
    bool counts = plan->round_trips != 0 && plan->warmup_ms == 0;
    session->goal = counts ? plan->round_trips : UINT64_MAX;
}

void tlr_load_session_go(struct tlr_load_session *session)
{
    tlr_load_session_enter(session, TLR_LOAD_RUNNING);
    session->since = uv_hrtime();
    tlr_load_traffic_begin(session);
    session->begun += tlr_load_plan_dials_late(session->context->plan);
    tlr_load_traffic_go_on(session);
}

void tlr_load_session_measure(struct tlr_load_session *session)
{
    const struct tlr_load_context *context = session->context;
    const struct tlr_load_plan *plan = context->plan;
    uint64_t from = session->begun;
    if (plan->round_trips == 0) {
        return;
    }
    if (plan->rate > 0) { /* what was due before is not of those */
        uint64_t due = tlr_load_schedule_due_by(&context->schedule,
            session->slot, context->figures_from - 1);
        from = due > from ? due : from;
    }
    session->goal = from + plan->round_trips;
    tlr_load_traffic_set_goal(session);
}

void tlr_load_session_is_due(struct tlr_load_session *session)
{
    session->due++;
    tlr_load_traffic_go_on(session);
}

void tlr_load_session_has_thought(
    struct tlr_load_session *session, uint64_t now)
{
    struct tlr_load_context *context = session->context;
    if (session->thinks_from >= context->figures_from) {
        tlr_load_histogram_add(&context->figures->latency[TLR_LOAD_THINKING],
            now - session->thinks_from);
    }
    tlr_load_think_end(session);
    session->since = now; /* it is from here on that something is awaited */
    tlr_load_traffic_go_on(session);
}

void tlr_load_session_finish(struct tlr_load_session *session)
{
    session->finishing = true;
    switch (session->state) {
    case TLR_LOAD_DIALING:
        if (!tlr_load_plan_reopens(session->context->plan)) {
            tlr_load_session_close(session);
        }
        break;
    case TLR_LOAD_READY:
        session->end = session->sent;
        tlr_load_session_go(session);
        break;
    case TLR_LOAD_RUNNING:
        session->end = session->sent;
        tlr_load_traffic_go_on(session);
        break;
    default: /* ends by itself */
        break;
    }
}

/* What it is waiting for, where a connection and no byte is what is asked for;
 * NULL: that is not so. */
static const char *awaited(const struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    if (!tlr_load_plan_dials_late(plan)) {
        return NULL;
    }
    switch (session->state) {
    case TLR_LOAD_DIALING:
        return "it was connected";
    case TLR_LOAD_RUNNING:
        return "its first byte came";
    case TLR_LOAD_ENDING:
        return "the server had ended its side";
    default:
        return NULL;
    }
}

void tlr_load_session_abort(struct tlr_load_session *session)
{
    bool counts = !session->context->forgives;
    uint64_t missing = session->sent - session->received;
    session->finishing = true;
    if (counts &&
        (session->state == TLR_LOAD_RUNNING ||
            session->state == TLR_LOAD_ENDING) &&
        missing > 0) {
        tlr_load_session_fail(session, TLR_LOAD_OTHER,
            ": given up with %" PRIu64 " %s still missing", missing,
            bytes(missing));
    } else if (counts && awaited(session) != NULL) {
        tlr_load_session_fail(session, TLR_LOAD_OTHER, ": given up before %s",
            awaited(session));
    } else if (session->state == TLR_LOAD_EXAMINING) {
        tlr_load_examine_end(session);
    } else if (session->state == TLR_LOAD_DIALING ||
               session->state == TLR_LOAD_READY ||
               session->state == TLR_LOAD_RUNNING ||
               session->state == TLR_LOAD_ENDING) {
        tlr_load_session_close(session);
    }
}

/* What has no end of its own has to be back within a timeout of the run's. */
static uint64_t counts_since(const struct tlr_load_session *session)
{
    uint64_t finished = session->context->finished;
    return finished != 0 && finished < session->since ? finished
                                                      : session->since;
}

/* Whose timeout is that of a round trip, and not of progress. */
static bool has_round_trips(const struct tlr_load_session *session)
{
    enum tlr_load_mode mode = session->context->plan->mode;
    return mode == TLR_LOAD_ECHO || mode == TLR_LOAD_IDLE;
}

/* At the end: something does, but not all of it in time. */
static bool keeps_coming(
    const struct tlr_load_session *session, uint64_t timeout)
{
    return session->context->finished != 0 &&
           session->state == TLR_LOAD_RUNNING && !has_round_trips(session) &&
           session->received > session->first &&
           uv_hrtime() - session->since < timeout;
}

/* HALF_CLOSE: nothing is missing yet, for nothing was read. */
static void send_timed_out(struct tlr_load_session *session, double seconds)
{
    size_t waiting =
        uv_stream_get_write_queue_size((uv_stream_t *)&session->tcp);
    uint64_t all = session->window - session->first;
    tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
        ": timeout: in %g s no more than %" PRIu64 " of %" PRIu64 " %s could "
        "be sent; this mode reads only when all are",
        seconds, session->sent - session->first - waiting, all, bytes(all));
}

static void timed_out(struct tlr_load_session *session)
{
    uint64_t timeout = session->context->plan->timeout_ms * NS_PER_MS;
    double seconds = (double)timeout / 1e9;
    uint64_t received = session->received - session->first;
    uint64_t sent = session->sent - session->first;
    if (session->state == TLR_LOAD_DIALING) {
        if (!tlr_load_dial_next(session)) {
            tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
                ": no answer to the connect for %g s", seconds);
        }
    } else if (session->state == TLR_LOAD_ENDING && sent == received) {
        tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: all %" PRIu64 " %s back, but the server has not ended "
            "its side for %g s after we ended ours",
            received, received == 1 ? "byte is" : "bytes are", seconds);
    } else if (session->context->plan->mode == TLR_LOAD_HELLO) {
        tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: no first byte for %g s", seconds);
    } else if (session->state == TLR_LOAD_RUNNING &&
               session->context->plan->mode == TLR_LOAD_HALF_CLOSE) {
        send_timed_out(session, seconds);
    } else if (keeps_coming(session, timeout)) {
        tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: %g s after the end %" PRIu64 " %s of %" PRIu64
            " sent had not come back, though they kept coming",
            seconds, sent - received, bytes(sent - received), sent);
    } else {
        tlr_load_session_fail(session, TLR_LOAD_TIMEOUT,
            ": timeout: stalled at byte %" PRIu64 " for %g s; missing %" PRIu64
            " %s of %" PRIu64 " sent",
            received, seconds, sent - received, bytes(sent - received), sent);
    }
}

/* Since when it is waiting for what a timeout is for; UINT64_MAX: it is not. A
 * round trip counts from its begin, but for those that are meant to be slow. */
static uint64_t waiting_since(const struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    bool owed = session->sent > session->received;
    switch (session->state) {
    case TLR_LOAD_DIALING:
    case TLR_LOAD_ENDING:
        return session->since;
    case TLR_LOAD_RUNNING:
        break;
    default:
        return UINT64_MAX;
    }
    if (has_round_trips(session)) {
        return session->begun > session->back
                   ? session->stamps[session->back % plan->depth]
                   : UINT64_MAX;
    }
    if (plan->mode == TLR_LOAD_SLOW && !session->reading) {
        return UINT64_MAX; /* it is we who are slow */
    }
    return owed || plan->mode == TLR_LOAD_HELLO ? counts_since(session)
                                                : UINT64_MAX;
}

static void go_on_slowly(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = session->context->plan;
    if (session->state != TLR_LOAD_RUNNING) {
        return;
    }
    if (plan->write_rate != 0) {
        tlr_load_traffic_go_on(session);
    }
    if (session->state == TLR_LOAD_RUNNING && !session->reading &&
        plan->mode == TLR_LOAD_SLOW && tlr_load_traffic_room(session) > 0) {
        tlr_load_session_touch(session);
        int err = tlr_load_session_read(session);
        if (err != 0) {
            ended(session, err);
        }
    }
}

void tlr_load_session_tick(
    struct tlr_load_session *session, uint64_t now, uint64_t lost)
{
    uint64_t since = waiting_since(session);
    uint64_t timeout = session->context->plan->timeout_ms * NS_PER_MS + lost;
    if (since < now && now - since >= timeout) {
        timed_out(session);
    } else if (session->state == TLR_LOAD_EXAMINING) {
        if (tlr_load_examine_is_late(session, now)) {
            tlr_load_examine_end(session);
        }
    } else {
        go_on_slowly(session);
    }
}

bool tlr_load_session_is_done(const struct tlr_load_session *session)
{
    return session->finishing || session->begun >= session->goal;
}
