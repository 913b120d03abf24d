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

#include "cli/limits.h"
#include "cli/signals.h"
#include "load/pattern.h"

#define NS_PER_MS UINT64_C(1000000)

enum { TURNING_MS = 2, WAITING_MOST = 1 << 20 };

struct trial;

struct victim {
    uv_tcp_t tcp; /* first: the handle is the victim */
    struct trial *trial;
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

/* A run and its server. */
struct trial {
    struct lies lies;
    struct seen seen;
    struct said said;
    struct stops stops;
    struct tlr_load_figures *figures;
    struct tlr_load_plan plan;
    struct sockaddr_storage addresses[4]; /* of the plan */
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_idle_t turning;
    uv_timer_t stop_timers[2];
    struct sockaddr_storage address;
    struct victim *victims;
    struct parcel *first;
    struct parcel **last;
    struct tlr_load_run *run;
    uint64_t begun;
    uint64_t trickled; /* uv_hrtime(): when all that waits has */
};

static struct trial trials[LOADED_TRIALS];
static uv_loop_t loop;
static unsigned going; /* of them */

struct lies *lies;
struct seen *seen;
struct said *said;
struct stops *stops;

/* ---- the server ---- */

static bool is_spared(const struct victim *victim)
{
    return victim->trial->lies.spared && victim->number != victim->trial->lies.only;
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
    } else if (!waits && !victim->reads && !victim->trial->lies.deaf) {
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
    struct victim **link = &victim->trial->victims;
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

static void look_at_parcels(struct trial *trial);

static void on_turn(uv_idle_t *idle)
{
    look_at_parcels(idle->data);
}

static void on_parcel_timer(uv_timer_t *timer)
{
    look_at_parcels(timer->data);
}

/* Sends those that are due, and waits for the next. */
static void look_at_parcels(struct trial *trial)
{
    uint64_t now = uv_hrtime();
    while (trial->first != NULL && trial->first->due <= now) {
        struct parcel *parcel = trial->first;
        struct victim *victim = parcel->victim;
        trial->first = parcel->next;
        if (trial->first == NULL) {
            trial->last = &trial->first;
        }
        victim->parcels--;
        send_parcel(parcel);
        if (victim->closed && victim->parcels == 0) {
            free(victim);
        }
    }
    (void)uv_idle_stop(&trial->turning); /* always 0 */
    if (trial->first == NULL) {
        return;
    }
    uint64_t wait = (trial->first->due - now) / NS_PER_MS;
    if (wait <= TURNING_MS) {
        assert_int_equal(uv_idle_start(&trial->turning, on_turn), 0);
    } else {
        uv_update_time(&loop);
        assert_int_equal(uv_timer_start(&trial->timer, on_parcel_timer,
            wait - TURNING_MS, 0), 0);
    }
}

/* When the last of these bytes trickles. */
static uint64_t trickled(struct trial *trial, size_t size)
{
    uint64_t now = uv_hrtime();
    uint64_t takes = size * NS_PER_MS / trial->lies.trickle;
    trial->trickled = takes + (trial->trickled > now ? trial->trickled : now);
    return trial->trickled;
}

static uint64_t due_time(const struct trial *trial)
{
    uint64_t now = uv_hrtime();
    bool slow = trial->lies.delay_until == 0 ||
                now < trial->seen.first_at + trial->lies.delay_until * NS_PER_MS;
    uint64_t due = now + (slow ? trial->lies.delay_ms : 0) * NS_PER_MS;
    if (trial->lies.stall_ms != 0) {
        uint64_t every = trial->lies.every_ms * NS_PER_MS;
        uint64_t stall = trial->lies.stall_ms * NS_PER_MS;
        uint64_t phase = (now - trial->seen.first_at) % every;
        uint64_t from = (every - stall) / 2;
        if (phase >= from && phase < from + stall) {
            due = now + from + stall - phase;
        }
    }
    return due;
}

static struct parcel *post(
    struct victim *victim, const void *bytes, size_t size)
{
    struct parcel *parcel = malloc(sizeof(*parcel) + size);
    assert_non_null(parcel);
    if (size > 0) {
        memcpy(parcel->bytes, bytes, size);
    }
    parcel->victim = victim;
    parcel->size = size;
    parcel->due = victim->trial->lies.trickle == 0
                      ? due_time(victim->trial)
                      : trickled(victim->trial, size);
    parcel->next = NULL;
    *victim->trial->last = parcel;
    victim->trial->last = &parcel->next;
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
    if (!spared && victim->trial->lies.silent_from != 0) {
        end = victim->trial->lies.silent_from - 1;
    }
    if (!spared && victim->trial->lies.end_after != 0) {
        end = victim->trial->lies.end_after;
    }
    uint64_t room = end - victim->answered;
    size = size < room ? size : (size_t)room;
    if (size > 0) {
        struct parcel *parcel = post(victim, bytes, size);
        uint64_t flip = victim->trial->lies.flip - 1 - victim->answered;
        if (!spared && victim->trial->lies.flip != 0 && flip < size) {
            parcel->bytes[flip] ^= 0x10;
        }
        victim->answered += size;
        look_at_parcels(victim->trial);
    }
    if (!spared && victim->trial->lies.end_after != 0 && victim->answered == end) {
        end_side(victim, false);
    }
}

static void receive(struct victim *victim, const uint8_t *bytes, size_t size)
{
    learn_number(victim, bytes, size);
    victim->trial->seen.bytes += size;
    victim->received += size;
    if (victim->trial->lies.closes_from != 0 && victim->received >= victim->trial->lies.closes_from &&
        !is_spared(victim)) {
        close_victim(victim);
        return;
    }
    answer(victim, bytes, size);
}

static void on_end(struct victim *victim)
{
    if (victim->trial->lies.never_ends && !is_spared(victim)) {
        return;
    }
    if (victim->trial->lies.surplus && !is_spared(victim)) {
        (void)post(victim, "surplus", 7);
    }
    (void)post(victim, NULL, 0);
    look_at_parcels(victim->trial);
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

static void note_source(struct trial *trial, const uv_tcp_t *tcp)
{
    struct sockaddr_storage peer;
    char name[64] = "";
    unsigned i = 0;
    int length = sizeof(peer);
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &length) != 0) {
        return; /* has left */
    }
    (void)uv_ip_name((struct sockaddr *)&peer, name, sizeof(name));
    while (i < trial->seen.source_count &&
           strcmp(trial->seen.sources[i].address, name) != 0) {
        i++;
    }
    if (i < LOADED_SOURCES) {
        (void)snprintf(trial->seen.sources[i].address, 64, "%s", name);
        trial->seen.sources[i].count++;
        trial->seen.source_count += i == trial->seen.source_count;
    }
}

static void start_stops(struct trial *trial);

static void on_connection(uv_stream_t *listener, int status)
{
    struct trial *trial = listener->data;
    assert_int_equal(status, 0);
    if (trial->lies.takes_none) {
        return; /* without an accept libuv looks at no other one */
    }
    struct victim *victim = calloc(1, sizeof(*victim));
    assert_non_null(victim);
    victim->trial = trial;
    victim->number = UINT32_MAX;
    victim->next = trial->victims;
    trial->victims = victim;
    assert_int_equal(uv_tcp_init(listener->loop, &victim->tcp), 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&victim->tcp), 0);
    (void)uv_tcp_nodelay(&victim->tcp, 1); /* it may have left */
    trial->seen.last_at = uv_hrtime();
    trial->seen.first_at = trial->seen.accepted == 0 ? trial->seen.last_at : trial->seen.first_at;
    trial->seen.accepted++;
    note_source(trial, &victim->tcp);
    if (trial->seen.accepted == trial->stops.from) {
        start_stops(trial);
    }
    if (trial->lies.closes) {
        close_victim(victim);
        return;
    }
    if (trial->lies.hello != NULL) {
        (void)post(victim, trial->lies.hello, strlen(trial->lies.hello));
        look_at_parcels(trial);
    }
    read_or_not(victim);
}

static void bind_somewhere(struct trial *trial)
{
    struct sockaddr_storage *address = &trial->address;
    uv_tcp_t *tcp = &trial->listener;
    int length = sizeof(*address);
    memset(address, 0, sizeof(*address));
    if (trial->lies.on_ipv6) {
        (void)uv_ip6_addr("::1", 0, (struct sockaddr_in6 *)address);
    } else {
        (void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)address);
    }
    assert_int_equal(uv_tcp_init(&loop, tcp), 0);
    if (uv_tcp_bind(tcp, (struct sockaddr *)address, 0) != 0) {
        assert_int_equal(going, 0); /* that test has no other one */
        uv_close((uv_handle_t *)tcp, NULL);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
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
    uv_loop_t any;
    uv_os_sock_t sock;
    assert_int_equal(uv_loop_init(&any), 0); /* starts Winsock */
    assert_int_equal(uv_loop_close(&any), 0);
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
    struct trial *trial = data;
    if (trial->said.lines < LOADED_LINES) {
        (void)snprintf(trial->said.line[trial->said.lines], LOADED_LINE, "%s", line);
    }
    trial->said.lines++;
}

static void on_begun(void *data)
{
    ((struct trial *)data)->said.begun++;
}

static void on_interval(void *data, const struct tlr_load_interval *interval,
    const struct tlr_load_figures *figures)
{
    struct trial *trial = data;
    assert_true(interval->seconds >= 0);
    assert_true(interval->round_trips == figures->round_trips);
    assert_true(interval->busy >= 0 && interval->busy <= 1);
    trial->said.intervals++;
    trial->said.interval_trips += interval->round_trips;
    trial->said.interval_errors += interval->errors;
    trial->said.interval_seconds += interval->seconds;
    if (interval->open > trial->said.open_most) {
        trial->said.open_most = interval->open;
    }
}

static void close_server(struct trial *trial)
{
    uv_close((uv_handle_t *)&trial->listener, NULL);
    uv_close((uv_handle_t *)&trial->timer, NULL);
    uv_close((uv_handle_t *)&trial->turning, NULL);
    uv_close((uv_handle_t *)&trial->stop_timers[0], NULL);
    uv_close((uv_handle_t *)&trial->stop_timers[1], NULL);
    for (struct victim *v = trial->victims; v != NULL; v = v->next) {
        close_victim(v);
    }
    while (trial->first != NULL) {
        struct parcel *parcel = trial->first;
        trial->first = parcel->next;
        parcel->victim->parcels--;
        if (parcel->victim->closed && parcel->victim->parcels == 0) {
            free(parcel->victim);
        }
        free(parcel);
    }
}

static void on_done(void *data, const struct tlr_load_result *result)
{
    struct trial *trial = data;
    trial->said.done = true;
    trial->said.total = result->total;
    trial->said.seconds = result->seconds;
    trial->said.took = (double)(uv_hrtime() - trial->begun) / 1e9;
    trial->said.good = tlr_load_result_is_good(result);
    trial->said.stopped_early = result->stopped_early;
    trial->said.aborted = result->aborted;
    trial->said.unmeasured = result->unmeasured;
    trial->said.gave_out = result->gave_out;
    *trial->said.figures = *result->figures;
    close_server(trial);
}

static const struct tlr_load_callbacks callbacks = {
    .problem = on_problem,
    .begun = on_begun,
    .interval = on_interval,
    .done = on_done,
};

static void on_stop(uv_timer_t *timer)
{
    tlr_load_run_stop(((struct trial *)timer->data)->run);
}

static void start_stops(struct trial *trial)
{
    uv_update_time(&loop);
    for (int i = 0; i < 2; i++) {
        unsigned after = trial->stops.after[i];
        if (after != 0) {
            assert_int_equal(
                uv_timer_start(&trial->stop_timers[i], on_stop, after, 0), 0);
        }
    }
}

int loaded_setup(void **state)
{
    (void)state;
    tlr_cli_ignore_sigpipe();
    (void)tlr_cli_raise_descriptor_limit(); /* both ends are here */
    for (unsigned i = 0; i < LOADED_TRIALS; i++) {
        struct tlr_load_figures *figures = trials[i].figures;
        memset(&trials[i], 0, sizeof(trials[i]));
        trials[i].figures = figures;
    }
    going = 0; /* after a test that has failed it is not */
    loaded_turn_to(0);
    return 0;
}

void loaded_turn_to(unsigned i)
{
    assert_in_range(i, 0, LOADED_TRIALS - 1);
    lies = &trials[i].lies;
    seen = &trials[i].seen;
    said = &trials[i].said;
    stops = &trials[i].stops;
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

static struct trial *current(void)
{
    return (struct trial *)lies; /* its first member */
}

static void make_server(struct trial *trial)
{
    if (going == 0) {
        assert_int_equal(uv_loop_init(&loop), 0);
    }
    if (trial->figures == NULL) { /* is kept for the next one */
        trial->figures = malloc(sizeof(*trial->figures));
        assert_non_null(trial->figures);
    }
    memset(&trial->seen, 0, sizeof(trial->seen));
    memset(&trial->said, 0, sizeof(trial->said));
    trial->said.figures = trial->figures;
    trial->first = NULL;
    trial->last = &trial->first;
    bind_somewhere(trial);
    going++;
    assert_int_equal(uv_timer_init(&loop, &trial->timer), 0);
    assert_int_equal(uv_idle_init(&loop, &trial->turning), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uv_timer_init(&loop, &trial->stop_timers[i]), 0);
        trial->stop_timers[i].data = trial;
    }
    trial->listener.data = trial;
    trial->timer.data = trial;
    trial->turning.data = trial;
    assert_int_equal(uv_listen((uv_stream_t *)&trial->listener,
        trial->lies.takes_none ? 1 : 512, on_connection), 0);
}

static void take_plan(struct trial *trial, const struct tlr_load_plan *given)
{
    struct tlr_load_plan *plan = &trial->plan;
    *plan = *given;
    memset(trial->addresses, 0, sizeof(trial->addresses));
    if (plan->addresses != NULL) {
        assert_in_range(plan->address_count, 1, 4);
        memcpy(trial->addresses, plan->addresses,
            plan->address_count * sizeof(trial->addresses[0]));
    } else {
        plan->address_count = 1;
    }
    plan->addresses = trial->addresses;
    for (size_t i = 0; i < plan->address_count; i++) {
        if (trial->addresses[i].ss_family == AF_UNSPEC) {
            trial->addresses[i] = trial->address;
        }
    }
}

void loaded_begin(const struct tlr_load_plan *plan)
{
    struct trial *trial = current();
    make_server(trial);
    take_plan(trial, plan);
    trial->begun = uv_hrtime();
    assert_int_equal(tlr_load_run_start(
        &trial->run, &loop, &trial->plan, &callbacks, trial), 0);
    if (trial->stops.from == 0) {
        start_stops(trial);
    }
}

/* What holds for each run. */
static void expect_sound(const struct trial *trial)
{
    assert_true(trial->said.done);
    assert_true(trial->said.begun <= 1);
    assert_true(trial->said.interval_trips == trial->said.figures->round_trips);
    assert_true(trial->said.figures->errors == trial->said.interval_errors);
    assert_true(trial->said.open_most <= trial->plan.connections);
    assert_true(trial->said.good ==
                (tlr_load_tally_failed(&trial->said.total) == 0 &&
                    trial->said.total.connected > 0));
}

/* ---- a witness: how much of the time the machine gave us ---- */

enum { WITNESS_MS = 10, PUNCTUAL_MS = 2 };

static struct {
    uv_timer_t timer;
    uint64_t begin;
    uint64_t last;
    uint64_t lost;  /* ns that it came too late */
    uint64_t worst; /* ns, once */
} witness;

static void on_witness(uv_timer_t *timer)
{
    uint64_t now = uv_hrtime();
    uint64_t late = now - witness.last;
    (void)timer;
    late -= WITNESS_MS * NS_PER_MS < late ? WITNESS_MS * NS_PER_MS : late;
    late = late > PUNCTUAL_MS * NS_PER_MS ? late : 0;
    witness.lost += late;
    witness.worst = late > witness.worst ? late : witness.worst;
    witness.last = now;
}

static void begin_to_witness(void)
{
    memset(&witness, 0, sizeof(witness));
    witness.begin = uv_hrtime();
    witness.last = witness.begin;
    assert_int_equal(uv_timer_init(&loop, &witness.timer), 0);
    assert_int_equal(
        uv_timer_start(&witness.timer, on_witness, WITNESS_MS, WITNESS_MS), 0);
    uv_unref((uv_handle_t *)&witness.timer);
}

static void end_witnessing(void)
{
    on_witness(&witness.timer);
    uv_close((uv_handle_t *)&witness.timer, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* until it is closed */
}

bool loaded_was_starved(void)
{
    uint64_t took = witness.last - witness.begin;
    return witness.lost > took / 20 || witness.worst > 150 * NS_PER_MS;
}

void loaded_in_time(bool holds, const char *what, const char *file, int line)
{
    if (!holds && loaded_was_starved()) {
        print_message("%s:%d: %s does not hold, but this machine has lost %u of "
                      "%u ms, %u of them at once: not judged\n",
            file, line, what, (unsigned)(witness.lost / NS_PER_MS),
            (unsigned)((witness.last - witness.begin) / NS_PER_MS),
            (unsigned)(witness.worst / NS_PER_MS));
        skip();
    }
    _assert_true(holds, what, file, line);
}

void loaded_wait(void)
{
    begin_to_witness();
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    end_witnessing();
    assert_int_equal(uv_loop_close(&loop), 0);
    going = 0;
    for (unsigned i = 0; i < LOADED_TRIALS; i++) {
        if (trials[i].run != NULL) {
            trials[i].run = NULL; /* it is freed */
            expect_sound(&trials[i]);
        }
    }
}

void loaded_run(const struct tlr_load_plan *plan)
{
    loaded_begin(plan);
    loaded_wait();
}

double loaded_ms(const struct tlr_load_plan *plan, double percent)
{
    return (double)tlr_load_histogram_percentile(
               &said->figures->latency[tlr_load_main_measure(plan)], percent) /
           1e6;
}

void loaded_expect(const char *words)
{
    unsigned lines = said->lines < LOADED_LINES ? said->lines : LOADED_LINES;
    for (unsigned i = 0; i < lines; i++) {
        if (strstr(said->line[i], words) != NULL) {
            return;
        }
    }
    for (unsigned i = 0; i < lines; i++) {
        print_error("%s\n", said->line[i]);
    }
    fail_msg("none of %u lines says \"%s\"", said->lines, words);
}
