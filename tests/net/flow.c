/* SPDX-License-Identifier: MIT */
/*
 * The way of a pair that ends well: DIALING, OPEN, CLOSING. Both sides are read
 * from the start. What is read waits in the flow's ring until it is due; pump()
 * writes a piece of it, and goes on when that is written. The end of a stream
 * is passed on behind its last byte (a half-close), and the pair closes when
 * that was done both ways.
 *
 * A pair that is cut takes the way by CUT: both sides get our FIN at once, and
 * what they still send is read and dropped until they end too. Closed with
 * bytes unread it would be a reset.
 */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/sockets.h"
#include "fate.h"

enum {
    RING = 64 * 1024,
    READS = 64, /* reads that may wait in a ring */
    CUT_MS = 5000, /* how long sides may take to end after a cut */
    HANDLES = 4, /* of a pair */
};

enum pair_state { DIALING, OPEN, CUT, CLOSING };

/* How far the end of a stream has come: to the other side at PASSED. */
enum end_state { FLOWING, PASSING, PASSED };

/* What came in one read. */
struct arrival {
    uint64_t end; /* its end's position in the stream */
    uint64_t due; /* on the loop's clock, ms */
};

struct flow {
    struct pair *pair;
    uv_tcp_t *from;
    uv_tcp_t *to;
    uv_timer_t timer; /* when the next piece may go */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct fate fate;
    uint64_t read;
    uint64_t written;
    uint64_t ends_at; /* UINT64_MAX until the source has ended */
    uint64_t breaks_at; /* UINT64_MAX: never */
    uint64_t stalls_at;
    uint64_t free_at; /* ns: before it nothing is written */
    size_t writing; /* bytes on their way */
    bool paused; /* no room: not read */
    enum end_state end;
    unsigned first; /* of the arrivals that wait */
    unsigned arrivals;
    struct arrival arrival[READS];
    char ring[RING];
};

struct pair {
    struct proxy *proxy;
    struct pair *next;
    struct pair **link; /* what points here */
    uint64_t number;
    enum pair_state state;
    enum ending ending;
    unsigned handles; /* not closed yet */
    uv_tcp_t client;
    uv_tcp_t target;
    uv_connect_t connect;
    struct flow to_target;
    struct flow to_client;
};

static void pump(struct flow *flow);

static uint64_t now_of(const struct flow *flow)
{
    return uv_now(flow->pair->proxy->loop);
}

/* ---- the end of a pair ---- */

static void on_closed(uv_handle_t *handle)
{
    struct pair *pair = handle->data;
    if (--pair->handles == 0) {
        *pair->link = pair->next;
        if (pair->next != NULL) {
            pair->next->link = pair->link;
        }
        free(pair);
    }
}

/* libuv refuses a reset behind a shutdown: then that side has had our end, and
 * closing does what is left to do. */
static void close_side(uv_tcp_t *tcp, bool reset)
{
    if (!reset || uv_tcp_close_reset(tcp, on_closed) != 0) {
        uv_close((uv_handle_t *)tcp, on_closed);
    }
}

static void close_pair(struct pair *pair, bool reset)
{
    if (pair->state == CLOSING) {
        return;
    }
    pair->state = CLOSING;
    uv_close((uv_handle_t *)&pair->to_target.timer, on_closed);
    uv_close((uv_handle_t *)&pair->to_client.timer, on_closed);
    close_side(&pair->client, reset);
    close_side(&pair->target, reset);
}

/* One of the sides did this, not the proxy: the other gets a reset too. */
static void broken(struct pair *pair)
{
    if (pair->state == OPEN) {
        pair->proxy->tally.broken++;
    }
    close_pair(pair, pair->state != CUT);
}

static void on_cut_too_long(uv_timer_t *timer)
{
    close_pair(timer->data, true);
}

static void close_if_both_ended(struct pair *pair)
{
    if (pair->to_target.ends_at != UINT64_MAX &&
        pair->to_client.ends_at != UINT64_MAX) {
        close_pair(pair, false);
    }
}

static void cut_side(struct flow *flow)
{
    if (flow->end == FLOWING &&
        uv_shutdown(&flow->shutdown, (uv_stream_t *)flow->to, NULL) != 0) {
        close_pair(flow->pair, true);
    }
}

static void unpause(struct flow *flow);

static void cut(struct pair *pair)
{
    pair->state = CUT;
    (void)uv_timer_stop(&pair->to_target.timer); /* always 0 */
    (void)uv_timer_stop(&pair->to_client.timer);
    (void)uv_timer_start(
        &pair->to_target.timer, on_cut_too_long, CUT_MS, 0); /* cb is set */
    cut_side(&pair->to_client);
    if (pair->state == CUT) {
        cut_side(&pair->to_target);
    }
    if (pair->state == CUT) {
        unpause(&pair->to_client);
    }
    if (pair->state == CUT) {
        unpause(&pair->to_target);
    }
    if (pair->state == CUT) {
        close_if_both_ended(pair);
    }
}

static void break_off(struct flow *flow)
{
    struct pair *pair = flow->pair;
    struct proxy *proxy = pair->proxy;
    if (proxy->on_break != NULL) {
        proxy->on_break(pair->number, pair->ending, flow == &pair->to_client,
            flow->written);
    }
    if (pair->ending == ENDING_RESET) {
        proxy->tally.reset++;
        close_pair(pair, true);
    } else {
        proxy->tally.cut++;
        cut(pair);
    }
}

/* ---- what goes out ---- */

static void on_due(uv_timer_t *timer)
{
    struct pair *pair = timer->data;
    pump(timer == &pair->to_target.timer ? &pair->to_target
                                         : &pair->to_client);
}

static void wait_until(struct flow *flow, uint64_t ms)
{
    uint64_t now = now_of(flow);
    (void)uv_timer_start(&flow->timer, on_due, ms > now ? ms - now : 0,
        0); /* cannot fail: a callback is given */
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct flow *flow = request->data;
    struct pair *pair = flow->pair;
    if (pair->state != OPEN) {
        return;
    }
    if (status != 0) {
        broken(pair);
        return;
    }
    flow->end = PASSED;
    if (pair->to_target.end == PASSED && pair->to_client.end == PASSED) {
        pair->proxy->tally.whole++;
        close_pair(pair, false);
    }
}

static void pass_end_on(struct flow *flow)
{
    flow->end = PASSING;
    if (uv_shutdown(
            &flow->shutdown, (uv_stream_t *)flow->to, on_shut_down) != 0) {
        broken(flow->pair);
    }
}

/* When something was written the next piece may be due later. */
static void charge(struct flow *flow, size_t length)
{
    struct proxy *proxy = flow->pair->proxy;
    const struct plan *plan = &proxy->plan;
    uint64_t now = uv_hrtime();
    if (plan->rate > 0) {
        flow->free_at = (flow->free_at > now ? flow->free_at : now) +
                        length * UINT64_C(1000000000) / plan->rate;
    }
    if (flow->written == flow->stalls_at) {
        flow->free_at = now + plan->stall_ms * 1000000;
        flow->stalls_at += fate_draw(&flow->fate, 1, 2 * plan->stall_every);
        proxy->tally.stalls++;
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct flow *flow = request->data;
    struct pair *pair = flow->pair;
    size_t length = flow->writing;
    flow->writing = 0;
    if (pair->state != OPEN) {
        return;
    }
    if (status != 0) {
        broken(pair);
        return;
    }
    flow->written += length;
    *(flow == &pair->to_client ? &pair->proxy->tally.to_client
                               : &pair->proxy->tally.to_target) += length;
    while (flow->arrivals > 0 &&
           flow->arrival[flow->first].end <= flow->written) {
        flow->first = (flow->first + 1) % READS;
        flow->arrivals--;
    }
    charge(flow, length);
    unpause(flow);
    if (pair->state == OPEN) {
        pump(flow);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How much of what is due goes in one piece. */
static size_t piece_of(struct flow *flow)
{
    const struct plan *plan = &flow->pair->proxy->plan;
    uint64_t end = flow->arrival[flow->first].end;
    size_t room = RING - (size_t)(flow->written % RING);
    end = least(end, least(flow->stalls_at, flow->breaks_at));
    if (plan->piece > 0) {
        end = least(
            end, flow->written + fate_draw(&flow->fate, 1, plan->piece));
    }
    return (size_t)least(end - flow->written, room);
}

static void write_piece(struct flow *flow)
{
    size_t length = piece_of(flow);
    uv_buf_t buf = uv_buf_init(
        flow->ring + flow->written % RING, (unsigned)length);
    flow->writing = length;
    flow->pair->proxy->tally.pieces++;
    if (uv_write(&flow->write, (uv_stream_t *)flow->to, &buf, 1,
            on_written) != 0) {
        flow->writing = 0;
        broken(flow->pair);
    }
}

static void pump(struct flow *flow)
{
    if (flow->pair->state != OPEN || flow->writing > 0) {
        return;
    }
    if (flow->written == flow->breaks_at) {
        break_off(flow);
    } else if (flow->written < flow->read) {
        uint64_t due = flow->arrival[flow->first].due;
        uint64_t now = uv_hrtime();
        if (flow->free_at > now) {
            due = now_of(flow) + (flow->free_at - now + 999999) / 1000000;
        }
        if (due > now_of(flow)) {
            wait_until(flow, due);
        } else {
            write_piece(flow);
        }
    } else if (flow->written == flow->ends_at && flow->end == FLOWING) {
        pass_end_on(flow);
    }
}

/* ---- what comes in ---- */

/* Room that is in one piece; 0: none. */
static size_t room_of(const struct flow *flow)
{
    size_t free_bytes = RING - (size_t)(flow->read - flow->written);
    size_t at = (size_t)(flow->read % RING);
    return flow->arrivals == READS ? 0
                                   : (size_t)least(free_bytes, RING - at);
}

static struct flow *flow_from(uv_stream_t *from)
{
    struct pair *pair = from->data;
    return from == (uv_stream_t *)&pair->client ? &pair->to_target
                                                : &pair->to_client;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char dropped[RING];
    struct flow *flow = flow_from((uv_stream_t *)handle);
    (void)suggested;
    if (flow->pair->state == CUT) {
        *buf = uv_buf_init(dropped, sizeof(dropped));
        return;
    }
    *buf = uv_buf_init(
        flow->ring + flow->read % RING, (unsigned)room_of(flow));
}

static void arrived(struct flow *flow, uint64_t length)
{
    const struct plan *plan = &flow->pair->proxy->plan;
    uint64_t due = now_of(flow) + plan->delay_ms +
                   fate_draw(&flow->fate, 0, plan->jitter_ms);
    unsigned at = (flow->first + flow->arrivals) % READS;
    if (flow->arrivals > 0) { /* never before the one in front of it */
        uint64_t before = flow->arrival[(at + READS - 1) % READS].due;
        due = due > before ? due : before;
    }
    flow->read += length;
    flow->arrival[at] = (struct arrival){.end = flow->read, .due = due};
    flow->arrivals++;
    if (room_of(flow) == 0) {
        flow->paused = true;
        (void)uv_read_stop((uv_stream_t *)flow->from); /* always 0 */
    }
    pump(flow);
}

static void on_read(uv_stream_t *from, ssize_t nread, const uv_buf_t *buf)
{
    struct flow *flow = flow_from(from);
    struct pair *pair = flow->pair;
    (void)buf; /* it is in the ring */
    if (nread == UV_EOF) {
        nread = tlr_cli_end_of_stream((uv_tcp_t *)from);
    }
    if (pair->state == CUT && nread >= 0) {
        return;
    }
    if (nread > 0) {
        arrived(flow, (uint64_t)nread);
    } else if (nread == UV_EOF) {
        flow->ends_at = flow->read;
        if (pair->state == CUT) {
            close_if_both_ended(pair);
        } else {
            pump(flow);
        }
    } else if (nread < 0) {
        broken(pair);
    }
}

static void start_reading(struct flow *flow)
{
    if (uv_read_start((uv_stream_t *)flow->from, on_alloc, on_read) != 0) {
        broken(flow->pair);
    }
}

static void unpause(struct flow *flow)
{
    if (flow->paused && (flow->pair->state == CUT || room_of(flow) > 0)) {
        flow->paused = false;
        start_reading(flow);
    }
}

/* ---- the begin of a pair ---- */

static void on_connected(uv_connect_t *request, int status)
{
    struct pair *pair = request->data;
    if (pair->state != DIALING) {
        return; /* closing: cancelled */
    }
    if (status != 0) {
        pair->proxy->tally.refused++;
        close_pair(pair, true);
        return;
    }
    pair->state = OPEN;
    /* Only pieces would be joined if it failed. */
    (void)uv_tcp_nodelay(&pair->client, 1);
    (void)uv_tcp_nodelay(&pair->target, 1);
    start_reading(&pair->to_target);
    if (pair->state == OPEN) {
        start_reading(&pair->to_client);
    }
}

static void flow_init(struct flow *flow, struct pair *pair, uv_tcp_t *from,
    uv_tcp_t *to, uint64_t which)
{
    const struct plan *plan = &pair->proxy->plan;
    flow->pair = pair;
    flow->from = from;
    flow->to = to;
    (void)uv_timer_init(pair->proxy->loop, &flow->timer); /* always 0 */
    flow->timer.data = pair;
    flow->write.data = flow;
    flow->shutdown.data = flow;
    flow->fate = fate_of(plan->seed, pair->number, which);
    flow->ends_at = UINT64_MAX;
    flow->breaks_at = UINT64_MAX;
    flow->stalls_at = plan->stall_ms == 0
                          ? UINT64_MAX
                          : fate_draw(&flow->fate, 1, 2 * plan->stall_every);
}

/* Whether, in which flow and where the pair will be broken. */
static void decide(struct pair *pair)
{
    const struct plan *plan = &pair->proxy->plan;
    struct fate fate = fate_of(plan->seed, pair->number, 0);
    uint64_t percent = fate_draw(&fate, 0, 99);
    if (percent < plan->cut_percent) {
        pair->ending = ENDING_CUT;
    } else if (percent < plan->cut_percent + plan->reset_percent) {
        pair->ending = ENDING_RESET;
    } else {
        return;
    }
    struct flow *flow =
        fate_draw(&fate, 0, 1) == 0 ? &pair->to_target : &pair->to_client;
    flow->breaks_at = fate_draw(&fate, 1, plan->break_within);
}

static void tcp_init(struct pair *pair, uv_tcp_t *tcp)
{
    int err = uv_tcp_init(pair->proxy->loop, tcp);
    TLR_CLI_CHECK(err == 0); /* makes no descriptor, so it cannot fail */
    tcp->data = pair;
}

static void link_pair(struct proxy *proxy, struct pair *pair)
{
    pair->next = proxy->pairs;
    pair->link = &proxy->pairs;
    if (pair->next != NULL) {
        pair->next->link = &pair->next;
    }
    proxy->pairs = pair;
}

int proxy_accept(struct proxy *proxy, uv_stream_t *listener)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    TLR_CLI_CHECK(pair != NULL);
    pair->proxy = proxy;
    pair->handles = HANDLES;
    pair->number = proxy->tally.accepted;
    link_pair(proxy, pair);
    tcp_init(pair, &pair->client);
    tcp_init(pair, &pair->target);
    flow_init(&pair->to_target, pair, &pair->client, &pair->target, 1);
    flow_init(&pair->to_client, pair, &pair->target, &pair->client, 2);
    decide(pair);
    int err = uv_accept(listener, (uv_stream_t *)&pair->client);
    if (err == 0) {
        proxy->tally.accepted++;
        pair->connect.data = pair;
        err = uv_tcp_connect(&pair->connect, &pair->target,
            (const struct sockaddr *)&proxy->plan.target, on_connected);
        proxy->tally.refused += err != 0;
    }
    if (err != 0) {
        close_pair(pair, false);
    }
    return err;
}

void proxy_stop(struct proxy *proxy)
{
    for (struct pair *pair = proxy->pairs; pair != NULL; pair = pair->next) {
        proxy->tally.left += pair->state == OPEN || pair->state == DIALING;
        close_pair(pair, true);
    }
}
