/* SPDX-License-Identifier: MIT */
/* The real teller-echo, used over real sockets by clients in here (peers.h)
 * and by the real teller-load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

#define SERVE(...) ARGS(TELLER_ECHO, __VA_ARGS__)
#define ANYWHERE "--listen", "127.0.0.1:0"

static double seconds_since(uint64_t hrtime)
{
    return (double)(uv_hrtime() - hrtime) / 1e9;
}

/* ---- its JSON ---- */

/* The last whole line of it that is the event `name`, or NULL. */
static const char *find_event(struct program *program, const char *name)
{
    const char *found = NULL;
    char event[32];
    unsigned i = output_lines(&program->out);
    while (i > 0 && found == NULL) {
        const char *line = output_line(program->scene, &program->out, --i);
        if (json_string(line, "event", event, sizeof(event)) &&
            strcmp(event, name) == 0) {
            found = line;
        }
    }
    return found;
}

static const char *event(struct program *program, const char *name)
{
    const char *found = find_event(program, name);
    if (found == NULL) {
        program_fail(program, "has not told the event %s", name);
    }
    return found;
}

/* The first address of one that was started with --json. */
static const char *json_address(struct program *program)
{
    char *address = scene_alloc(program->scene, 64);
    program_wait_lines(program, 1);
    if (!json_string(
            event(program, "listening"), "addresses.0", address, 64)) {
        program_fail(program, "has not told an address");
    }
    return address;
}

/* Waits for so many more lines of figures than there are now. */
static void wait_figures(struct program *program, unsigned more)
{
    program_wait_lines(program, output_lines(&program->out) + more);
}

/* Waits until the figures tell of so many open connections. A new line may be a
 * warning, and no figures have come yet. */
static void wait_until_open(struct program *program, unsigned open)
{
    uint64_t begin = uv_hrtime();
    double now = -1;
    do {
        wait_figures(program, 1);
        const char *figures = find_event(program, "figures");
        if (figures != NULL) {
            now = json_number_at(figures, "open");
        }
    } while (now != open && seconds_since(begin) * 1000 < DEADLINE_MS);
    assert_true(now == open);
}

/* ---- where it listens ---- */

static void it_says_where_it_listens_and_how_to_try_it(void **state)
{
    struct program *echo = program_start(*state, SERVE(ANYWHERE));
    const char *address = program_address(echo, 0);
    char hint[64];
    assert_memory_equal(address, "127.0.0.1:", 10);
    assert_string_not_equal(address, "127.0.0.1:0");
    (void)snprintf(
        hint, sizeof(hint), "try it: nc 127.0.0.1 %s", address + 10);
    program_wait_for(echo, &echo->out, hint);
    client_finish(client_connect(*state, address));
    program_stop(echo);
}

/* Somebody else may have the port: then it says that. */
static void told_nothing_it_listens_on_port_7007_of_localhost(void **state)
{
    struct program *echo = program_start(*state, ARGS(TELLER_ECHO));
    program_wait_for(echo, &echo->out, "");
    if (echo->out.length > 0) {
        assert_string_equal(program_address(echo, 0), "127.0.0.1:7007");
        program_stop(echo);
    } else {
        program_expect_complaint(
            echo, 1, ARGS("cannot listen on 127.0.0.1:7007", "in use"));
    }
}

/* A name may stand for several addresses. */
static void it_listens_on_each_address_given_and_on_a_name(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--listen", "localhost:0", "--listen", "127.0.0.1:0"));
    program_wait_for(echo, &echo->out, "try it");
    unsigned count = output_lines(&echo->out) - 1;
    assert_true(count >= 3);
    for (unsigned i = 0; i < count; i++) {
        struct client *client =
            client_connect(*state, program_address(echo, i));
        client_echo(client, 1000);
        client_finish(client);
    }
    program_stop(echo);
}

static void it_listens_on_ipv6(void **state)
{
    if (!scene_has_ipv6(*state)) {
        skip_because("no IPv6 here");
    }
    struct program *echo = program_start(
        *state, SERVE("--listen", "[::1]:0", ANYWHERE));
    struct client *six = client_connect(*state, program_address(echo, 0));
    struct client *four = client_connect(*state, program_address(echo, 1));
    program_wait_for(echo, &echo->out, "listening on [::1]:");
    program_wait_for(echo, &echo->out, "try it: nc ::1 ");
    client_echo(six, 1000);
    client_echo(four, 1000);
    client_finish(six);
    client_finish(four);
    program_stop(echo);
}

static void expect_reached(
    struct scene *scene, const char *host, const char *port)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "%s%s", host, port);
    struct client *client = client_connect(scene, address);
    client_echo(client, 1000);
    client_finish(client);
}

static void all_addresses_are_reached_by_ipv4_and_ipv6(void **state)
{
    struct program *echo = program_start(*state, SERVE("--listen", "*:0"));
    const char *port = strrchr(program_address(echo, 0), ':');
    expect_reached(*state, "127.0.0.1", port);
    if (scene_has_ipv6(*state)) {
        expect_reached(*state, "[::1]", port);
    }
    program_stop(echo);
    if (!scene_has_ipv6(*state)) {
        skip_because("no IPv6 here: only IPv4 was tried");
    }
}

/* Somebody may take the port before it does; then with another one. Returns the
 * port, with its colon. */
static const char *start_on_both(struct scene *scene, const char *first,
    const char *second, struct program **echo)
{
    const char *port = "";
    for (int i = 0; i < 5; i++) {
        char one[64];
        char other[64];
        port = strrchr(nobodys_address(scene, false), ':');
        (void)snprintf(one, sizeof(one), "%s%s", first, port);
        (void)snprintf(other, sizeof(other), "%s%s", second, port);
        *echo = program_start(scene, SERVE("--listen", one, "--listen", other));
        program_wait_for(*echo, &(*echo)->out, "");
        if ((*echo)->out.length > 0) {
            return port;
        }
    }
    program_fail(*echo, "does not listen on both %s and %s", first, second);
    return port;
}

static void expect_both(
    struct scene *scene, const char *first, const char *second)
{
    struct program *echo = NULL;
    const char *port = start_on_both(scene, first, second, &echo);
    program_wait_for(echo, &echo->out, "try it");
    expect_reached(scene, "127.0.0.1", port);
    expect_reached(scene, "[::1]", port);
    program_stop(echo);
}

static void one_port_serves_ipv4_and_ipv6_from_two_addresses(void **state)
{
    if (!scene_has_ipv6(*state)) {
        skip_because("no IPv6 here");
    }
    expect_both(*state, "0.0.0.0", "[::]");
    expect_both(*state, "[::]", "0.0.0.0");
    expect_both(*state, "[::]", "127.0.0.1");
    expect_both(*state, "*", "0.0.0.0");
}

/* ---- loops ---- */

static void expect_loops(
    struct scene *scene, const char *loops, const char *words)
{
    struct program *echo =
        program_start(scene, SERVE(ANYWHERE, "--loops", loops));
    struct client *client = client_connect(scene, program_address(echo, 0));
    program_wait_for(echo, &echo->out, words);
    client_send(client, 300000);
    client_finish(client);
    program_stop(echo);
}

static void each_number_of_loops_echoes(void **state)
{
    char words[32];
    unsigned cpus = uv_available_parallelism();
    (void)snprintf(
        words, sizeof(words), ", %u loop%s\n", cpus, cpus == 1 ? "" : "s");
    expect_loops(*state, "0", words);
    expect_loops(*state, "1", ", 1 loop\n");
    expect_loops(*state, "2", ", 2 loops\n");
    expect_loops(*state, "host", ", one loop and no thread\n");
}

enum { SHARED = 64, EACH = 10000 };

/* Returns the summary after so many connections, all of them open together:
 * who leaves before the last has come makes room on its loop. */
static const char *share_out(struct scene *scene, const char *balance)
{
    struct client *clients[SHARED];
    struct program *echo = program_start(
        scene, SERVE(ANYWHERE, "--loops", "2", "--balance", balance, "--json"));
    const char *address = json_address(echo);
    for (int i = 0; i < SHARED; i++) {
        clients[i] = client_connect(scene, address);
    }
    for (int i = 0; i < SHARED; i++) {
        client_echo(clients[i], EACH);
    }
    for (int i = 0; i < SHARED; i++) {
        client_finish(clients[i]);
    }
    program_stop(echo);
    return event(echo, "summary");
}

static void expect_shared(const char *summary)
{
    json_expect(summary, "total.accepted", SHARED);
    json_expect(summary, "total.open", 0);
    json_expect(summary, "total.refused", 0);
    json_expect(summary, "total.bytes_in", SHARED * EACH);
    json_expect(summary, "total.bytes_out", SHARED * EACH);
    assert_true(json_number_at(summary, "loops.0.accepted") +
                    json_number_at(summary, "loops.1.accepted") ==
                SHARED);
    assert_true(json_number_at(summary, "loops.0.bytes_in") +
                    json_number_at(summary, "loops.1.bytes_in") ==
                SHARED * EACH);
}

static void two_loops_get_half_of_the_connections_each(void **state)
{
    static const char *const balances[] = {"least", "rr"};
    for (size_t i = 0; i < 2; i++) {
        const char *summary = share_out(*state, balances[i]);
        expect_shared(summary);
        json_expect(summary, "loops.0.accepted", SHARED / 2);
        json_expect(summary, "loops.1.accepted", SHARED / 2);
        json_expect(summary, "loops.0.bytes_out", SHARED / 2 * EACH);
    }
}

/* Three come, the second leaves, two more come: they go where it was, or to
 * whose turn it is. */
static void expect_after_a_leave(struct scene *scene, const char *balance,
    unsigned first_loop, unsigned second_loop)
{
    struct client *clients[5];
    struct program *echo = program_start(scene,
        SERVE(ANYWHERE, "--loops", "2", "--balance", balance, "--stats",
            "0.05", "--drain", "0", "--json"));
    const char *address = json_address(echo);
    for (int i = 0; i < 5; i++) {
        clients[i] = client_connect(scene, address);
        client_echo(clients[i], 10);
        if (i == 2) {
            client_finish(clients[1]);
            wait_until_open(echo, 2);
        }
    }
    program_stop(echo);
    json_expect(event(echo, "summary"), "loops.0.accepted", first_loop);
    json_expect(event(echo, "summary"), "loops.1.accepted", second_loop);
}

static void least_looks_at_who_has_left_and_rr_does_not(void **state)
{
    expect_after_a_leave(*state, "least", 2, 3);
    expect_after_a_leave(*state, "rr", 3, 2);
}

static void the_kernel_shares_out_where_it_can(void **state)
{
    if (programs_have_reuseport()) {
        expect_shared(share_out(*state, "reuseport"));
        return;
    }
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--balance", "reuseport"));
    program_expect_complaint(
        echo, 2, ARGS("--balance reuseport", "least or rr"));
}

/* German and Chinese: no code page of Windows but UTF-8 has both. */
static void what_it_quotes_has_the_characters_it_was_given(void **state)
{
    program_expect_complaint(
        program_start(*state,
            SERVE(ANYWHERE, "gr\xc3\xbcn-\xe6\xb5\x8b", "--json")),
        2, ARGS("\"gr\xc3\xbcn-\xe6\xb5\x8b\" is one argument too many"));
}

/* "     0          1 ...": the first columns of the table, or -1. */
static double accepted_by(const struct program *echo, const char *loop)
{
    char begin[16];
    (void)snprintf(begin, sizeof(begin), "\n%6s ", loop); /* it fits */
    const char *found = strstr(echo->out.text, begin);
    return found == NULL ? -1 : strtod(found + strlen(begin), NULL);
}

static void the_summary_has_a_row_for_each_loop(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--loops", "3"));
    const char *address = program_address(echo, 0);
    for (int i = 0; i < 4; i++) {
        client_finish(client_connect(*state, address));
    }
    program_stop(echo);
    if (accepted_by(echo, "0") + accepted_by(echo, "1") +
                accepted_by(echo, "2") != 4 ||
        accepted_by(echo, "all") != 4 || accepted_by(echo, "3") != -1 ||
        strstr(echo->out.text, "stopped after ") == NULL) {
        program_fail(echo, "has no summary of 4 connections on 3 loops");
    }
}

/* ---- limits ---- */

static void a_third_of_two_connections_waits_until_one_leaves(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--max-connections", "2", "--stats", "0.1", "--json"));
    const char *address = json_address(echo);
    struct client *first = client_connect(*state, address);
    struct client *second = client_connect(*state, address);
    client_echo(first, 10);
    client_echo(second, 10);
    struct client *third = client_connect(*state, address);
    client_send(third, 10);
    wait_figures(echo, 3);
    client_echo(first, 10);
    json_expect(event(echo, "figures"), "open", 2);
    json_expect(event(echo, "figures"), "accepted", 2);
    assert_int_equal(third->received, 0);
    client_leave(first);
    client_expect_all_back(third);
    client_finish(second);
    client_finish(third);
    program_stop(echo);
    json_expect(event(echo, "summary"), "total.accepted", 3);
}

struct clients {
    struct client *all[8];
};

static unsigned connected(const struct clients *clients)
{
    unsigned count = 0;
    for (size_t i = 0; i < 8; i++) {
        count += clients->all[i]->connected;
    }
    return count;
}

static bool all_connected(const void *arg)
{
    return connected(arg) == 8;
}

/* One has the only place, 8 more want the kernel to queue them. */
static struct program *queue_8(
    struct scene *scene, const char *backlog, struct clients *clients)
{
    struct program *echo = program_start(scene,
        SERVE(ANYWHERE, "--backlog", backlog, "--max-connections", "1",
            "--drain", "0", "--stats", "0.1", "--json"));
    const char *address = json_address(echo);
    client_echo(client_connect(scene, address), 10);
    for (size_t i = 0; i < 8; i++) {
        clients->all[i] = client_start(scene, address);
    }
    return echo;
}

static void the_backlog_is_how_many_the_kernel_queues(void **state)
{
    struct clients clients;
    struct program *echo = queue_8(*state, "1", &clients);
    wait_figures(echo, 4);
    assert_in_range(connected(&clients), 1, 7);
    program_stop(echo);
    echo = queue_8(*state, "0", &clients);
    assert_true(run_until(*state, all_connected, &clients));
    program_stop(echo);
}

static void one_byte_of_read_buffer_still_echoes(void **state)
{
    struct program *echo = program_start(
        *state, SERVE(ANYWHERE, "--read-buffer", "1", "--json"));
    struct client *client = client_connect(*state, json_address(echo));
    client_send(client, 500);
    client_finish(client);
    program_stop(echo);
    json_expect(event(echo, "summary"), "total.bytes_out", 500);
    json_expect(event(echo, "summary"), "total.reads", 500);
}

/* ---- stopping ---- */

static void an_idle_connection_is_closed_at_the_deadline(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "0.5", "--json"));
    struct client *idle = client_connect(*state, json_address(echo));
    client_echo(idle, 10);
    uint64_t asked = uv_hrtime();
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(client_wait_end(idle), UV_EOF);
    assert_true(seconds_since(asked) > 0.45);
    if (program_wait(echo) != 0) {
        program_fail(echo, "has not drained cleanly");
    }
    json_expect(event(echo, "draining"), "open", 1);
    json_expect(event(echo, "draining"), "deadline", 0.5);
    json_expect(event(echo, "summary"), "total.closed.stop", 1);
}

static void a_connection_in_the_middle_may_finish_while_draining(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "3600", "--json"));
    struct client *client = client_connect(*state, json_address(echo));
    client_echo(client, 1000);
    program_ask(echo, ASK_CTRL_C);
    program_wait_for(echo, &echo->out, "\"draining\"");
    client_send(client, 200000);
    client_finish(client);
    if (program_wait(echo) != 0) {
        program_fail(echo, "has not drained cleanly");
    }
    json_expect(event(echo, "summary"), "total.closed.stop", 0);
    json_expect(event(echo, "summary"), "total.bytes_out", 201000);
}

/* ---- timeouts and the limit of what is queued ---- */

static void expect_closed(struct program *echo, const char *cause)
{
    char path[64];
    program_stop(echo);
    (void)snprintf(path, sizeof(path), "total.closed.%s", cause);
    json_expect(event(echo, "summary"), path, 1);
}

static void an_idle_client_is_closed(void **state)
{
    struct program *echo = program_start(
        *state, SERVE(ANYWHERE, "--idle-timeout", "0.3", "--json"));
    struct client *idle = client_connect(*state, json_address(echo));
    client_echo(idle, 10);
    assert_int_equal(client_wait_end(idle), UV_EOF);
    expect_closed(echo, "idle");
}

/* More than the kernels of both sides hold, and it reads nothing of it. */
static struct client *stuff(struct scene *scene, struct program *echo)
{
    struct client *client = client_connect(scene, json_address(echo));
    client_echo(client, 10);
    client_stop_reading(client);
    client_send(client, 30 * 1024 * 1024);
    return client;
}

static void expect_reset(struct program *echo, struct client *client,
    const char *cause)
{
    wait_until_open(echo, 0);
    client_read_on(client); /* its write has met with the reset already */
    (void)client_wait_end(client);
    assert_true(client->received < client->sent);
    expect_closed(echo, cause);
}

static void a_client_that_does_not_read_is_reset(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--write-timeout", "0.5", "--write-rate", "100",
            "--stats", "0.2", "--json"));
    expect_reset(echo, stuff(*state, echo), "write");
}

static void a_connection_has_a_longest_life(void **state)
{
    struct program *echo = program_start(
        *state, SERVE(ANYWHERE, "--max-lifetime", "0.5", "--json"));
    struct client *client = client_connect(*state, json_address(echo));
    client_echo(client, 10);
    assert_int_equal(client_wait_end(client), UV_EOF);
    expect_closed(echo, "lifetime");
}

static void what_may_be_queued_is_limited(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--max-queued", "1000", "--stats", "0.2", "--json"));
    struct client *greedy = stuff(*state, echo);
    struct client *honest = client_connect(*state, json_address(echo));
    client_echo(honest, 10);
    client_finish(honest);
    expect_reset(echo, greedy, "queued");
    json_expect(event(echo, "summary"), "total.queue_refused", 1);
}

/* The listeners close a moment after it has said that it drains, and who comes
 * right then is reset. */
static void new_connections_are_refused_while_draining(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "3600"));
    const char *address = program_address(echo, 0);
    struct client *open = client_connect(*state, address);
    uint64_t asked;
    int err = 0;
    client_echo(open, 10);
    program_ask(echo, ASK_CTRL_C);
    program_wait_for(echo, &echo->out, "draining: 1 open, up to 3600.0 s");
    asked = uv_hrtime();
    while (err != UV_ECONNREFUSED &&
           seconds_since(asked) * 1000 < DEADLINE_MS) {
        struct client *late = client_start(*state, address);
        err = client_wait_connected(late);
        client_leave(late);
    }
    assert_int_equal(err, UV_ECONNREFUSED);
    client_echo(open, 10);
    client_finish(open);
    assert_int_equal(program_wait(echo), 0);
}

static void asked_a_second_time_it_stops_at_once(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "3600"));
    struct client *open = client_connect(*state, program_address(echo, 0));
    client_echo(open, 10);
    program_ask(echo, ASK_CTRL_C);
    program_wait_for(echo, &echo->out, "once more stops at once");
    client_echo(open, 10);
    program_ask(echo, ASK_CTRL_C);
    assert_true(client_wait_end(open) < 0);
    assert_int_equal(program_wait(echo), 0);
    assert_non_null(strstr(echo->out.text, "\nstopping: 1 open\n"));
}

static void without_a_drain_the_first_time_stops_at_once(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "0"));
    struct client *open = client_connect(*state, program_address(echo, 0));
    client_echo(open, 10);
    program_stop(echo);
    assert_true(client_wait_end(open) < 0);
}

static void sigterm_or_ctrl_break_drains_too(void **state)
{
    if (programs_cannot_ask(ASK_OTHERWISE) != NULL) {
        skip_because(programs_cannot_ask(ASK_OTHERWISE));
    }
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--drain", "3600"));
    struct client *open = client_connect(*state, program_address(echo, 0));
    client_echo(open, 10);
    program_ask(echo, ASK_OTHERWISE);
    program_wait_for(echo, &echo->out, "draining: 1 open");
    client_echo(open, 10);
    client_finish(open);
    assert_int_equal(program_wait(echo), 0);
}

/* At any moment of its end: as a person who holds the keys down does. */
static void asked_until_it_has_gone_it_still_ends_well(void **state)
{
    for (unsigned i = 0; i < 5; i++) {
        struct program *echo = program_start(*state, SERVE(ANYWHERE));
        (void)program_address(echo, 0); /* it listens, and so it watches */
        while (!echo->exited && programs_send(echo, ASK_CTRL_C) == 0) {
            (void)uv_run(echo->process.loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(program_wait(echo), 0);
    }
}

/* ---- what it prints ---- */

static void figures_come_as_often_as_asked_for(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--stats", "0.2"));
    struct client *client = client_connect(*state, program_address(echo, 0));
    double last = 0;
    client_echo(client, 10);
    program_wait_lines(echo, 2 + 4); /* behind the two at the start */
    for (unsigned i = 2; i < 2 + 4; i++) {
        const char *line = output_line(*state, &echo->out, i);
        double seconds = strtod(line, NULL);
        if (seconds < last || strstr(line, " s  open ") == NULL ||
            strstr(line, "accepted ") == NULL) {
            program_fail(echo, "has no figures in line %u", i);
        }
        last = seconds;
    }
    assert_true(last > 0.65);
    client_finish(client);
    program_stop(echo);
}

static void json_figures_come_as_often_as_asked_for(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--stats", "200ms", "--json"));
    struct client *client = client_connect(*state, json_address(echo));
    double last = 0;
    client_echo(client, 10);
    wait_figures(echo, 1);
    json_expect(event(echo, "figures"), "open", 1);
    for (int i = 0; i < 3; i++) {
        wait_figures(echo, 1);
        double seconds = json_number_at(event(echo, "figures"), "seconds");
        assert_true(seconds > last);
        last = seconds;
    }
    assert_true(last > 0.65);
    client_finish(client);
    program_stop(echo);
}

static void each_line_of_json_is_an_object(void **state)
{
    static const char *const events[] = {
        "listening", "figures", "draining", "stopping", "summary"};
    struct program *echo = program_start(
        *state, SERVE(ANYWHERE, "--stats", "0.05", "--json"));
    struct client *open = client_connect(*state, json_address(echo));
    client_echo(open, 10);
    wait_figures(echo, 2);
    program_ask(echo, ASK_CTRL_C);
    program_wait_for(echo, &echo->out, "\"draining\"");
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(program_wait(echo), 0);
    for (unsigned i = 0; i < output_lines(&echo->out); i++) {
        if (!json_is_object(output_line(*state, &echo->out, i))) {
            program_fail(echo, "has no JSON object in line %u", i);
        }
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        (void)event(echo, events[i]);
    }
    assert_int_equal(echo->out.text[echo->out.length - 1], '\n');
}

/* It does not say where it listens, so it is told a port that was free a moment
 * ago. Returns NULL if somebody else was faster. */
static struct program *start_quiet(struct scene *scene, struct client **client)
{
    const char *address = nobodys_address(scene, false);
    struct program *echo = program_start(scene,
        SERVE("--listen", address, "--quiet", "--stats", "0.05"));
    uint64_t begin = uv_hrtime();
    int err;
    do {
        *client = client_start(scene, address);
        err = client_wait_connected(*client);
    } while (err != 0 && !echo->exited &&
             seconds_since(begin) * 1000 < DEADLINE_MS);
    return err == 0 ? echo : NULL;
}

static void told_to_be_quiet_it_prints_nothing(void **state)
{
    struct program *echo = NULL;
    struct client *client;
    for (int i = 0; i < 5 && echo == NULL; i++) {
        echo = start_quiet(*state, &client);
    }
    assert_non_null(echo);
    client_echo(client, 10);
    client_finish(client);
    program_ask(echo, ASK_CTRL_C);
    int status = program_wait(echo);
    if (status != 0 || echo->out.length != 0 || program_complains(echo)) {
        program_fail(echo, "(%d) is not quiet", status);
    }
}

static void nobody_reading_its_output_does_not_stop_it(void **state)
{
    struct program *echo =
        program_start(*state, SERVE(ANYWHERE, "--stats", "0.02"));
    struct client *client = client_connect(*state, program_address(echo, 0));
    uint64_t begin;
    client_echo(client, 10);
    program_hang_up(echo);
    begin = uv_hrtime();
    while (seconds_since(begin) < 0.3) { /* of many lines that nobody reads */
        client_echo(client, 1000);
    }
    client_finish(client);
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(program_wait(echo), 0);
    assert_false(program_complains(echo));
}

static void it_tells_its_version_and_its_options(void **state)
{
    static const char *const words[] = {"usage: teller-echo [OPTION]",
        "--listen ADDRESS", "--loops N", "--balance least|rr|reuseport",
        "--backlog N", "--max-connections N", "--read-buffer SIZE",
        "--drain SECONDS", "--stats SECONDS", "--json", "--quiet", "--version",
        "--help", "127.0.0.1:7007", "Exit status"};
    struct program *echo;
    assert_int_equal(program_run(*state, SERVE("--version"), &echo), 0);
    assert_string_equal(echo->out.text, "teller-echo " TELLER_VERSION "\n");
    assert_int_equal(echo->err.length, 0);
    assert_int_equal(program_run(*state, SERVE("--help"), &echo), 0);
    assert_int_equal(echo->err.length, 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(echo->out.text, words[i]) == NULL) {
            program_fail(echo, "does not help with \"%s\"", words[i]);
        }
    }
}

/* ---- what goes wrong ---- */

static void expect_usage(
    struct scene *scene, const char *const *args, const char *const *words)
{
    program_expect_complaint(program_start(scene, args), 2, words);
}

static void wrong_usage_exits_with_2_and_one_line_that_mends_it(void **state)
{
    expect_usage(*state, SERVE("--lisen", "127.0.0.1:0"),
        ARGS("--lisen", "did you mean --listen?"));
    expect_usage(*state, SERVE("--bananas"), ARGS("--bananas", "--help"));
    expect_usage(*state, SERVE("--drain"), ARGS("--drain lacks its value"));
    expect_usage(*state, SERVE("--loops", "1025"),
        ARGS("--loops wants", "0 to 1024", "not \"1025\""));
    expect_usage(*state, SERVE("--loops", "two"),
        ARGS("--loops wants", "host"));
    expect_usage(*state, SERVE("--read-buffer", "0"),
        ARGS("--read-buffer wants a size", "not \"0\""));
    expect_usage(*state, SERVE("--drain", "-1"),
        ARGS("--drain wants seconds", "such as"));
    expect_usage(*state, SERVE("--balance", "worst"),
        ARGS("--balance wants least, rr or reuseport", "not \"worst\""));
    expect_usage(*state, SERVE("--allow", "::1,10.0.0.1/8"),
        ARGS("--allow wants", "10.0.0.0/8", "not \"10.0.0.1/8\""));
    expect_usage(*state, SERVE("--deny", "::1,"),
        ARGS("--deny wants", "not \"\""));
    expect_usage(*state, SERVE("--json=yes"), ARGS("--json takes no value"));
    expect_usage(*state, SERVE("more"), ARGS("\"more\"", "leave it out"));
    expect_usage(*state, SERVE("--listen", "127.0.0.1:65536"),
        ARGS("\"65536\" is no port", "HOST:PORT"));
    expect_usage(*state, SERVE("--listen", "::1:7007"),
        ARGS("\"::1:7007\" is no address", "[IPV6]:PORT"));
}

static void an_address_in_use_exits_with_1_and_says_so(void **state)
{
    struct program *first = program_start(*state, SERVE(ANYWHERE));
    const char *address = program_address(first, 0);
    struct program *second =
        program_start(*state, SERVE(ANYWHERE, "--listen", address));
    program_expect_complaint(second, 1,
        ARGS("cannot listen on", address, "is in use", "--listen HOST:PORT"));
    client_finish(client_connect(*state, address));
    program_stop(first);
}

/* 192.0.2.0/24 is for documentation (RFC 5737). Nothing is sent there. */
static void an_address_of_no_interface_exits_with_1_and_says_so(void **state)
{
    struct program *echo =
        program_start(*state, SERVE("--listen", "192.0.2.1:7007"));
    program_expect_complaint(echo, 1,
        ARGS("cannot listen on 192.0.2.1:7007", "does not have that address",
            "--listen '*:7007'"));
}

static void copy_file(uv_loop_t *loop, const char *from, const char *to)
{
    uv_fs_t request;
    assert_int_equal(uv_fs_copyfile(loop, &request, from, to, 0, NULL), 0);
    uv_fs_req_cleanup(&request);
    assert_int_equal(uv_fs_chmod(loop, &request, to, 0755, NULL), 0);
    uv_fs_req_cleanup(&request);
}

/* The user may not reach our build folder, and so gets a copy. */
static struct program *start_copy(struct scene *scene, const char *address,
    const uv_process_options_t *options)
{
    char folder[64];
    char file[96];
    struct program *echo = NULL;
    uv_fs_t request;
    assert_int_equal(programs_make_public_folder(folder, sizeof(folder)), 0);
    (void)snprintf(file, sizeof(file), "%s/teller-echo", folder); /* it fits */
    copy_file(&scene->loop, TELLER_ECHO, file);
    int err =
        program_try(scene, ARGS(file, "--listen", address), options, &echo);
    (void)uv_fs_unlink(&scene->loop, &request, file, NULL); /* it was copied */
    uv_fs_req_cleanup(&request);
    (void)uv_fs_rmdir(&scene->loop, &request, folder, NULL); /* it is empty */
    uv_fs_req_cleanup(&request);
    assert_int_equal(err, 0);
    return echo;
}

static void a_port_without_permission_exits_with_1_and_says_so(void **state)
{
    uv_process_options_t options = {0};
    const char *reason = NULL;
    unsigned port = programs_reserved_port(&options, &reason);
    char address[32];
    struct program *echo = NULL;
    if (port == 0) {
        skip_because(reason);
    }
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    int err = program_try(
        *state, SERVE("--listen", address), &options, &echo);
    if (err == UV_EACCES) {
        echo = start_copy(*state, address, &options);
    }
    assert_non_null(echo);
    program_expect_complaint(echo, 1,
        ARGS("cannot listen on", address, "permission denied", "below 1024",
            "--listen HOST:PORT"));
}

/* Where there is none the user hears that, and not of a folder. */
static void a_system_without_takeovers_is_named(void **state)
{
    struct program *echo = program_start(
        *state, SERVE(ANYWHERE, "--takeover", "/nowhere-at-all/echo"));
    if (programs_have_takeover()) {
        program_expect_complaint(echo, 1, ARGS("folder"));
        return;
    }
    program_expect_complaint(echo, 2, ARGS("--takeover needs Linux"));
    echo = program_start(*state, SERVE(ANYWHERE, "--user", "nobody"));
    program_expect_complaint(echo, 2, ARGS("--user needs Linux"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(what_it_quotes_has_the_characters_it_was_given),
        scene_test(a_system_without_takeovers_is_named),
        scene_test(it_says_where_it_listens_and_how_to_try_it),
        scene_test(told_nothing_it_listens_on_port_7007_of_localhost),
        scene_test(it_listens_on_each_address_given_and_on_a_name),
        scene_test(it_listens_on_ipv6),
        scene_test(all_addresses_are_reached_by_ipv4_and_ipv6),
        scene_test(one_port_serves_ipv4_and_ipv6_from_two_addresses),
        scene_test(each_number_of_loops_echoes),
        scene_test(two_loops_get_half_of_the_connections_each),
        scene_test(least_looks_at_who_has_left_and_rr_does_not),
        scene_test(the_kernel_shares_out_where_it_can),
        scene_test(the_summary_has_a_row_for_each_loop),
        scene_test(a_third_of_two_connections_waits_until_one_leaves),
        scene_test(the_backlog_is_how_many_the_kernel_queues),
        scene_test(one_byte_of_read_buffer_still_echoes),
        scene_test(an_idle_connection_is_closed_at_the_deadline),
        scene_test(a_connection_in_the_middle_may_finish_while_draining),
        scene_test(an_idle_client_is_closed),
        scene_test(a_client_that_does_not_read_is_reset),
        scene_test(a_connection_has_a_longest_life),
        scene_test(what_may_be_queued_is_limited),
        scene_test(new_connections_are_refused_while_draining),
        scene_test(asked_a_second_time_it_stops_at_once),
        scene_test(without_a_drain_the_first_time_stops_at_once),
        scene_test(sigterm_or_ctrl_break_drains_too),
        scene_test(asked_until_it_has_gone_it_still_ends_well),
        scene_test(figures_come_as_often_as_asked_for),
        scene_test(json_figures_come_as_often_as_asked_for),
        scene_test(each_line_of_json_is_an_object),
        scene_test(told_to_be_quiet_it_prints_nothing),
        scene_test(nobody_reading_its_output_does_not_stop_it),
        scene_test(it_tells_its_version_and_its_options),
        scene_test(wrong_usage_exits_with_2_and_one_line_that_mends_it),
        scene_test(an_address_in_use_exits_with_1_and_says_so),
        scene_test(an_address_of_no_interface_exits_with_1_and_says_so),
        scene_test(a_port_without_permission_exits_with_1_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
