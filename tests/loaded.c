/* SPDX-License-Identifier: MIT */
/*
 * All that is due later is in one row, for what all wait for is the same. Timers
 * of libuv are right to a millisecond or two: where it matters, the rest of the
 * time is spent turning.
 */
#include "loaded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"
#include "load/pattern.h"

#define NS_PER_MS UINT64_C(1000000)

enum { TURNING_MS = 2, WAITING_MOST = 1 << 20 };

struct victim {
    uv_tcp_t tcp; /* first: the handle is the victim */
    uv_shutdown_t shutdown;
    bool ended; /* our side */
    bool over;  /* the other one */
    bool reads;
    uint32_t number;
    uint8_t begin[8]; /* of what it has sent: tells the number */
    uint64_t received;
    uint64_t answered;
    unsigned parcels; /* that are due later */
    bool closed;
    struct victim *next;
};

/* Bytes, or with none the end, that are due. */
struct parcel {
    struct parcel *next;
    struct victim *victim;
    uint64_t due;
    size_t size;
    uv_write_t request;
    uint8_t bytes[];
};

struct lies lies;
struct seen seen;
struct said said;
unsigned stop_after[2];

static struct {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_idle_t turning;
    uv_timer_t stops[2];
    struct sockaddr_storage address;
    struct victim *victims;
    struct parcel *first;
    struct parcel **last;
    struct tlr_load_run *run;
    uint64_t begun;
} at;

/* ---- the server ---- */

static bool is_spared(const struct victim *victim)
{
    return lies.spared && victim->number != lies.only;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char bytes[65536]; /* is read right after this */
    (void)handle;
    (void)size;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

/* Reads only as long as not too much waits to be taken. */
static void read_or_not(struct victim *victim)
{
    uv_stream_t *stream = (uv_stream_t *)&victim->tcp;
    bool waits = uv_stream_get_write_queue_size(stream) > WAITING_MOST;
    if (waits && victim->reads) {
        (void)uv_read_stop(stream); /* always 0 */
    } else if (!waits && !victim->reads && !lies.deaf) {
        assert_int_equal(uv_read_start(stream, on_alloc, on_read), 0);
    }
    victim->reads = !waits;
}

static void on_written(uv_write_t *request, int status)
{
    struct victim *victim = (struct victim *)request->handle;
    (void)status; /* the other side may have left */
    free(request->data);
    if (!victim->over && !uv_is_closing((uv_handle_t *)&victim->tcp)) {
        read_or_not(victim);
    }
}

static void on_victim_closed(uv_handle_t *handle)
{
    struct victim *victim = (struct victim *)handle;
    struct victim **link = &at.victims;
    while (*link != victim) {
        link = &(*link)->next;
    }
    *link = victim->next;
    victim->closed = true;
    if (victim->parcels == 0) {
        free(victim);
    }
}

static void close_victim(struct victim *victim)
{
    if (!uv_is_closing((uv_handle_t *)&victim->tcp)) {
        uv_close((uv_handle_t *)&victim->tcp, on_victim_closed);
    }
}

static void on_victim_shut_down(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* the client closes, or the run's end does */
}

static void end_side(struct victim *victim, bool close)
{
    if (!victim->ended) {
        victim->ended = true;
        (void)uv_shutdown(&victim->shutdown, (uv_stream_t *)&victim->tcp,
            on_victim_shut_down);
    }
    if (close) {
        close_victim(victim);
    }
}

static void on_both_ended(uv_shutdown_t *request, int status)
{
    (void)status; /* closed either way */
    close_victim((struct victim *)request->handle);
}

static void send_parcel(struct parcel *parcel)
{
    struct victim *victim = parcel->victim;
    uv_buf_t buf = uv_buf_init((char *)parcel->bytes, (unsigned)parcel->size);
    parcel->request.data = parcel;
    if (victim->closed || uv_is_closing((uv_handle_t *)&victim->tcp)) {
        free(parcel);
    } else if (parcel->size == 0) {
        free(parcel);
        if (victim->ended ||
            uv_shutdown(&victim->shutdown, (uv_stream_t *)&victim->tcp,
                on_both_ended) != 0) {
            close_victim(victim);
        }
        victim->ended = true;
    } else if (uv_write(&parcel->request, (uv_stream_t *)&victim->tcp, &buf, 1,
                   on_written) != 0) {
        free(parcel);
    }
}

static void look_at_parcels(void);

static void on_turn(uv_idle_t *idle)
{
    (void)idle;
    look_at_parcels();
}

static void on_parcel_timer(uv_timer_t *timer)
{
    (void)timer;
    look_at_parcels();
}

/* Sends those that are due, and waits for the next. */
static void look_at_parcels(void)
{
    uint64_t now = uv_hrtime();
    while (at.first != NULL && at.first->due <= now) {
        struct parcel *parcel = at.first;
        struct victim *victim = parcel->victim;
        at.first = parcel->next;
        if (at.first == NULL) {
            at.last = &at.first;
        }
        victim->parcels--;
        send_parcel(parcel);
        if (victim->closed && victim->parcels == 0) {
            free(victim);
        }
    }
    (void)uv_idle_stop(&at.turning); /* always 0 */
    if (at.first == NULL) {
        return;
    }
    uint64_t wait = (at.first->due - now) / NS_PER_MS;
    if (wait <= TURNING_MS) {
        assert_int_equal(uv_idle_start(&at.turning, on_turn), 0);
    } else {
        uv_update_time(&at.loop);
        assert_int_equal(uv_timer_start(&at.timer, on_parcel_timer,
            wait - TURNING_MS, 0), 0);
    }
}

static uint64_t due_time(void)
{
    uint64_t now = uv_hrtime();
    bool slow = lies.delay_until == 0 ||
                now < seen.first_at + lies.delay_until * NS_PER_MS;
    uint64_t due = now + (slow ? lies.delay_ms : 0) * NS_PER_MS;
    if (lies.stall_ms != 0) {
        uint64_t every = lies.every_ms * NS_PER_MS;
        uint64_t stall = lies.stall_ms * NS_PER_MS;
        uint64_t phase = (now - seen.first_at) % every;
        uint64_t from = (every - stall) / 2;
        if (phase >= from && phase < from + stall) {
            due = now + from + stall - phase;
        }
    }
    return due;
}

static struct parcel *post(struct victim *victim, const void *bytes, size_t size)
{
    struct parcel *parcel = malloc(sizeof(*parcel) + size);
    assert_non_null(parcel);
    if (size > 0) {
        memcpy(parcel->bytes, bytes, size);
    }
    parcel->victim = victim;
    parcel->size = size;
    parcel->due = due_time();
    parcel->next = NULL;
    *at.last = parcel;
    at.last = &parcel->next;
    victim->parcels++;
    return parcel;
}

static void learn_number(
    struct victim *victim, const uint8_t *bytes, size_t size)
{
    uint64_t index;
    for (size_t i = 0; i < size && victim->received + i < 8; i++) {
        victim->begin[victim->received + i] = bytes[i];
    }
    if (victim->received < 8 && victim->received + size >= 8) {
        tlr_load_pattern_origin(
            tlr_load_pattern_load(victim->begin), &victim->number, &index);
    }
}

static void answer(struct victim *victim, const uint8_t *bytes, size_t size)
{
    bool spared = is_spared(victim);
    uint64_t end = UINT64_MAX;
    if (!spared && lies.silent_from != 0) {
        end = lies.silent_from - 1;
    }
    if (!spared && lies.end_after != 0) {
        end = lies.end_after;
    }
    uint64_t room = end - victim->answered;
    size = size < room ? size : (size_t)room;
    if (size > 0) {
        struct parcel *parcel = post(victim, bytes, size);
        uint64_t flip = lies.flip - 1 - victim->answered;
        if (!spared && lies.flip != 0 && flip < size) {
            parcel->bytes[flip] ^= 0x10;
        }
        victim->answered += size;
        look_at_parcels();
    }
    if (!spared && lies.end_after != 0 && victim->answered == end) {
        end_side(victim, false);
    }
}

static void receive(struct victim *victim, const uint8_t *bytes, size_t size)
{
    learn_number(victim, bytes, size);
    seen.bytes += size;
    victim->received += size;
    if (lies.closes_from != 0 && victim->received >= lies.closes_from &&
        !is_spared(victim)) {
        close_victim(victim);
        return;
    }
    answer(victim, bytes, size);
}

static void on_end(struct victim *victim)
{
    if (lies.never_ends && !is_spared(victim)) {
        return;
    }
    if (lies.surplus && !is_spared(victim)) {
        (void)post(victim, "surplus", 7);
    }
    (void)post(victim, NULL, 0);
    look_at_parcels();
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct victim *victim = (struct victim *)stream;
    if (nread > 0) {
        receive(victim, (const uint8_t *)buf->base, (size_t)nread);
        if (!uv_is_closing((uv_handle_t *)stream)) {
            read_or_not(victim);
        }
    } else if (nread == UV_EOF) {
        victim->over = true;
        on_end(victim);
    } else if (nread < 0) {
        close_victim(victim);
    }
}

static void note_source(const uv_tcp_t *tcp)
{
    struct sockaddr_storage peer;
    char name[64] = "";
    unsigned i = 0;
    int length = sizeof(peer);
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &length) != 0) {
        return; /* has left */
    }
    (void)uv_ip_name((struct sockaddr *)&peer, name, sizeof(name));
    while (i < seen.source_count &&
           strcmp(seen.sources[i].address, name) != 0) {
        i++;
    }
    if (i < LOADED_SOURCES) {
        (void)snprintf(seen.sources[i].address, 64, "%s", name);
        seen.sources[i].count++;
        seen.source_count += i == seen.source_count;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    if (lies.takes_none) {
        return; /* without an accept libuv looks at no other one */
    }
    struct victim *victim = calloc(1, sizeof(*victim));
    assert_non_null(victim);
    victim->number = UINT32_MAX;
    victim->next = at.victims;
    at.victims = victim;
    assert_int_equal(uv_tcp_init(listener->loop, &victim->tcp), 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&victim->tcp), 0);
    (void)uv_tcp_nodelay(&victim->tcp, 1); /* it may have left */
    seen.last_at = uv_hrtime();
    seen.first_at = seen.accepted == 0 ? seen.last_at : seen.first_at;
    seen.accepted++;
    note_source(&victim->tcp);
    if (lies.closes) {
        close_victim(victim);
        return;
    }
    if (lies.hello != NULL) {
        (void)post(victim, lies.hello, strlen(lies.hello));
        look_at_parcels();
    }
    read_or_not(victim);
}

static void bind_somewhere(uv_loop_t *loop, uv_tcp_t *tcp,
    struct sockaddr_storage *address)
{
    int length = sizeof(*address);
    memset(address, 0, sizeof(*address));
    if (lies.on_ipv6) {
        (void)uv_ip6_addr("::1", 0, (struct sockaddr_in6 *)address);
    } else {
        (void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)address);
    }
    assert_int_equal(uv_tcp_init(loop, tcp), 0);
    if (uv_tcp_bind(tcp, (struct sockaddr *)address, 0) != 0) {
        uv_close((uv_handle_t *)tcp, NULL);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(loop), 0);
        print_message("there is no IPv6 here\n");
        skip();
    }
    memset(address, 0, sizeof(*address));
    assert_int_equal(
        uv_tcp_getsockname(tcp, (struct sockaddr *)address, &length), 0);
}

/*
 * Bound, and never listening. By hand: libuv sets SO_REUSEADDR, and with that the
 * kernel may give the same port to a listener of another test's, which would then
 * get our connections. The end of the process lets go of it.
 */
void loaded_nobody(struct sockaddr_storage *address)
{
    socklen_t length = sizeof(struct sockaddr_in);
    uv_loop_t loop;
    uv_os_sock_t sock;
    assert_int_equal(uv_loop_init(&loop), 0); /* starts Winsock */
    assert_int_equal(uv_loop_close(&loop), 0);
    memset(address, 0, sizeof(*address));
    (void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)address);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(sock, (struct sockaddr *)address, length), 0);
    assert_int_equal(
        getsockname(sock, (struct sockaddr *)address, &length), 0);
}

/* ---- the run ---- */

static void on_problem(void *data, const char *line)
{
    (void)data;
    if (said.lines < LOADED_LINES) {
        (void)snprintf(said.line[said.lines], LOADED_LINE, "%s", line);
    }
    said.lines++;
}

static void on_begun(void *data)
{
    (void)data;
    said.begun++;
}

static void on_interval(void *data, const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    (void)data;
    assert_true(interval->seconds >= 0);
    assert_true(interval->round_trips == figures->round_trips);
    assert_true(interval->busy >= 0 && interval->busy <= 1);
    said.intervals++;
    said.interval_trips += interval->round_trips;
    said.interval_errors += interval->errors;
    said.interval_seconds += interval->seconds;
    if (interval->open > said.open_most) {
        said.open_most = interval->open;
    }
}

static void on_done(void *data, const struct tlr_load_result *result)
{
    (void)data;
    said.done = true;
    said.total = result->total;
    said.seconds = result->seconds;
    said.took = (double)(uv_hrtime() - at.begun) / 1e9;
    said.good = tlr_load_result_is_good(result);
    said.stopped_early = result->stopped_early;
    said.aborted = result->aborted;
    *said.figures = *result->figures;
    uv_close((uv_handle_t *)&at.listener, NULL);
    uv_close((uv_handle_t *)&at.timer, NULL);
    uv_close((uv_handle_t *)&at.turning, NULL);
    uv_close((uv_handle_t *)&at.stops[0], NULL);
    uv_close((uv_handle_t *)&at.stops[1], NULL);
    for (struct victim *v = at.victims; v != NULL; v = v->next) {
        close_victim(v);
    }
    while (at.first != NULL) {
        struct parcel *parcel = at.first;
        at.first = parcel->next;
        parcel->victim->parcels--;
        if (parcel->victim->closed && parcel->victim->parcels == 0) {
            free(parcel->victim);
        }
        free(parcel);
    }
}

static const struct tlr_load_callbacks callbacks = {
    .problem = on_problem,
    .begun = on_begun,
    .interval = on_interval,
    .done = on_done,
};

static void on_stop(uv_timer_t *timer)
{
    (void)timer;
    tlr_load_run_stop(at.run);
}

int loaded_setup(void **state)
{
    (void)state;
    tlr_cli_ignore_sigpipe();
    memset(&lies, 0, sizeof(lies));
    memset(&seen, 0, sizeof(seen));
    memset(stop_after, 0, sizeof(stop_after));
    return 0;
}

struct tlr_load_plan loaded_plan(enum tlr_load_mode mode)
{
    return (struct tlr_load_plan){
        .mode = mode,
        .connections = 3,
        .loops = 1,
        .depth = 1,
        .size = 64,
        .duration_ms = 300,
        .timeout_ms = 2000,
    };
}

static void init(void)
{
    static struct tlr_load_figures figures; /* too large for a stack */
    memset(&at, 0, sizeof(at));
    memset(&said, 0, sizeof(said));
    said.figures = &figures;
    at.last = &at.first;
    assert_int_equal(uv_loop_init(&at.loop), 0);
    bind_somewhere(&at.loop, &at.listener, &at.address);
    assert_int_equal(uv_timer_init(&at.loop, &at.timer), 0);
    assert_int_equal(uv_idle_init(&at.loop, &at.turning), 0);
}

void loaded_run(const struct tlr_load_plan *given)
{
    struct tlr_load_plan plan = *given;
    struct sockaddr_storage addresses[4] = {{0}};
    init();
    if (plan.addresses != NULL) {
        assert_in_range(plan.address_count, 1, 4);
        memcpy(addresses, plan.addresses,
            plan.address_count * sizeof(addresses[0]));
    } else {
        plan.address_count = 1;
    }
    plan.addresses = addresses;
    for (size_t i = 0; i < plan.address_count; i++) {
        if (addresses[i].ss_family == AF_UNSPEC) {
            addresses[i] = at.address;
        }
    }
    assert_int_equal(uv_listen((uv_stream_t *)&at.listener,
        lies.takes_none ? 1 : 512, on_connection), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uv_timer_init(&at.loop, &at.stops[i]), 0);
        if (stop_after[i] != 0) {
            assert_int_equal(
                uv_timer_start(&at.stops[i], on_stop, stop_after[i], 0), 0);
        }
    }
    at.begun = uv_hrtime();
    assert_int_equal(tlr_load_run_start(
        &at.run, &at.loop, &plan, &callbacks, NULL), 0);
    (void)uv_run(&at.loop, UV_RUN_DEFAULT);
    assert_true(said.done);
    assert_int_equal(uv_loop_close(&at.loop), 0);
    /* What holds for each run. */
    assert_true(said.begun <= 1);
    assert_true(said.interval_trips == said.figures->round_trips);
    assert_true(said.figures->errors == said.interval_errors);
    assert_true(said.open_most <= plan.connections);
    assert_true(
        said.good == (tlr_load_tally_failed(&said.total) == 0));
}

double loaded_ms(const struct tlr_load_plan *plan, double percent)
{
    return (double)tlr_load_histogram_percentile(
               &said.figures->latency[tlr_load_main_measure(plan)], percent) /
           1e6;
}

void loaded_expect(const char *words)
{
    unsigned lines = said.lines < LOADED_LINES ? said.lines : LOADED_LINES;
    for (unsigned i = 0; i < lines; i++) {
        if (strstr(said.line[i], words) != NULL) {
            return;
        }
    }
    for (unsigned i = 0; i < lines; i++) {
        print_error("%s\n", said.line[i]);
    }
    fail_msg("none of %u lines says \"%s\"", said.lines, words);
}
