/* SPDX-License-Identifier: MIT */
/*
 * What every model of bench/models has to do: see model.h there.
 *
 *     test_models NAME FILE [together] [apart] [threads] [sheds] [by=WAY...]
 *         [-- OPTION...]
 *
 * The words are what this one can do; the options are given to it. Ends with 77,
 * skipped, if the model does: the kernel refuses what it needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"
#include "programs.h"

enum {
    MEBIBYTE = 1 << 20,
    MANY = 100,
    SOME = 10,
    FEW = 3,
    OPTIONS_MOST = 16,
    WAYS_MOST = 4,
    STATUS_SKIPPED = 77
};

static struct {
    const char *name;
    const char *file;
    bool together; /* serves connections that are open together */
    bool apart;    /* a handler that blocks holds up no other connection */
    bool threads;  /* has --threads */
    bool sheds;    /* closes who comes when descriptors have run out */
    const char *ways[WAYS_MOST]; /* of --balance */
    unsigned way_count;
    const char *const *options;
    int option_count;
} model;

/* ---- starting and stopping ---- */

/* With one option more, or NULL. */
static struct program *start(
    struct scene *scene, const char *option, const char *value)
{
    const char *args[OPTIONS_MOST + 6] = {
        model.file, "--listen", "127.0.0.1:0"};
    size_t count = 3;
    for (int i = 0; i < model.option_count; i++) {
        args[count++] = model.options[i];
    }
    if (option != NULL) {
        args[count++] = option;
        args[count++] = value;
    }
    return program_start(scene, args);
}

/* By its words too: whom Ctrl-C just ends leaves Wine with 0. */
static void expect_stopped(struct program *program)
{
    int status = program_wait(program);
    if (status != 0 || program->err.length != 0 ||
        strstr(program->out.text, "\nstopped\n") == NULL) {
        program_fail(program,
            "has ended with %d, with complaints, or without a last word",
            status);
    }
}

static void stop(struct program *program)
{
    enum ask ask = programs_cannot_ask(ASK_OTHERWISE) == NULL ? ASK_OTHERWISE
                                                              : ASK_CTRL_C;
    program_ask(program, ask);
    expect_stopped(program);
}

static void connect_all(struct scene *scene, struct program *program,
    struct client **clients, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        clients[i] = client_connect(scene, program_address(program, 0));
    }
}

/* Ends it by RST, whatever is on the way. */
static void reset(struct client *client)
{
    assert_int_equal(uv_tcp_close_reset(&client->tcp, NULL), 0);
}

/* Of a core. */
static double cpu_share(struct program *program, uint64_t milliseconds)
{
    double cpu = programs_cpu_seconds(program);
    uint64_t begin = uv_hrtime();
    scene_pass(program->scene, milliseconds);
    return (programs_cpu_seconds(program) - cpu) /
           ((double)(uv_hrtime() - begin) / 1e9);
}

/* It may have something to do yet. Who spins uses more even where ten programs
 * share a core; who waits and looks again uses a thousandth. */
static void expect_calm(struct program *program)
{
    double share = 1;
    for (unsigned i = 0; i < 10 && share > 0.05; i++) {
        share = cpu_share(program, 300);
    }
    if (share > 0.05) {
        program_fail(program, "uses %.2f of a core", share);
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* the predicate is looked at again */
}

/* What is looked at in another process does not wake the loop. */
static void tick(struct scene *scene, uint64_t milliseconds)
{
    uv_timer_t *timer = scene_alloc(scene, sizeof(*timer));
    assert_int_equal(uv_timer_init(&scene->loop, timer), 0);
    assert_int_equal(uv_timer_start(timer, on_tick, milliseconds,
                         milliseconds), 0);
}

/* ---- bytes ---- */

static void pieces_of_one_byte_come_back(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    struct client *client =
        client_connect(*state, program_address(program, 0));
    assert_int_equal(uv_tcp_nodelay(&client->tcp, 1), 0);
    for (unsigned i = 0; i < 10 * MANY; i++) {
        client_echo(client, 1);
    }
    for (unsigned i = 0; i < 10 * MANY; i++) {
        client_send(client, 1);
    }
    client_expect_all_back(client);
    client_finish(client);
    stop(program);
}

static void messages_of_a_mebibyte_come_back(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    struct client *client =
        client_connect(*state, program_address(program, 0));
    for (unsigned i = 0; i < 4; i++) {
        client_echo(client, MEBIBYTE);
    }
    client_finish(client);
    stop(program);
}

enum { STUCK_TICKS = 20, LATE = 12 * MEBIBYTE, LITTLE = 32768 };

/* Clients that do not read. */
struct late {
    struct client *clients[FEW];
    unsigned count;
    unsigned still; /* ticks at which none has got rid of anything */
};

/* All send a little more each time. Whether the buffers of the kernels, theirs
 * and the model's, seem to be full. */
static bool are_stuck(const void *arg)
{
    struct late *late = (struct late *)(uintptr_t)arg; /* the test's own */
    bool moving = false;
    for (unsigned i = 0; i < late->count; i++) {
        struct client *client = late->clients[i];
        const uv_stream_t *stream = (const uv_stream_t *)&client->tcp;
        bool sent = uv_stream_get_write_queue_size(stream) == 0;
        moving |= sent && client->sent < LATE;
        if (sent && client->sent < LATE) {
            client_send(client, LITTLE);
        }
    }
    late->still = moving ? 0 : late->still + 1;
    return late->still >= STUCK_TICKS;
}

static void peers_that_read_late_get_all_behind_their_end(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    struct late late = {.count = model.together ? FEW : 1};
    connect_all(*state, program, late.clients, late.count);
    for (unsigned i = 0; i < late.count; i++) {
        client_stop_reading(late.clients[i]);
    }
    tick(*state, 1);
    assert_true(run_until(*state, are_stuck, &late));
    for (unsigned i = 0; i < late.count; i++) {
        client_send(late.clients[i], LATE - (size_t)late.clients[i]->sent);
        client_read_on(late.clients[i]);
    }
    for (unsigned i = 0; i < late.count; i++) {
        client_finish(late.clients[i]);
    }
    stop(program);
}

/* ---- several connections ---- */

static void all_are_served_together(struct client **clients)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            client_send(clients[i], 10000);
        }
        for (unsigned i = 0; i < MANY; i++) {
            client_expect_all_back(clients[i]);
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        client_finish(clients[i]);
    }
}

/* Each when the one before has gone. */
static void each_is_served_in_its_turn(struct client **clients)
{
    for (unsigned i = 0; i < MANY; i++) {
        client_send(clients[i], 1000);
    }
    for (unsigned i = 0; i < MANY; i++) {
        client_expect_all_back(clients[i]);
        client_echo(clients[i], 1000);
        if (i + 1 < MANY) {
            assert_int_equal(clients[i + 1]->received, 0);
        }
        client_finish(clients[i]);
    }
}

static void a_hundred_connections_are_served(void **state)
{
    struct client *clients[MANY];
    struct program *program = start(*state, NULL, NULL);
    connect_all(*state, program, clients, MANY);
    if (model.together) {
        all_are_served_together(clients);
    } else {
        each_is_served_in_its_turn(clients);
    }
    stop(program);
}

static void who_does_not_read_holds_up_nobody(void **state)
{
    if (!model.together) {
        skip();
    }
    struct client *lazy[FEW];
    struct program *program = start(*state, NULL, NULL);
    connect_all(*state, program, lazy, FEW);
    for (unsigned i = 0; i < FEW; i++) {
        client_stop_reading(lazy[i]);
        client_send(lazy[i], 12 * MEBIBYTE);
    }
    struct client *client =
        client_connect(*state, program_address(program, 0));
    for (unsigned i = 0; i < SOME; i++) {
        client_echo(client, 100000);
    }
    expect_calm(program);
    for (unsigned i = 0; i < FEW; i++) {
        client_read_on(lazy[i]);
        client_expect_all_back(lazy[i]);
    }
    for (unsigned i = 0; i < FEW; i++) {
        client_finish(lazy[i]);
    }
    client_finish(client);
    stop(program);
}

/* Some have just come, some are owed more than the kernel takes. */
static void reset_some(struct scene *scene, struct program *program)
{
    struct client *clients[SOME];
    connect_all(scene, program, clients, SOME);
    for (unsigned i = 0; i < SOME; i++) {
        if (i < FEW) {
            client_stop_reading(clients[i]);
            client_send(clients[i], 12 * MEBIBYTE);
        }
    }
    if (model.together) { /* by then they have been read from */
        struct client *last = client_connect(scene, program_address(program, 0));
        client_echo(last, MEBIBYTE);
        client_finish(last);
    }
    for (unsigned i = 0; i < SOME; i++) {
        reset(clients[i]);
    }
}

static void a_reset_ends_its_connection_only(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    struct client *steady =
        client_connect(*state, program_address(program, 0));
    for (unsigned i = 0; i < FEW; i++) {
        client_send(steady, MEBIBYTE);
        reset_some(*state, program);
        client_expect_all_back(steady);
    }
    client_finish(steady);
    struct client *next = client_connect(*state, program_address(program, 0));
    client_echo(next, MEBIBYTE);
    client_finish(next);
    stop(program);
}

/* ---- what is left ---- */

struct count {
    const struct program *program;
    unsigned descriptors;
};

/* What Windows adds by itself, and keeps, is less than one for each. */
static bool is_as_before(const void *arg)
{
    const struct count *count = arg;
    unsigned now = programs_count_handles(count->program);
    unsigned more = now > count->descriptors ? now - count->descriptors : 0;
    return more <= programs_count_handles_slack() &&
           programs_count_children(count->program) == 0;
}

static void no_descriptor_and_no_child_is_left(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    (void)program_address(program, 0);
    struct count before = {program, programs_count_handles(program)};
    for (unsigned i = 0; i < MANY; i++) {
        struct client *client =
            client_connect(*state, program_address(program, 0));
        client_echo(client, 1000);
        if (i % 5 == 0) {
            reset(client);
        } else {
            client_finish(client);
        }
    }
    tick(*state, 10);
    if (!run_until(*state, is_as_before, &before)) {
        program_fail(program, "has %u descriptors and %u children, not %u and 0",
            programs_count_handles(program), programs_count_children(program),
            before.descriptors);
    }
    stop(program);
}

static void it_ends_with_connections_open(void **state)
{
    struct client *clients[SOME];
    struct program *program = start(*state, NULL, NULL);
    connect_all(*state, program, clients, SOME);
    client_stop_reading(clients[1]);
    client_send(clients[1], 12 * MEBIBYTE);
    client_echo(clients[0], 1000);
    if (model.together) {
        client_echo(clients[SOME - 1], 1000);
    }
    stop(program);
    client_read_on(clients[1]);
    for (unsigned i = 0; i < SOME; i++) {
        (void)client_wait_end(clients[i]); /* in the queue: by RST */
    }
}

static void it_ends_by_ctrl_c_too(void **state)
{
    struct program *program = start(*state, NULL, NULL);
    (void)program_address(program, 0);
    program_ask(program, ASK_CTRL_C);
    expect_stopped(program);
}

/* ---- descriptors run out ---- */

static void without_descriptors_it_is_calm_and_heals(void **state)
{
    struct client *clients[SOME];
    struct program *program = start(*state, NULL, NULL);
    (void)program_address(program, 0);
    unsigned used = programs_count_descriptors(program);
    if (used == 0) {
        skip(); /* nothing limits them here */
    }
    programs_limit_descriptors(program, used);
    connect_all(*state, program, clients, SOME);
    for (unsigned i = 0; i < SOME; i++) {
        client_send(clients[i], 1000);
    }
    expect_calm(program);
    programs_limit_descriptors(program, 1000);
    for (unsigned i = 0; i < SOME; i++) {
        if (!model.sheds || clients[i]->end == 0) {
            client_expect_all_back(clients[i]);
            client_finish(clients[i]);
        }
    }
    struct client *next = client_connect(*state, program_address(program, 0));
    client_echo(next, 1000);
    client_finish(next);
    stop(program);
}

/* ---- slow handlers ---- */

static uint64_t milliseconds_since(uint64_t hrtime)
{
    return (uv_hrtime() - hrtime) / 1000000;
}

static uint64_t echo_for(struct client *client, unsigned times)
{
    uint64_t begin = uv_hrtime();
    for (unsigned i = 0; i < times; i++) {
        client_echo(client, 1);
    }
    return milliseconds_since(begin);
}

/* Delayed too, the second would take four times as long as it may. */
static void slow_is_the_first_connection_only(void **state)
{
    struct program *program = start(*state, "--slow", "400");
    struct client *first =
        client_connect(*state, program_address(program, 0));
    assert_true(echo_for(first, 2) >= 800);
    if (!model.together) {
        client_finish(first);
    }
    struct client *second =
        client_connect(*state, program_address(program, 0));
    assert_true(echo_for(second, 20) < 2000);
    stop(program);
}

struct pair {
    struct client *clients[2];
};

static bool one_is_back(const void *arg)
{
    const struct pair *pair = arg;
    return pair->clients[0]->received + pair->clients[1]->received > 0;
}

/* Of two that come together either may be the first. Once one is answered it is
 * served on, for long enough that the other's handler has begun. Its work is cut
 * short at the end. */
static void a_slow_handler_holds_up_itself_alone(void **state)
{
    if (!model.apart) {
        skip();
    }
    struct pair pair;
    struct program *program = start(*state, "--slow", "10000");
    connect_all(*state, program, pair.clients, 2);
    client_send(pair.clients[0], 1);
    client_send(pair.clients[1], 1);
    assert_true(run_until(*state, one_is_back, &pair));
    unsigned quick = pair.clients[0]->received == 1 ? 0 : 1;
    uint64_t begin = uv_hrtime();
    while (milliseconds_since(begin) < 500) {
        client_echo(pair.clients[quick], 1000);
    }
    assert_int_equal(pair.clients[1 - quick]->received, 0);
    begin = uv_hrtime();
    stop(program);
    assert_true(milliseconds_since(begin) < 5000);
}

/* ---- usage ---- */

static void expect_wrong(struct scene *scene, const char *option,
    const char *value, const char *words)
{
    program_expect_complaint(
        program_start(scene, ARGS(model.file, option, value)), 2, ARGS(words));
}

static void wrong_usage_ends_with_2(void **state)
{
    expect_wrong(*state, "--nonsense", NULL, "--nonsense");
    expect_wrong(*state, "--slow", "-1", "--slow");
    expect_wrong(*state, "--slow", "10001", "10000");
    expect_wrong(*state, "--listen", "127.0.0.1:70000", "70000");
    expect_wrong(*state, "--listen", NULL, "--listen");
    expect_wrong(*state, "--threads", "0", "--threads");
}

static void an_address_in_use_ends_with_1(void **state)
{
    struct liar *other = liar_listen(*state);
    program_expect_complaint(
        program_start(*state, ARGS(model.file, "--listen", other->address)), 1,
        ARGS("EADDR"));
}

static void threads_are_for_who_has_them(void **state)
{
    if (!model.threads) {
        expect_wrong(*state, "--threads", "2", "--threads");
        return;
    }
    struct program *program = program_start(*state,
        ARGS(model.file, "--listen", "127.0.0.1:0", "--threads", "3"));
    struct client *clients[3];
    connect_all(*state, program, clients, 3);
    for (unsigned i = 0; i < 3; i++) {
        client_echo(clients[i], 1000);
    }
    stop(program);
}

/* ---- sharing ---- */

/* The sum of the numbers in the line "taken by thread: 3 4 ...". */
static unsigned long sum_of_taken(struct program *program, unsigned *threads)
{
    static const char words[] = "\ntaken by thread:";
    const char *at = strstr(program->out.text, words);
    unsigned long sum = 0;
    if (at == NULL) {
        program_fail(program, "does not tell what its threads have taken");
    }
    *threads = 0;
    for (at += sizeof(words) - 1; *at == ' '; (*threads)++) {
        char *end;
        sum += strtoul(at, &end, 10);
        at = end;
    }
    return sum;
}

static void all_are_counted_by(struct scene *scene, const char *way)
{
    struct client *clients[MANY];
    unsigned threads;
    struct program *program = program_start(scene,
        ARGS(model.file, "--listen", "127.0.0.1:0", "--threads", "3",
            "--balance", way));
    connect_all(scene, program, clients, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        client_echo(clients[i], 1000);
        if (i % 2 == 0) {
            client_finish(clients[i]);
        }
    }
    stop(program);
    assert_int_equal(sum_of_taken(program, &threads), MANY);
    assert_int_equal(threads, 3);
}

static void however_they_are_shared_all_are_served_and_counted(void **state)
{
    for (unsigned i = 0; i < model.way_count; i++) {
        all_are_counted_by(*state, model.ways[i]);
    }
    expect_wrong(*state, "--balance", "nobody", "--balance");
}

static void help_tells_the_options(void **state)
{
    struct program *program;
    assert_int_equal(
        program_run(*state, ARGS(model.file, "--help"), &program), 0);
    assert_non_null(strstr(program->out.text, model.name));
    assert_non_null(strstr(program->out.text, "--slow MS"));
    assert_int_equal(
        strstr(program->out.text, "--threads N") != NULL, model.threads);
    assert_int_equal(
        strstr(program->out.text, "--balance ") != NULL, model.way_count > 0);
    for (unsigned i = 0; i < model.way_count; i++) {
        assert_non_null(strstr(program->out.text, model.ways[i]));
    }
}

/* ---- which model ---- */

static bool listens_or_ended(const void *arg)
{
    const struct program *program = arg;
    return strstr(program->out.text, "listening on ") != NULL ||
           (program->exited && program->err.ended);
}

static bool is_refused(void)
{
    void *state = NULL;
    (void)scene_setup(&state);
    struct program *program = start(state, NULL, NULL);
    (void)run_until(state, listens_or_ended, program);
    bool refused = program->exited && program->status == STATUS_SKIPPED;
    if (refused) {
        print_message("%s", program->err.text);
    }
    (void)scene_teardown(&state);
    return refused;
}

static bool read_arguments(int argc, char **argv)
{
    int i = 3;
    if (argc < 3) {
        return false;
    }
    model.name = argv[1];
    model.file = argv[2];
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        model.together |= strcmp(argv[i], "together") == 0;
        model.apart |= strcmp(argv[i], "apart") == 0;
        model.threads |= strcmp(argv[i], "threads") == 0;
        model.sheds |= strcmp(argv[i], "sheds") == 0;
        if (strncmp(argv[i], "by=", 3) == 0 && model.way_count < WAYS_MOST) {
            model.ways[model.way_count++] = argv[i] + 3;
        }
    }
    if (i < argc) {
        model.options = (const char *const *)(argv + i + 1);
        model.option_count = argc - i - 1;
    }
    return model.option_count <= OPTIONS_MOST;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        scene_test(pieces_of_one_byte_come_back),
        scene_test(messages_of_a_mebibyte_come_back),
        scene_test(peers_that_read_late_get_all_behind_their_end),
        scene_test(a_hundred_connections_are_served),
        scene_test(who_does_not_read_holds_up_nobody),
        scene_test(a_reset_ends_its_connection_only),
        scene_test(no_descriptor_and_no_child_is_left),
        scene_test(it_ends_with_connections_open),
        scene_test(it_ends_by_ctrl_c_too),
        scene_test(without_descriptors_it_is_calm_and_heals),
        scene_test(slow_is_the_first_connection_only),
        scene_test(a_slow_handler_holds_up_itself_alone),
        scene_test(wrong_usage_ends_with_2),
        scene_test(an_address_in_use_ends_with_1),
        scene_test(threads_are_for_who_has_them),
        scene_test(however_they_are_shared_all_are_served_and_counted),
        scene_test(help_tells_the_options),
    };
    if (!read_arguments(argc, argv)) {
        print_error("usage: test_models NAME FILE [WORD...] [-- OPTION...]\n");
        return 2;
    }
    if (is_refused()) {
        return STATUS_SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
