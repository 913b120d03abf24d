/* SPDX-License-Identifier: MIT */
/*
 * The real teller-soak against the real teller-echo: what it says of a server
 * that does well, and that it does not say so of one that does not. The long
 * runs are soak/run.sh, soak/attack.sh and soak/many.sh.
 */
#include <stdio.h>
#include <string.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

#define SOAK(address, ...) ARGS(TELLER_SOAK, address, "--quiet", __VA_ARGS__)

static struct program *start_echo(struct scene *scene, const char **address)
{
    char *text = scene_alloc(scene, 64);
    struct program *echo = program_start(scene, ARGS(TELLER_ECHO, "--listen",
        "127.0.0.1:0", "--loops", "2", "--json"));
    program_wait_lines(echo, 1);
    assert_true(json_string(
        output_line(scene, &echo->out, 0), "addresses.0", text, 64));
    *address = text;
    return echo;
}

static const char *last_line(struct program *program)
{
    return output_line(
        program->scene, &program->out, output_lines(&program->out) - 1);
}

/* Runs it, and returns its summary. */
static const char *run_soak(
    struct scene *scene, int status, const char *const *args)
{
    struct program *soak;
    int got = program_run(scene, args, &soak);
    if (got != status || output_lines(&soak->out) == 0) {
        program_fail(soak, "has ended with %d, not with %d", got, status);
    }
    return last_line(soak);
}

static const char *stop_echo(struct program *echo)
{
    program_stop(echo);
    json_expect(last_line(echo), "total.open", 0);
    return last_line(echo);
}

static void a_days_work_ends_well_and_both_count_the_same(void **state)
{
    static const char *const kinds[] = {
        "quick", "slow", "silent", "reset", "half", "bytes"};
    const char *address;
    struct program *echo = start_echo(*state, &address);
    const char *soak =
        run_soak(*state, 0, SOAK(address, "--connections", "60", "--duration",
                                "1", "--lifetime", "1", "--strict"));
    const char *summary = stop_echo(echo);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "kinds.%s.connected", kinds[i]);
        assert_true(json_number_at(soak, path) > 0);
    }
    double whole = json_number_at(soak, "all.whole");
    double reset = json_number_at(soak, "kinds.reset.own");
    assert_true(json_number_at(soak, "most_open") <= 60);
    assert_true(json_is_true(soak, "good"));
    json_expect(soak, "all.failed", 0);
    json_expect(soak, "all.connected", whole + reset);
    /* Windows does not give out who was reset in the queue: it is an error. */
    assert_true(json_number_at(summary, "total.accepted") +
                    json_number_at(summary, "total.accept_errors") ==
                whole + reset);
    assert_true(json_number_at(summary, "total.closed.peer") >= whole);
}

/* Its other half is what a server does with what it still has at the end. */
static void twelve_mebibytes_come_back_behind_a_half_close(void **state)
{
    const char *address;
    struct program *echo = start_echo(*state, &address);
    const char *soak = run_soak(*state, 0,
        SOAK(address, "--connections", "2", "--duration", "0.1", "--mix",
            "half=1", "--half", "12M", "--strict"));
    double whole = json_number_at(soak, "kinds.half.whole");
    assert_true(whole >= 2);
    json_expect(soak, "bytes_verified", whole * 12 * 1024 * 1024);
    json_expect(stop_echo(echo), "total.closed.peer", whole);
}

static void held_connections_answer_at_both_ends_of_their_time(void **state)
{
    const char *address;
    struct program *echo = start_echo(*state, &address);
    const char *soak = run_soak(*state, 0,
        SOAK(address, "--connections", "300", "--duration", "0.1",
            "--from-full", "--mix", "hold=1", "--from", "127.0.0.1,127.0.0.1",
            "--strict"));
    json_expect(soak, "most_open", 300);
    json_expect(soak, "open_at_finish", 300);
    json_expect(soak, "all.whole", 300);
    json_expect(soak, "bytes_verified", 300 * 64);
    json_expect(stop_echo(echo), "total.closed.peer", 300);
}

static void probes_measure_round_trips(void **state)
{
    const char *address;
    struct program *echo = start_echo(*state, &address);
    const char *soak = run_soak(*state, 0,
        SOAK(address, "--connections", "4", "--duration", "0.5", "--mix",
            "probe=1", "--every", "5ms", "--strict"));
    json_expect(soak, "round_trip_us.count",
        json_number_at(soak, "all.whole") * 100);
    double half = json_number_at(soak, "round_trip_us.p50");
    assert_true(half > 1);
    assert_true(json_number_at(soak, "round_trip_us.p99") >= half);
    assert_true(json_number_at(soak, "first_answer_us.p50") >= 1);
    soak = run_soak(*state, 0,
        SOAK(address, "--connections", "4", "--duration", "0.3", "--mix",
            "probe=1", "--every", "5ms", "--probes", "0", "--strict"));
    json_expect(soak, "all.whole", 4); /* one goes on until the end */
    assert_true(json_number_at(soak, "round_trip_us.count") >= 4);
    (void)stop_echo(echo);
}

static void attackers_go_on_until_the_end(void **state)
{
    const char *address;
    struct program *echo = start_echo(*state, &address);
    const char *soak = run_soak(*state, 0,
        SOAK(address, "--connections", "40", "--duration", "1", "--mix",
            "starve=1,drip=1,mute=1,flood=1", "--rate", "400", "--every",
            "0.2", "--strict"));
    json_expect(soak, "kinds.starve.whole", 0);
    json_expect(soak, "all.own", json_number_at(soak, "all.connected"));
    assert_true(json_number_at(soak, "kinds.flood.own") > 0);
    assert_true(json_number_at(soak, "kinds.mute.own") > 0);
    assert_true(json_number_at(soak, "kinds.drip.own") > 0);
    (void)stop_echo(echo);
}

/* ---- what must not pass ---- */

static void a_wrong_byte_fails_it_without_strict(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    const char *soak = run_soak(*state, 1,
        SOAK(liar->address, "--connections", "3", "--duration", "0.1", "--mix",
            "half=1", "--half", "1000"));
    assert_true(json_number_at(soak, "failures.wrong") >= 3);
    assert_false(json_is_true(soak, "good"));
}

static void bytes_that_are_owed_time_out(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->keeps = 500;
    const char *soak = run_soak(*state, 1,
        SOAK(liar->address, "--connections", "3", "--duration", "0.1", "--mix",
            "half=1", "--half", "1000", "--timeout", "0.5", "--strict"));
    json_expect(soak, "all.whole", 0);
    assert_true(json_number_at(soak, "failures.timeout") +
                    json_number_at(soak, "failures.early") >=
                3);
}

static void nobody_listening_is_refused_and_fails_it(void **state)
{
    const char *address = nobodys_address(*state, true);
    const char *soak = run_soak(*state, 1,
        SOAK(address, "--connections", "1", "--duration", "0.1"));
    assert_true(json_number_at(soak, "failures.refused") >= 1);
    json_expect(soak, "failures.of_connected", 0);
    json_expect(soak, "all.connected", 0);
}

/* What the network breaks is told apart, and is told of those it was offered
 * to. */
static void a_bad_network_is_told_by_cause(void **state)
{
    const char *address;
    struct program *echo = start_echo(*state, &address);
    struct program *proxy = program_start(*state,
        ARGS(TELLER_BAD_PROXY, address, "--cut", "10", "--reset", "10",
            "--within", "5000"));
    const char *soak = run_soak(*state, 1,
        SOAK(program_address(proxy, 0), "--connections", "50", "--duration",
            "0.5", "--mix", "half=1", "--half", "20000", "--strict"));
    program_stop(proxy);
    double cut = json_number_at(last_line(proxy), "cut");
    double reset = json_number_at(last_line(proxy), "reset");
    assert_true(cut > 0 && reset > 0);
    double early = json_number_at(soak, "failures.early");
    assert_true(early >= cut);
    assert_true(early == cut || !programs_tell_every_reset());
    json_expect(soak, "failures.reset", cut + reset - early);
    json_expect(soak, "failures.of_connected", cut + reset);
    json_expect(soak, "all.failed", cut + reset);
    (void)stop_echo(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(a_days_work_ends_well_and_both_count_the_same),
        scene_test(twelve_mebibytes_come_back_behind_a_half_close),
        scene_test(held_connections_answer_at_both_ends_of_their_time),
        scene_test(probes_measure_round_trips),
        scene_test(attackers_go_on_until_the_end),
        scene_test(a_wrong_byte_fails_it_without_strict),
        scene_test(bytes_that_are_owed_time_out),
        scene_test(nobody_listening_is_refused_and_fails_it),
        scene_test(a_bad_network_is_told_by_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
