/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a program of operations on a server and its peers. The first bytes
 * are the options; then comes one operation after the other; then all is ended
 * in one of several ways, and what must be so at the end is checked.
 *
 * On the host loop a program does the same each time, as far as the kernel
 * does: its loopback network delivers while send() runs.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

/* ---- turning -------------------------------------------------------- */

static void turn(void)
{
    world.turns++;
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void on_keeper(uv_timer_t *timer)
{
    (void)timer;
}

/* Of what is waited for: gives the workers' threads time. */
static void wait_a_little(void)
{
    world.turns++;
    (void)uv_run(&world.loop, UV_RUN_ONCE);
}

static void settle(void)
{
    uint64_t before;
    unsigned quiet = 0;
    unsigned i;

    for (i = 0; i < 64 && quiet < 3; i++) {
        before = world.events;
        if (world.on_host) {
            turn();
        } else {
            wait_a_little();
        }
        quiet = world.events == before ? quiet + 1 : 0;
    }
}

/* ---- options -------------------------------------------------------- */

static void trampoline(void (*call)(void *argument), void *argument,
                       void *user)
{
    REQUIRE(NULL, user == &world, "a trampoline of another user");
    world.trampolines++;
    REQUIRE(NULL, world.trampolines == 1, "a trampoline in another");
    call(argument);
    world.trampolines--;
}

static void choose_loops(struct tlr_options *options)
{
    uint8_t byte = input_next(&world.input);

    /* Threads make programs slower, and not the same each time. */
    options->loops = byte < 240 ? TLR_LOOPS_HOST : byte < 248 ? 1 : 2;
    world.on_host = options->loops == TLR_LOOPS_HOST;
    if (byte % 2 == 1) {
        options->trampoline = trampoline;
    }
    options->balance =
        byte % 4 == 2 ? TLR_BALANCE_ROUND_ROBIN : TLR_BALANCE_LEAST;
}

static void choose_options(struct tlr_options *options)
{
    static const size_t read_buffers[] = {65536, 1, 2, 16, 1000, 4096, 65536,
                                          200000};
    static const size_t queues[] = {1 << 20, 0, 1, 1000, 65536, 1 << 20,
                                    4 << 20, 5};
    static const unsigned mailboxes[] = {65536, 1, 2, 8};
    uint8_t byte;

    choose_loops(options);
    byte = input_next(&world.input);
    options->read_buffer = read_buffers[byte % 8];
    options->send_queue = queues[byte / 8 % 8];
    options->mailbox = mailboxes[byte / 64];
    byte = input_next(&world.input);
    if (byte % 4 == 1) {
        options->low_water = 0;
        options->high_water = 1;
    } else if (byte % 4 == 2) {
        options->low_water = 1000;
        options->high_water = 100000;
    }
    if (byte / 4 % 8 == 7) {
        options->max_connections = 2;
        world.limited = true;
    }
    if (byte / 32 % 2 == 1) {
        options->conn_data_size = 1000;
    }
    options->worker_data_size = byte / 64;
}

/* ---- starting ------------------------------------------------------- */

static void world_open(const uint8_t *data, size_t size)
{
    memset(&world, 0, sizeof(world));
    world.input.data = data;
    world.input.back = size;
    REQUIRE(NULL, uv_mutex_init_recursive(&world.lock) == 0, "a mutex");
    REQUIRE(NULL, uv_loop_init(&world.loop) == 0, "a loop");
    REQUIRE(NULL, uv_timer_init(&world.loop, &world.keeper) == 0, "a timer");
    REQUIRE(NULL, uv_timer_start(&world.keeper, on_keeper, 1, 1) == 0,
            "a timer");
    REQUIRE(NULL, wire_listen(&world.listening, &world.listener) == 0,
            "a listener");
    tlr_options_init(&world.options, sizeof(world.options));
    handler_init(&world.options);
    memory_init(&world.options);
    world.options.user = &world;
    world.options.conn_data_size = sizeof(struct line *);
    world.referenced = true;
    choose_options(&world.options);
}

/* False: it could not, for want of memory. */
static bool server_open(unsigned run)
{
    struct sockaddr_in address = wire_address(run);
    int err = tlr_server_create(&world.server, &world.loop, &world.options);

    if (err != 0) {
        REQUIRE(NULL, err == UV_ENOMEM && atomic_load(&world.starved) > 0,
                "tlr_server_create: %d", err);
        return false;
    }
    err = tlr_server_listen(world.server, (struct sockaddr *)&address, 0);
    if (err == 0) {
        err = tlr_server_address(world.server, 0, &world.address);
    }
    if (err == 0) {
        err = tlr_server_start(world.server);
    }
    REQUIRE(NULL,
            err == 0 || (err == UV_ENOMEM && atomic_load(&world.starved) > 0),
            "the server does not start: %s", uv_err_name(err));
    world.started = err == 0;
    return world.started;
}

/* ---- operations ----------------------------------------------------- */

static struct line *some_line(void)
{
    uint8_t byte = input_next(&world.input);

    /* The latest ones by small numbers. */
    return world.line_count == 0
               ? NULL
               : &world.lines[(world.line_count - 1) -
                              byte % world.line_count];
}

static void starve(void)
{
    uint8_t byte = input_next(&world.input);

    trace(NULL, "allocation %u fails, %u times", byte % 32 + 1u,
          byte / 32 + 1u);
    atomic_store(&world.fail_times, byte / 32 + 1u);
    atomic_store(&world.fail_in, byte % 32 + 1u);
}

static void note_drain(bool deadline_comes, bool tells)
{
    unsigned i;

    if (!world.drained) {
        world.turn_of_drain = world.turns;
        for (i = 0; i < world.line_count; i++) {
            world.lines[i].open_at_drain =
                tells && line_is_open(&world.lines[i]);
        }
    }
    world.drained = true;
    world.may_stop = world.may_stop || deadline_comes;
}

static void drain(uint8_t byte)
{
    static const uint64_t deadlines[] = {TLR_NO_DEADLINE, 3600000, 0, 1, 5};
    uint64_t deadline = deadlines[byte % 5];

    trace(NULL, "drain, %llu ms", (unsigned long long)deadline);
    note_drain(deadline <= 5, deadline > 0);
    world.in_call = world.on_host;
    tlr_server_drain(world.server, deadline);
    world.in_call = false;
}

static void stop(void)
{
    trace(NULL, "stop");
    note_drain(true, false);
    world.in_call = world.on_host;
    tlr_server_stop(world.server);
    world.in_call = false;
}

/* Without the lock: it waits for workers that want it. */
static void stop_and_wait(uint8_t byte)
{
    uint64_t deadline = byte % 3;
    int result;

    note_drain(true, false);
    uv_mutex_unlock(&world.lock);
    result = tlr_server_stop_wait(world.server, deadline);
    uv_mutex_lock(&world.lock);
    trace(NULL, "stop_wait: %d", result);
    REQUIRE(NULL, result == (world.on_host && world.stopped == 0 ? UV_EAGAIN
                                                                 : 0) ||
                      (world.on_host && result == 0),
            "tlr_server_stop_wait: %d", result);
    REQUIRE(NULL, result != 0 || world.seen.opened == world.seen.closed,
            "stop_wait has returned, and connections are open");
}

static void reference(uint8_t byte)
{
    if (byte % 2 == 0) {
        tlr_server_ref(world.server);
    } else {
        tlr_server_unref(world.server);
    }
    world.referenced = byte % 2 == 0;
}

static void look_at_server(void)
{
    struct tlr_progress progress;
    bool alive;

    check_counters(false);
    tlr_server_progress(world.server, &progress, sizeof(progress));
    REQUIRE(NULL,
            (progress.phase == TLR_PHASE_RUNNING) == !world.drained ||
                !world.on_host,
            "phase %u", (unsigned)progress.phase);
    REQUIRE(NULL, progress.phase != TLR_PHASE_STOPPING || world.may_stop,
            "it stops");
    /* Whether what is not the keeper's keeps the loop turning. */
    uv_unref((uv_handle_t *)&world.keeper);
    alive = uv_loop_alive(&world.loop) != 0;
    uv_ref((uv_handle_t *)&world.keeper);
    REQUIRE(NULL, alive || !world.referenced || world.drained,
            "referenced, and the loop may end");
}

/* Directly where that is allowed, else by way of a post. */
static void act_on(struct line *line)
{
    uint8_t byte = input_next(&world.input);

    if (line == NULL || line->conn == NULL || line->refused) {
        return;
    }
    if (world.on_host) {
        act(line, byte);
    } else {
        act_post_conn(line, byte);
    }
}

static void peer_act(uint8_t op, struct line *line)
{
    if (line == NULL) {
        return;
    }
    switch (op) {
    case 0:
        peer_send(line, size_from(input_next(&world.input)));
        break;
    case 1:
        (void)peer_receive(line, size_from(input_next(&world.input)));
        break;
    case 2:
        peer_half_close(line);
        break;
    case 3:
        peer_close(line);
        break;
    default:
        peer_reset(line);
        break;
    }
}

static void operate(uint8_t op)
{
    unsigned worker;
    struct line *line;

    switch (op % 32) {
    case 2:
    case 3:
        peer_dial(input_next(&world.input));
        break;
    case 4:
    case 5:
    case 6:
        peer_act(0, some_line());
        break;
    case 7:
    case 8:
        peer_act(1, some_line());
        break;
    case 9:
        peer_act(2, some_line());
        break;
    case 10:
        peer_act(3, some_line());
        break;
    case 11:
        peer_act(4, some_line());
        break;
    case 12:
    case 13:
    case 14:
        act_on(some_line());
        break;
    case 15:
        worker = input_next(&world.input) % (tlr_server_workers(world.server) + 1);
        act_post(worker == tlr_server_workers(world.server) ? TLR_HOST
                                                            : worker,
                 input_next(&world.input));
        break;
    case 16:
        line = some_line();
        if (line != NULL) {
            act_post_conn(line, input_next(&world.input));
        }
        break;
    case 17:
    case 18:
        peer_adopt(input_next(&world.input));
        break;
    case 19:
        if (world.on_host) {
            act_connect(0, input_next(&world.input) % 4 == 3);
        }
        break;
    case 20:
        starve();
        break;
    case 21:
        look_at_server();
        break;
    case 22:
        reference(input_next(&world.input));
        break;
    case 23: /* what ends a program early is rare */
        if (op == 23 + 32) {
            drain(input_next(&world.input));
        } else if (op == 23 + 64) {
            stop();
        } else if (op == 23 + 96) {
            stop_and_wait(input_next(&world.input));
        }
        break;
    default:
        break; /* a turn, see below */
    }
}

static void run_program(void)
{
    uint8_t op;

    uv_mutex_lock(&world.lock);
    while (!input_is_over(&world.input) && world.stopped == 0) {
        op = input_next(&world.input);
        peers_meet();
        operate(op);
        if (op % 32 < 2 || op % 32 > 23 || op >= 192) {
            uv_mutex_unlock(&world.lock);
            if (op % 32 == 24) {
                settle();
            } else {
                turn();
            }
            uv_mutex_lock(&world.lock);
        }
    }
    uv_mutex_unlock(&world.lock);
}

/* ---- ending --------------------------------------------------------- */

/* What nobody has a reason to do any more. On the connection's thread. */
static void wind_up(struct line *line)
{
    if (!line_is_open(line) || line->close_asked || line->reset_asked) {
        return;
    }
    if (line->doomed || line->eof_told || line->error_told) {
        act_close(line);
    } else if (line->reading == READ_NONE) {
        act_read(line);
    }
}

static void on_wind_up(struct tlr_server *server, unsigned worker, void *data)
{
    unsigned i;

    (void)server;
    (void)data;
    uv_mutex_lock(&world.lock);
    world.seen.posts++;
    for (i = 0; i < world.line_count; i++) {
        if (line_is_open(&world.lines[i]) &&
            tlr_conn_worker(world.lines[i].conn) == worker) {
            wind_up(&world.lines[i]);
        }
    }
    uv_mutex_unlock(&world.lock);
}

static void wind_up_all(void)
{
    unsigned i;

    for (i = 0; world.on_host && i < world.line_count; i++) {
        wind_up(&world.lines[i]);
    }
    for (i = 0; !world.on_host && i < tlr_server_workers(world.server); i++) {
        (void)tlr_post(world.server, i, on_wind_up, NULL);
    }
}

/* Each peer ends its stream, and takes what it is owed. */
static bool peers_finish(void)
{
    bool over = true;
    unsigned i;

    peers_meet();
    for (i = 0; i < world.line_count; i++) {
        struct line *line = &world.lines[i];

        peer_half_close(line);
        while (peer_receive(line, 65536)) {
        }
        if (line->wired && (line->saw_end || line->saw_reset) &&
            line->conn == NULL) {
            wire_reset(line->wire);
            line->wired = false;
        }
        over = over && line_is_over(line);
    }
    return over;
}

/* Turns until all have finished, or the server has stopped. */
static void finish(bool (*done)(void), const char *what)
{
    uint64_t end = uv_hrtime() + (uint64_t)PATIENCE * 1000000;
    unsigned rounds = 0;

    for (;;) {
        uv_mutex_lock(&world.lock);
        if (done()) {
            break;
        }
        REQUIRE(NULL, uv_hrtime() < end, "%s takes for ever", what);
        uv_mutex_unlock(&world.lock);
        rounds++;
        if (world.on_host && rounds % 64 != 63) {
            turn();
        } else {
            wait_a_little();
        }
    }
    uv_mutex_unlock(&world.lock);
}

static bool all_over(void)
{
    bool over = peers_finish();

    if (!over && world.stopped == 0) {
        wind_up_all();
    }
    return over;
}

static bool is_stopped(void)
{
    return world.stopped > 0;
}

static bool is_stopped_and_over(void)
{
    bool over = all_over();

    return over && world.stopped > 0;
}

/* What is left in the peers' kernel buffers, when there is no server. */
static bool peers_are_over(void)
{
    return peers_finish();
}

static void end_program(void)
{
    uint8_t byte = input_next(&world.input);

    uv_mutex_lock(&world.lock);
    world.finishing = true;
    atomic_store(&world.fail_in, 0);
    uv_mutex_unlock(&world.lock);
    switch (byte % 4) {
    case 0: /* everybody goes, and then the server does */
        finish(world.drained ? is_stopped_and_over : all_over, "finishing");
        uv_mutex_lock(&world.lock);
        drain(0);
        uv_mutex_unlock(&world.lock);
        break;
    case 1: /* it drains, and everybody goes */
        uv_mutex_lock(&world.lock);
        drain(0);
        uv_mutex_unlock(&world.lock);
        finish(is_stopped_and_over, "draining");
        break;
    case 2: /* it stops at once */
        uv_mutex_lock(&world.lock);
        stop();
        uv_mutex_unlock(&world.lock);
        break;
    default: /* at a deadline */
        uv_mutex_lock(&world.lock);
        drain(3);
        uv_mutex_unlock(&world.lock);
        break;
    }
    finish(is_stopped, "stopping");
    finish(peers_are_over, "the peers' end");
}

static void check_lines(void)
{
    unsigned i;

    for (i = 0; i < world.line_count; i++) {
        const struct line *line = &world.lines[i];

        REQUIRE(line, line->opened == line->closed || line->outbound,
                "opened, and not closed");
        REQUIRE(line, line->closed || !line->opened, "not closed");
        /* Who connected in time is served, whatever else may happen. */
        REQUIRE(line,
                line->opened || line->ghost || line->outbound ||
                    line->refused || line->late || world.may_stop ||
                    line->gone || atomic_load(&world.starved) > 0,
                "never opened");
    }
}

static void world_close(void)
{
    unsigned i;

    for (i = 0; i < world.line_count; i++) {
        struct line *line = &world.lines[i];

        if (line->wired) {
            wire_reset(line->wire);
        }
        free(line->up.bytes);
        free(line->down.bytes);
        free(line->memory);
    }
    for (i = 0; i < world.guest_count; i++) {
        wire_reset(world.guests[i].sock);
    }
    wire_close(world.listener);
    uv_close((uv_handle_t *)&world.keeper, NULL);
    for (i = 0; i < 8 && uv_run(&world.loop, UV_RUN_NOWAIT) != 0; i++) {
    }
    REQUIRE(NULL, uv_loop_close(&world.loop) == 0, "a handle is left");
    REQUIRE(NULL, atomic_load(&world.blocks) == 0,
            "%zu blocks of memory are left", atomic_load(&world.blocks));
    REQUIRE(NULL, atomic_load(&world.bytes) == 0,
            "%zu bytes of memory are left", atomic_load(&world.bytes));
    uv_mutex_destroy(&world.lock);
}

static void run(const uint8_t *data, size_t size, unsigned number)
{
    world_open(data, size);
    if (input_next(&world.input) >= 224) {
        starve(); /* already at the start */
    }
    if (server_open(number)) {
        run_program();
        end_program();
        check_counters(true);
        check_lines();
    }
    tlr_server_destroy(world.server);
    world_close();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    size_t before;
    size_t after;

    if (runs++ == 0) { /* what libuv opens once is no leak */
        wire_start();
        run(data, 0, 0);
    }
    before = wire_descriptors();
    run(data, size, runs);
    after = wire_descriptors();
    REQUIRE(NULL, after == before, "%zu descriptors instead of %zu", after,
            before);
    return 0;
}
