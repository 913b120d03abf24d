/* SPDX-License-Identifier: MIT */
/*
 * The way of a session: DIALING, OPEN, ENDING (our half-close is out), CLOSING.
 * step() sends the next message or comes to the finale; it is called when the
 * last message is written (or back), or by the timer when a pause is over.
 *
 * Slow readers read a slice, stop, and read again by a timer of its own.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/sockets.h"
#include "crowd.h"
#include "load/pattern.h"

enum { HANDLES = 3, NUMBERS = TLR_LOAD_PATTERN_CONNECTIONS };

static void step(struct session *session);

static struct kind_tally *tally_of(const struct session *session)
{
    return &session->crowd->tally.kinds[session->course.kind];
}

static void touch(struct session *session)
{
    session->progress_at = uv_now(session->crowd->loop);
}

const char *cause_name(enum cause cause)
{
    static const char *const names[CAUSES] = {
        "refused", "reset", "early", "wrong", "timeout", "local", "other"};
    return names[cause];
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct session *session = handle->data;
    if (--session->handles == 0) {
        crowd_ended(session);
        free(session);
    }
}

static void close_session(struct session *session, bool reset)
{
    session->state = CLOSING;
    uv_close((uv_handle_t *)&session->next_send, on_closed);
    uv_close((uv_handle_t *)&session->next_read, on_closed);
    if (!reset || uv_tcp_close_reset(&session->tcp, on_closed) != 0) {
        uv_close((uv_handle_t *)&session->tcp, on_closed);
    }
}

static void fail(struct session *session, enum cause cause, int err)
{
    if (session->state != CLOSING) {
        crowd_failed(session, cause, err);
        close_session(session, false);
    }
}

static enum cause cause_of(int err)
{
    switch (err) {
    case UV_ECONNREFUSED:
        return CAUSE_REFUSED;
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE:
    case UV_EOF: /* how Windows ends a write to one that is gone */
        return CAUSE_RESET;
    case UV_ETIMEDOUT:
        return CAUSE_TIMEOUT;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
    case UV_EADDRNOTAVAIL:
    case UV_EADDRINUSE:
        return CAUSE_LOCAL;
    default:
        return CAUSE_OTHER;
    }
}

static void end_by_own_doing(struct session *session, bool reset)
{
    tally_of(session)->own++;
    close_session(session, reset);
}

static void half_close(struct session *session)
{
    session->state = ENDING;
    touch(session);
    int err = uv_shutdown(&session->shutdown, (uv_stream_t *)&session->tcp,
        NULL); /* reading tells how it went */
    if (err != 0) {
        fail(session, cause_of(err), err);
    }
}

static void finale(struct session *session)
{
    switch ((enum finale)session->course.finale) {
    case FINALE_END:
        half_close(session);
        break;
    case FINALE_RESET:
        end_by_own_doing(session, true);
        break;
    case FINALE_CLOSE:
        end_by_own_doing(session, false);
        break;
    case FINALE_STAY:
        break;
    }
}

void session_finish(struct session *session)
{
    struct course *course = &session->course;
    bool endless =
        course->finale == FINALE_STAY || course->total == UINT64_MAX;
    if (session->told || session->state != OPEN || !endless) {
        session->told = true; /* one that is still dialing hears it later */
        return;
    }
    session->told = true;
    if (course->kind == KIND_PROBE) {
        course->total = session->sent; /* its next step is the last one */
        return;
    }
    if (course->kind != KIND_HOLD) {
        end_by_own_doing(session, true);
        return;
    }
    course->finale = FINALE_END;
    course->total += course->message;
    if (session->received == session->sent && session->sent > 0) {
        step(session);
    }
}

void session_abandon(struct session *session)
{
    if (session->state != CLOSING) {
        end_by_own_doing(session, true);
    }
}

/* Whether the server owes it something: what it does itself takes any time. */
static bool is_waiting(const struct session *session)
{
    return session->course.kind != KIND_STARVE &&
           (session->state == DIALING || session->state == ENDING ||
               session->received < session->sent);
}

void session_check_time(struct session *session)
{
    const struct crowd *crowd = session->crowd;
    if (session->state != CLOSING && is_waiting(session) &&
        uv_now(crowd->loop) - session->progress_at > crowd->plan.timeout_ms) {
        fail(session, CAUSE_TIMEOUT, UV_ETIMEDOUT);
    }
}

/* ---- sending ---- */

static void on_next_send(uv_timer_t *timer)
{
    step(timer->data);
}

static void step_after(struct session *session, uint64_t ms)
{
    (void)uv_timer_start(
        &session->next_send, on_next_send, ms, 0); /* a callback is given */
}

/* A message is out. Whoever does not wait for it goes on by the timer, without
 * a pause too: others have their turn. */
static void message_is_written(struct session *session)
{
    if (!session->course.waits) {
        step_after(session, session->sent < session->course.total
                                ? session->course.pause_ms
                                : 0);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct session *session = request->data;
    tlr_load_chunk_put(&session->crowd->spare, session->chunk);
    session->chunk = NULL;
    if (session->state == CLOSING) {
        return;
    }
    touch(session);
    if (status != 0) {
        fail(session, cause_of(status), status);
        return;
    }
    message_is_written(session);
}

/* The rest of a message, from memory of its own. Returns 0 or an error. */
static int write_rest(struct session *session, const char *bytes, size_t size)
{
    struct crowd *crowd = session->crowd;
    session->chunk = tlr_load_chunk_get(&crowd->spare);
    if (session->chunk == NULL) {
        return UV_ENOMEM;
    }
    memcpy(session->chunk->bytes, bytes, size);
    uv_buf_t buf = uv_buf_init(session->chunk->bytes, (unsigned)size);
    session->request.write.data = session;
    int err = uv_write(&session->request.write, (uv_stream_t *)&session->tcp,
        &buf, 1, on_written);
    if (err != 0) {
        tlr_load_chunk_put(&crowd->spare, session->chunk);
        session->chunk = NULL;
    }
    return err;
}

static void send_message(struct session *session, size_t size)
{
    struct crowd *crowd = session->crowd;
    uv_buf_t buf = uv_buf_init(crowd->send, (unsigned)size);
    tlr_load_pattern_fill(session->number % NUMBERS, session->sent,
        (uint8_t *)crowd->send, size);
    if (session->due_at == 0) {
        session->due_at = uv_hrtime();
    }
    int written = uv_try_write((uv_stream_t *)&session->tcp, &buf, 1);
    size_t done = written < 0 ? 0 : (size_t)written;
    int err = written < 0 && written != UV_EAGAIN ? written : 0;
    if (err == 0 && done < size) {
        err = write_rest(session, crowd->send + done, size - done);
    }
    if (err != 0) {
        fail(session, cause_of(err), err);
        return;
    }
    session->sent += size;
    crowd->tally.bytes_sent += size;
    touch(session);
    if (done == size) {
        message_is_written(session);
    }
}

static void step(struct session *session)
{
    const struct course *course = &session->course;
    if (session->state != OPEN || session->chunk != NULL) {
        return;
    }
    if (session->sent >= course->total) {
        finale(session);
        return;
    }
    uint64_t left = course->total - session->sent;
    send_message(session,
        left < course->message ? (size_t)left : course->message);
}

/* ---- receiving ---- */

static void start_reading(struct session *session);

/* A probe's message goes when it was to go, or at once if it is late: then its
 * latency counts from when it was to go. */
static void step_by_the_clock(struct session *session)
{
    struct crowd *crowd = session->crowd;
    uint64_t now = uv_hrtime();
    uint64_t next = session->due_at + crowd->plan.habits.every_ms * 1000000;
    tlr_load_histogram_add(&crowd->tally.round_trip, now - session->due_at);
    session->due_at = next <= now ? next : 0;
    step_after(session, next <= now ? 0 : (next - now) / 1000000);
}

static void all_is_back(struct session *session)
{
    struct crowd *crowd = session->crowd;
    const struct course *course = &session->course;
    if (!course->waits || session->state != OPEN) {
        return;
    }
    if (session->received == course->message) {
        tlr_load_histogram_add(&crowd->tally.first_answer,
            session->offered_at - session->dialed_at + uv_hrtime() -
                session->due_at);
    }
    if (course->kind == KIND_PROBE) {
        step_by_the_clock(session);
    } else {
        step_after(session, course->pause_ms);
    }
}

static void ended(struct session *session, int err)
{
    if (err == UV_EOF && session->state == ENDING &&
        session->received == session->sent) {
        tally_of(session)->whole++;
        close_session(session, false);
    } else {
        fail(session, err == UV_EOF ? CAUSE_EARLY : cause_of(err), err);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct session *session = handle->data;
    uint32_t slice = session->course.slice;
    (void)suggested; /* ours is as large, and is read right after this */
    *buf = uv_buf_init(
        session->crowd->receive, slice > 0 ? slice : TLR_LOAD_CHUNK);
}

static void on_next_read(uv_timer_t *timer)
{
    struct session *session = timer->data;
    if (session->state != CLOSING) {
        start_reading(session);
    }
}

static void receive(
    struct session *session, const uint8_t *bytes, size_t size)
{
    struct crowd *crowd = session->crowd;
    uint64_t owed = session->sent - session->received;
    size_t due = size < owed ? size : (size_t)owed;
    size_t right = tlr_load_pattern_verify(
        session->number % NUMBERS, session->received, bytes, due);
    session->received += right;
    crowd->tally.bytes_verified += right;
    touch(session);
    if (right < size) {
        fail(session, CAUSE_WRONG, 0);
        return;
    }
    if (session->course.slice > 0) {
        (void)uv_read_stop((uv_stream_t *)&session->tcp); /* always 0 */
        (void)uv_timer_start(&session->next_read, on_next_read,
            session->course.slice_ms, 0); /* a callback is given */
    }
    if (session->received == session->sent) {
        all_is_back(session);
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct session *session = stream->data;
    if (nread == UV_EOF) {
        ended(session, tlr_cli_end_of_stream(&session->tcp));
    } else if (nread < 0) {
        ended(session, (int)nread);
    } else if (nread > 0) {
        receive(session, (const uint8_t *)buf->base, (size_t)nread);
    }
}

static void start_reading(struct session *session)
{
    int err = uv_read_start((uv_stream_t *)&session->tcp, on_alloc, on_read);
    if (err != 0) {
        fail(session, cause_of(err), err);
    }
}

/* ---- connecting ---- */

static void connected(struct session *session)
{
    session->state = OPEN;
    session->offered_at = uv_hrtime();
    touch(session);
    (void)uv_tcp_nodelay(&session->tcp, 1); /* only a delay is lost */
    crowd_offered(session);
    start_reading(session);
    if (session->state != OPEN) {
        return;
    }
    if (session->course.begin_ms > 0) {
        step_after(session, session->course.begin_ms);
    } else {
        step(session);
    }
    if (session->state == OPEN && session->told) {
        session->told = false;
        session_finish(session);
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    struct session *session = request->data;
    if (session->state != DIALING) {
        return; /* closing: cancelled */
    }
    if (status != 0) {
        fail(session, cause_of(status), status);
    } else {
        connected(session);
    }
}

static int dial(struct session *session)
{
    const struct crowd_plan *plan = &session->crowd->plan;
    const struct sockaddr *target = (const struct sockaddr *)&plan->target;
    if (plan->source_count > 0) {
        int err = tlr_cli_bind_address(&session->tcp,
            (const struct sockaddr *)&plan
                ->sources[session->number % plan->source_count]);
        if (err != 0) {
            return err;
        }
    }
    session->request.connect.data = session;
    return uv_tcp_connect(&session->request.connect, &session->tcp, target,
        on_connected);
}

static void link_session(struct session *session)
{
    struct crowd *crowd = session->crowd;
    session->next = crowd->sessions;
    session->link = &crowd->sessions;
    if (session->next != NULL) {
        session->next->link = &session->next;
    }
    crowd->sessions = session;
    crowd->count++;
}

/* With a descriptor from the start where its source has to be set. Returns 0 or
 * an error: it has to be closed then too. */
static int init_tcp(struct session *session)
{
    const struct crowd_plan *plan = &session->crowd->plan;
    int err = UV_EMFILE;
    if (plan->source_count > 0) {
        err = uv_tcp_init_ex(
            session->crowd->loop, &session->tcp, plan->target.ss_family);
    }
    if (err != 0) {
        int again = uv_tcp_init(session->crowd->loop, &session->tcp);
        TLR_CLI_CHECK(again == 0); /* makes no descriptor: it cannot fail */
    }
    return plan->source_count > 0 ? err : 0;
}

void session_start(struct crowd *crowd, uint32_t number)
{
    struct session *session = calloc(1, sizeof(*session));
    TLR_CLI_CHECK(session != NULL);
    session->crowd = crowd;
    session->number = number;
    session->course =
        course_draw(&crowd->plan.habits, crowd->plan.seed, number);
    session->handles = HANDLES;
    session->dialed_at = uv_hrtime();
    link_session(session);
    tally_of(session)->started++;
    int err = init_tcp(session);
    (void)uv_timer_init(crowd->loop, &session->next_send); /* always 0 */
    (void)uv_timer_init(crowd->loop, &session->next_read);
    session->tcp.data = session;
    session->next_send.data = session;
    session->next_read.data = session;
    touch(session);
    if (err == 0) {
        err = dial(session);
    }
    if (err != 0) {
        fail(session, cause_of(err), err);
    }
}
