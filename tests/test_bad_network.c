/* SPDX-License-Identifier: MIT */
/*
 * The real teller-echo and teller-load with teller-bad-proxy (net/) between
 * them. What the network does not break is right to the byte, what it breaks is
 * named by teller-load as what it is, and the server lets go of all of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

enum { MOST_OPTIONS = 24, MESSAGE = 64, MIB = 1024 * 1024 };

/* A server, and the bad network in front of it. */
struct net {
    struct program *echo;
    struct program *proxy;
    const char *address; /* the network's */
};

/* `options` are the proxy's, and end with NULL. */
static struct net net_start(struct scene *scene, const char *const *options)
{
    const char *args[MOST_OPTIONS] = {TELLER_BAD_PROXY};
    struct net net;
    char *address = scene_alloc(scene, 64);
    net.echo = program_start(scene, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0",
                                        "--loops", "2", "--json"));
    program_wait_lines(net.echo, 1);
    assert_true(json_string(output_line(scene, &net.echo->out, 0),
        "addresses.0", address, 64));
    args[1] = address;
    for (unsigned i = 2; *options != NULL; i++) {
        assert_true(i + 1 < MOST_OPTIONS);
        args[i] = *options++;
    }
    net.proxy = program_start(scene, args);
    net.address = program_address(net.proxy, 0);
    return net;
}

static const char *last_line(struct program *program)
{
    unsigned lines = output_lines(&program->out);
    return output_line(program->scene, &program->out, lines - 1);
}

static double closed(const char *summary)
{
    return json_number_at(summary, "total.closed.peer") +
           json_number_at(summary, "total.closed.error");
}

/* The proxy first: what it has left is reset, so that the server drains without
 * anybody who could keep it. Gives what each of the two has counted. */
static void net_stop(struct net *net, const char **proxy, const char **echo)
{
    program_stop(net->proxy);
    program_stop(net->echo);
    *proxy = last_line(net->proxy);
    *echo = last_line(net->echo);
    json_expect(*echo, "total.open", 0);
    json_expect(*echo, "total.refused", 0);
    double accepted = json_number_at(*echo, "total.accepted");
    json_expect(*proxy, "accepted", accepted);
    json_expect(*proxy, "refused", 0);
    if (closed(*echo) != accepted) {
        program_fail(net->echo, "has not closed each connection by the ends "
                                "that a network brings");
    }
}

/* Every connection went well: the counts of all three agree. */
static void net_stop_whole(struct net *net, double pairs, double bytes)
{
    const char *proxy;
    const char *echo;
    net_stop(net, &proxy, &echo);
    json_expect(proxy, "whole", pairs);
    json_expect(proxy, "left", 0);
    json_expect(proxy, "broken", 0);
    json_expect(proxy, "to_target", bytes);
    json_expect(proxy, "to_client", bytes);
    json_expect(echo, "total.closed.peer", pairs);
    json_expect(echo, "total.bytes_in", bytes);
    json_expect(echo, "total.bytes_out", bytes);
}

static const char *load_json(struct program *load, int status)
{
    int got = program_wait(load);
    const char *json = output_line(load->scene, &load->out, 0);
    if (got != status || json == NULL || !json_is_object(json)) {
        program_fail(
            load, "has ended with %d, not with %d and JSON", got, status);
    }
    return json;
}

#define LOAD(address, ...)                                                     \
    ARGS(TELLER_LOAD, address, "--json", "--quiet", "--timeout", "15",         \
        __VA_ARGS__)

/* ---- what only comes late, or in other pieces ---- */

static void delayed_and_cut_up_every_byte_comes_back(void **state)
{
    struct net net = net_start(
        *state, ARGS("--delay", "20ms", "--jitter", "20ms", "--piece", "700"));
    struct program *load =
        program_start(*state, LOAD(net.address, "--connections", "10",
                                  "--round-trips", "3", "--size", "5000"));
    const char *json = load_json(load, 0);
    json_expect(json, "bytes_verified", 10 * 3 * 5000);
    assert_true(json_number_at(json, "latency_us.min") >= 39000);
    net_stop_whole(&net, 10, 10 * 3 * 5000);
}

static void byte_by_byte_every_byte_comes_back(void **state)
{
    struct net net =
        net_start(*state, ARGS("--piece", "1", "--rate", "2000"));
    struct program *load =
        program_start(*state, LOAD(net.address, "--connections", "2",
                                  "--round-trips", "3", "--size", "50"));
    const char *json = load_json(load, 0);
    json_expect(json, "bytes_verified", 2 * 150);
    assert_true(json_number_at(json, "seconds") > 0.1);
    net_stop_whole(&net, 2, 2 * 150);
    json_expect(last_line(net.proxy), "pieces", 2 * 2 * 150);
}

static void through_stalls_every_byte_comes_back(void **state)
{
    struct net net = net_start(
        *state, ARGS("--stall", "50ms", "--stall-every", "10000"));
    struct program *load = program_start(
        *state, LOAD(net.address, "--connections", "10", "--round-trips", "10",
                    "--size", "8K", "--depth", "4"));
    const char *json = load_json(load, 0);
    json_expect(json, "bytes_verified", 10 * 81920.0);
    net_stop_whole(&net, 10, 10 * 81920.0);
    assert_true(json_number_at(last_line(net.proxy), "stalls") > 20);
}

static void half_closed_a_slow_network_owes_nothing(void **state)
{
    struct net net = net_start(*state,
        ARGS("--delay", "1ms", "--jitter", "2ms", "--stall", "20ms",
            "--stall-every", "1M"));
    struct client *large = client_connect(*state, net.address);
    struct client *empty = client_connect(*state, net.address);
    client_send(large, 4 * MIB);
    client_finish(large);
    client_finish(empty);
    net_stop_whole(&net, 2, 4.0 * MIB);
}

/* ---- what does not come any more ---- */

enum { PAIRS = 30, TRIPS = 12 };

/* Each connection has 12 messages to send, and is broken within the first 10 of
 * them or not at all. */
#define WITHIN "--within", "640"

static struct program *load_some(
    struct scene *scene, struct net *net, const char *connections)
{
    return program_start(scene, LOAD(net->address, "--connections", connections,
                                    "--round-trips", "12", "--size", "64"));
}

/* What teller-load has named, and that it has named nothing else. */
static void expect_errors(const char *json, double cut, double reset)
{
    double missing = json_number_at(json, "errors.closed_early");
    json_expect(json, "errors.total", cut + reset);
    json_expect(json, "errors.reset", cut + reset - missing);
    if (programs_tell_every_reset()) {
        assert_true(missing == cut);
    } else {
        assert_true(missing >= cut);
    }
}

static void cut_connections_are_named_as_such_and_no_other(void **state)
{
    struct net net = net_start(*state, ARGS("--cut", "50", WITHIN));
    const char *json = load_json(load_some(*state, &net, "30"), 1);
    const char *proxy;
    const char *echo;
    net_stop(&net, &proxy, &echo);
    double cut = json_number_at(proxy, "cut");
    assert_true(cut > 5 && cut < 25);
    expect_errors(json, cut, 0);
    json_expect(proxy, "whole", PAIRS - cut);
    json_expect(proxy, "broken", 0);
    json_expect(echo, "total.closed.peer", PAIRS);
    assert_true(json_number_at(json, "round_trips") >= (PAIRS - cut) * TRIPS);
}

static void reset_connections_are_named_as_such_and_no_other(void **state)
{
    struct net net = net_start(*state, ARGS("--reset", "50", WITHIN));
    const char *json = load_json(load_some(*state, &net, "30"), 1);
    const char *proxy;
    const char *echo;
    net_stop(&net, &proxy, &echo);
    double reset = json_number_at(proxy, "reset");
    assert_true(reset > 5 && reset < 25);
    expect_errors(json, 0, reset);
    json_expect(proxy, "whole", PAIRS - reset);
    double ended = json_number_at(echo, "total.closed.peer");
    assert_true(ended >= PAIRS - reset && ended <= PAIRS);
    assert_true(ended == PAIRS - reset || !programs_tell_every_reset());
}

static void with_all_bad_at_once_the_rest_is_still_right(void **state)
{
    struct net net = net_start(*state,
        ARGS("--cut", "20", "--reset", "20", WITHIN, "--delay", "2ms",
            "--jitter", "5ms", "--piece", "50", "--stall", "20ms",
            "--stall-every", "2000"));
    const char *json = load_json(load_some(*state, &net, "30"), 1);
    const char *proxy;
    const char *echo;
    net_stop(&net, &proxy, &echo);
    double cut = json_number_at(proxy, "cut");
    double reset = json_number_at(proxy, "reset");
    assert_true(cut > 1 && reset > 1);
    expect_errors(json, cut, reset);
    json_expect(proxy, "whole", PAIRS - cut - reset);
}

static void a_network_that_stops_is_named_a_timeout(void **state)
{
    struct net net = net_start(
        *state, ARGS("--stall", "1h", "--stall-every", "1000"));
    struct program *load = program_start(
        *state, ARGS(TELLER_LOAD, net.address, "--json", "--quiet", "--timeout",
                    "1", "--connections", "10", "--round-trips", "50"));
    const char *json = load_json(load, 1);
    const char *proxy;
    const char *echo;
    json_expect(json, "errors.timed_out", 10);
    json_expect(json, "errors.total", 10);
    net_stop(&net, &proxy, &echo);
}

/* ---- the server is stopped meanwhile ---- */

static void drained_through_a_slow_network_nothing_is_lost(void **state)
{
    struct net net =
        net_start(*state, ARGS("--delay", "10ms", "--jitter", "20ms"));
    struct client *first = client_connect(*state, net.address);
    struct client *second = client_connect(*state, net.address);
    client_echo(first, 1000);
    client_echo(second, 1000);
    client_send(first, MIB);
    program_ask(net.echo, ASK_CTRL_C);
    program_wait_for(net.echo, &net.echo->out, "\"draining\"");
    client_send(second, MIB / 4);
    client_finish(first);
    client_finish(second);
    assert_int_equal(program_wait(net.echo), 0);
    const char *echo = last_line(net.echo);
    json_expect(echo, "total.open", 0);
    json_expect(echo, "total.closed.peer", 2);
    json_expect(echo, "total.bytes_out", 2000 + 1.25 * MIB);
    program_stop(net.proxy);
    json_expect(last_line(net.proxy), "whole", 2);
}

/* ---- the network itself ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What was broken where, in an order of its own. */
static char *breaks(struct scene *scene, const char *seed)
{
    const char *lines[64];
    unsigned count = 0;
    struct net net = net_start(
        scene, ARGS("--cut", "40", "--reset", "40", WITHIN, "--seed", seed));
    const char *proxy;
    const char *echo;
    (void)load_json(load_some(scene, &net, "12"), 1);
    net_stop(&net, &proxy, &echo);
    for (unsigned i = 1; i + 1 < output_lines(&net.proxy->out); i++) {
        lines[count++] = output_line(scene, &net.proxy->out, i);
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    char *all = scene_alloc(scene, OUTPUT_MOST);
    for (unsigned i = 0; i < count; i++) {
        strcat(all, lines[i]); /* as long as the output, which fits */
    }
    return all;
}

static void the_same_seed_breaks_the_same_at_the_same_bytes(void **state)
{
    const char *first = breaks(*state, "7");
    assert_non_null(strstr(first, "\"cut\""));
    assert_non_null(strstr(first, "\"reset\""));
    assert_string_equal(breaks(*state, "7"), first);
    assert_string_not_equal(breaks(*state, "8"), first);
}

static void out_of_time_the_proxy_ends_by_itself(void **state)
{
    struct net net =
        net_start(*state, ARGS("--stall", "1h", "--time", "0.3"));
    struct client *client = client_connect(*state, net.address);
    client_send(client, 100000);
    (void)client_wait_end(client);
    assert_int_equal(program_wait(net.proxy), 3);
    json_expect(last_line(net.proxy), "left", 1);
    program_stop(net.echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(delayed_and_cut_up_every_byte_comes_back),
        scene_test(byte_by_byte_every_byte_comes_back),
        scene_test(through_stalls_every_byte_comes_back),
        scene_test(half_closed_a_slow_network_owes_nothing),
        scene_test(cut_connections_are_named_as_such_and_no_other),
        scene_test(reset_connections_are_named_as_such_and_no_other),
        scene_test(with_all_bad_at_once_the_rest_is_still_right),
        scene_test(a_network_that_stops_is_named_a_timeout),
        scene_test(drained_through_a_slow_network_nothing_is_lost),
        scene_test(the_same_seed_breaks_the_same_at_the_same_bytes),
        scene_test(out_of_time_the_proxy_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
