/* SPDX-License-Identifier: MIT */
/*
 * The stream of a connection, out and back. Three positions in it move on: `sent`
 * up to `window`, which is the end of the messages that may be on the way, and
 * `received` behind it; `boundary` is the end of the message that comes back next.
 * When all is back that was to be sent, its side is ended.
 *
 * STREAM has no messages: its window has no end. HALF_CLOSE ends its side when all
 * is sent, and only then reads. CHURN and HELLO have one message each, of nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "parts.h"
#include "pattern.h"

/* Writes in a row that are tried at once: the others' turn must come. */
enum { PIECES_AT_ONCE = 32 };

/* What a slow one has not sent or read for longer is lost: it does not catch up. */
#define SAVED_NS 0.25e9

#define SECOND 1e9

static const struct tlr_load_plan *plan_of(
    const struct tlr_load_session *session)
{
    return session->context->plan;
}

static uint64_t size_of(
    const struct tlr_load_session *session, uint64_t message)
{
    return tlr_load_plan_size(plan_of(session), session->number, message);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- slow ones ---- */

/* Nanoseconds that so many bytes take. */
static uint64_t worth(uint64_t bytes, uint64_t rate)
{
    return (uint64_t)((double)bytes / (double)rate * SECOND);
}

/* How many bytes a slow one may send or read now. `to` is the time up to which
 * it has: at first a byte ago. */
static uint64_t allowance(uint64_t *to, uint64_t rate)
{
    uint64_t now = uv_hrtime();
    uint64_t byte = worth(1, rate) + 1;
    uint64_t most = byte > (uint64_t)SAVED_NS ? byte : (uint64_t)SAVED_NS;
    if (*to >= now) {
        return 0;
    }
    if (now - *to > most) {
        *to = now - most;
    }
    return (uint64_t)((double)(now - *to) / SECOND * (double)rate);
}

static void spend(uint64_t *to, uint64_t rate, uint64_t bytes)
{
    if (rate != 0) {
        *to += worth(bytes, rate);
    }
}

/* From there on the first byte may go at once. */
static uint64_t a_byte_before(uint64_t now, uint64_t rate)
{
    uint64_t byte = rate == 0 ? 0 : worth(1, rate) + 1;
    return now > byte ? now - byte : 0;
}

/* ---- which messages ---- */

void tlr_load_traffic_begin(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = plan_of(session);
    session->first = session->sent;
    session->sent_to = a_byte_before(session->since, plan->write_rate);
    session->read_to = a_byte_before(session->since, plan->read_rate);
    session->received = session->sent;
    session->start = session->sent;
    session->window = session->sent;
    session->back = session->begun;
    session->opened = session->begun;
    session->boundary = session->sent + size_of(session, session->begun);
    session->last =
        tlr_load_plan_dials_late(plan) ? session->begun : session->goal;
    if (plan->mode == TLR_LOAD_STREAM) {
        session->boundary = UINT64_MAX;
    } else if (plan->mode == TLR_LOAD_HALF_CLOSE) {
        session->last = session->begun + 1;
    } else if (plan->session != 0) {
        session->last = least(session->goal, session->begun + plan->session);
    }
}

/* Messages that may go and have not begun are taken back: they count. */
void tlr_load_traffic_set_goal(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = plan_of(session);
    if (session->state == TLR_LOAD_RUNNING && plan->mode != TLR_LOAD_STREAM &&
        plan->mode != TLR_LOAD_HALF_CLOSE && !tlr_load_plan_dials_late(plan)) {
        session->opened = session->begun;
        session->window = session->start;
        session->last = plan->session == 0
                            ? session->goal
                            : least(session->goal, session->last);
    }
}

/* Lets more messages go, up to so many since the slot began. */
static void open_up_to(struct tlr_load_session *session, uint64_t message)
{
    message = least(message, session->last);
    while (session->opened < message) {
        session->window += size_of(session, session->opened);
        session->opened++;
    }
}

static void open_window(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = plan_of(session);
    uint64_t message = session->back + plan->depth;
    if (tlr_load_thinks(session)) {
        return;
    }
    if (plan->mode == TLR_LOAD_STREAM) {
        session->window = UINT64_MAX;
    } else if (plan->mode != TLR_LOAD_IDLE) {
        open_up_to(session,
            plan->rate > 0 ? least(message, session->due) : message);
    }
}

void tlr_load_session_ask(struct tlr_load_session *session)
{
    session->last = session->begun + 1;
    open_up_to(session, session->last);
    tlr_load_traffic_go_on(session);
}

/* ---- sending ---- */

static uint64_t limit_of(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = plan_of(session);
    uint64_t limit = session->window;
    if (session->finishing) {
        return least(limit, session->end);
    }
    return plan->write_rate == 0
               ? limit
               : least(limit, session->sent + allowance(&session->sent_to,
                                                  plan->write_rate));
}

static void write_failed(struct tlr_load_session *session, int err)
{
    tlr_load_session_fail(session,
        err == UV_ENOMEM ? TLR_LOAD_MACHINE : TLR_LOAD_RESET,
        ": broken off while sending (%s) when %" PRIu64 " of %" PRIu64
        " bytes were back",
        uv_strerror(err), session->received - session->first,
        session->sent - session->first);
}

static void on_written(uv_write_t *request, int status)
{
    struct tlr_load_session *session = request->handle->data;
    tlr_load_chunk_put(&session->context->spare, session->chunk);
    session->chunk = NULL;
    if (session->state == TLR_LOAD_CLOSING) {
        return;
    }
    tlr_load_session_touch(session);
    if (session->state == TLR_LOAD_EXAMINING) {
        return;
    }
    if (status != 0) {
        write_failed(session, status);
        return;
    }
    tlr_load_traffic_go_on(session);
}

/* Notes when the messages that begin before `position` were sent. */
static void stamp(struct tlr_load_session *session, uint64_t position)
{
    uint32_t depth = plan_of(session)->depth;
    if (session->start >= position ||
        plan_of(session)->mode == TLR_LOAD_STREAM) {
        return;
    }
    uint64_t now = uv_hrtime();
    while (session->start < position) {
        session->stamps[session->begun % depth] = now;
        session->start += size_of(session, session->begun);
        session->begun++;
    }
}

/* The system takes it when it can. */
static int queue(
    struct tlr_load_session *session, const char *bytes, size_t size)
{
    struct tlr_load_context *context = session->context;
    struct tlr_load_chunk *chunk = tlr_load_chunk_get(&context->spare);
    if (chunk == NULL) {
        return UV_ENOMEM;
    }
    memcpy(chunk->bytes, bytes, size);
    uv_buf_t buf = uv_buf_init(chunk->bytes, (unsigned)size);
    int err = uv_write(&chunk->request, (uv_stream_t *)&session->tcp, &buf, 1,
        on_written);
    if (err != 0) {
        tlr_load_chunk_put(&context->spare, chunk);
        return err;
    }
    session->chunk = chunk;
    return 0;
}

/* Writes the next `size` bytes of the stream: at once what the system takes,
 * the rest from memory of its own. */
static int send_piece(struct tlr_load_session *session, size_t size, bool wait)
{
    struct tlr_load_context *context = session->context;
    uv_buf_t buf = uv_buf_init(context->send, (unsigned)size);
    tlr_load_pattern_fill(
        session->number, session->sent, (uint8_t *)context->send, size);
    stamp(session, session->sent + size);
    int written =
        wait ? 0 : uv_try_write((uv_stream_t *)&session->tcp, &buf, 1);
    if (written < 0 && written != UV_EAGAIN) {
        return written;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    if (done < size) {
        int err = queue(session, context->send + done, size - done);
        if (err != 0) {
            return err;
        }
    }
    session->sent += size;
    spend(&session->sent_to, context->plan->write_rate, size);
    context->tally->bytes_sent += size;
    context->figures->bytes_sent += size;
    return 0;
}

static void send_more(struct tlr_load_session *session)
{
    const struct tlr_load_plan *plan = plan_of(session);
    uint64_t most = plan->pieces == 0
                        ? TLR_LOAD_CHUNK
                        : least(plan->pieces, TLR_LOAD_CHUNK);
    unsigned pieces = 0;
    uint64_t limit = limit_of(session);
    while (session->state == TLR_LOAD_RUNNING && session->chunk == NULL &&
           session->sent < limit) {
        int err = send_piece(session, (size_t)least(limit - session->sent, most),
            ++pieces > PIECES_AT_ONCE);
        if (err != 0) {
            write_failed(session, err);
        }
    }
}

/* ---- its end ---- */

static bool is_all_sent(const struct tlr_load_session *session)
{
    if (session->chunk != NULL) {
        return false;
    }
    return session->finishing ? session->sent >= session->end
                              : session->begun >= session->last &&
                                    session->sent == session->start;
}

static void end_side(struct tlr_load_session *session)
{
    tlr_load_session_enter(session, TLR_LOAD_ENDING);
    tlr_load_session_touch(session);
    int err = uv_shutdown(&session->request.shutdown,
        (uv_stream_t *)&session->tcp, NULL); /* reading tells how it went */
    if (err == 0) {
        err = tlr_load_session_read(session);
    }
    if (err != 0) {
        tlr_load_session_fail(session, TLR_LOAD_RESET,
            ": broken off when %" PRIu64 " bytes were back (%s)",
            session->received - session->first, uv_strerror(err));
    }
}

/* A write may be complete for the peer and its callback still to come. */
static void end_if_done(struct tlr_load_session *session)
{
    enum tlr_load_mode mode = plan_of(session)->mode;
    if (session->state != TLR_LOAD_RUNNING || mode == TLR_LOAD_HELLO) {
        return;
    }
    if (mode == TLR_LOAD_CHURN ||
        (is_all_sent(session) && (mode == TLR_LOAD_HALF_CLOSE ||
                                     session->received == session->sent))) {
        end_side(session);
    }
}

void tlr_load_traffic_go_on(struct tlr_load_session *session)
{
    if (session->state != TLR_LOAD_RUNNING) {
        return;
    }
    open_window(session);
    send_more(session);
    end_if_done(session);
}

/* ---- receiving ---- */

size_t tlr_load_traffic_room(struct tlr_load_session *session)
{
    uint64_t rate = plan_of(session)->read_rate;
    if (rate == 0 || session->finishing ||
        session->state != TLR_LOAD_RUNNING) {
        return TLR_LOAD_CHUNK;
    }
    return (size_t)least(allowance(&session->read_to, rate), TLR_LOAD_CHUNK);
}

/* What a slow one reads at the end, when it hurries, has no such latency. */
static void record(struct tlr_load_session *session,
    enum tlr_load_measure measure, uint64_t begun_at, uint64_t now)
{
    struct tlr_load_context *context = session->context;
    bool paced = context->plan->read_rate == 0 || context->finished == 0;
    if (begun_at >= context->figures_from && paced) {
        tlr_load_histogram_add(
            &context->figures->latency[measure], now - begun_at);
        context->figures->round_trips += measure == TLR_LOAD_ROUND_TRIP;
    }
}

/* A message is back: one that has no other does not think, but ends. */
static void think_if_more_follows(
    struct tlr_load_session *session, uint64_t now)
{
    if (plan_of(session)->think_ms != 0 && !session->finishing &&
        session->back < session->last) {
        tlr_load_think_begin(session, now);
    }
}

/* Counts the messages that the bytes received so far make whole. */
static void count_round_trips(struct tlr_load_session *session, uint64_t now)
{
    const struct tlr_load_plan *plan = plan_of(session);
    while (session->boundary <= session->received) {
        record(session, TLR_LOAD_ROUND_TRIP,
            plan->rate > 0
                ? tlr_load_schedule_due(&session->context->schedule,
                      session->slot, session->back)
                : session->stamps[session->back % plan->depth],
            now);
        session->back++;
        session->boundary += size_of(session, session->back);
        think_if_more_follows(session, now);
    }
}

static void hello(struct tlr_load_session *session, uint64_t size)
{
    struct tlr_load_context *context = session->context;
    uint64_t now = uv_hrtime();
    context->tally->bytes_received += size;
    context->figures->bytes_received += size;
    context->tally->last_byte_at = now;
    record(session, TLR_LOAD_FIRST_BYTE, session->since, now);
    tlr_load_session_succeed(session);
}

static void count(
    struct tlr_load_session *session, uint64_t size, uint64_t right)
{
    struct tlr_load_context *context = session->context;
    context->tally->bytes_received += size;
    context->tally->bytes_verified += right;
    context->figures->bytes_received += size;
    context->figures->bytes_verified += right;
    if (right == 0) {
        return;
    }
    uint64_t now = uv_hrtime();
    context->tally->last_byte_at = now;
    if (session->received == session->first && session->begun > session->back) {
        record(session, TLR_LOAD_FIRST_BYTE,
            session->stamps[session->back % plan_of(session)->depth], now);
    }
    session->received += right;
    spend(&session->read_to, context->plan->read_rate, right);
    session->since = now;
    count_round_trips(session, now);
}

void tlr_load_traffic_receive(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    if (plan_of(session)->mode == TLR_LOAD_HELLO) {
        hello(session, size);
        return;
    }
    uint64_t owed = session->sent - session->received;
    size_t right = tlr_load_pattern_verify(session->number, session->received,
        bytes, (size_t)least(size, owed));
    count(session, size, right);
    if (right < size) {
        tlr_load_examine(session, bytes + right, size - right);
        return;
    }
    tlr_load_traffic_go_on(session);
}
