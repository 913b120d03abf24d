/* SPDX-License-Identifier: MIT */
/*
 * The real teller-load, against the real teller-echo or, where the server has
 * to be a bad one, against one in here (peers.h).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

#define LOAD(...) ARGS(TELLER_LOAD, __VA_ARGS__)

static struct program *start_echo(struct scene *scene)
{
    return program_start(
        scene, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "1"));
}

/* Runs it with --json, and returns its object. */
static const char *run_json(struct scene *scene, int status,
    const char *const *args, struct program **program)
{
    int got = program_run(scene, args, program);
    const char *json = output_line(scene, &(*program)->out, 0);
    if (got != status || output_lines(&(*program)->out) != 1 ||
        !json_is_object(json)) {
        program_fail(*program,
            "has ended with %d, not with %d and one JSON object", got, status);
    }
    return json;
}

/* ---- the result ---- */

/* The figure behind `label` at the begin of a line; -1 if there is none. */
static double figure(const struct output *output, const char *label)
{
    char begin[64];
    double number = -1;
    (void)snprintf(begin, sizeof(begin), "\n%s  ", label); /* it fits */
    const char *found = strncmp(output->text, begin + 1, strlen(begin) - 1) == 0
                            ? output->text - 1
                            : strstr(output->text, begin);
    if (found == NULL || sscanf(found + strlen(begin), "%lf", &number) != 1) {
        return -1;
    }
    return number;
}

static void the_table_has_every_figure(void **state)
{
    static const char *const labels[] = {"time", "round trips/s", "bytes/s back",
        "  min", "  p50", "  p90", "  p99", "  p99.9", "  max"};
    struct program *echo = start_echo(*state);
    struct program *load;
    int status = program_run(*state,
        LOAD(program_address(echo, 0), "--connections", "10", "--round-trips",
            "20"),
        &load);
    if (status != 0 || figure(&load->out, "connections") != 10 ||
        figure(&load->out, "round trips") != 200 ||
        figure(&load->out, "errors") != 0 ||
        strstr(load->out.text, "every byte verified: 12800 bytes") == NULL) {
        program_fail(load, "(%d) has not made 10 times 20 round trips", status);
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (figure(&load->out, labels[i]) <= 0) {
            program_fail(load, "lacks \"%s\"", labels[i]);
        }
    }
    program_stop(echo);
}

static void expect_figures(const char *json)
{
    static const char *const latencies[] = {"latency_us.min", "latency_us.p50",
        "latency_us.p90", "latency_us.p99", "latency_us.p99_9",
        "latency_us.max"};
    static const char *const causes[] = {"refused", "connect", "reset",
        "closed_early", "wrong_byte", "too_many_bytes", "timed_out", "machine",
        "other", "total"};
    double seconds = json_number_at(json, "seconds");
    double before = 0.001;
    for (size_t i = 0; i < sizeof(latencies) / sizeof(latencies[0]); i++) {
        double latency = json_number_at(json, latencies[i]);
        assert_true(latency >= before);
        before = latency;
    }
    assert_true(before <= seconds * 1e6 + 1);
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "errors.%s", causes[i]);
        json_expect(json, path, 0);
    }
    double trips = json_number_at(json, "round_trips_per_second") * seconds;
    double bytes = json_number_at(json, "bytes_per_second") * seconds;
    assert_true(trips > 200 * 0.98 && trips < 200 * 1.02);
    assert_true(bytes > 12800 * 0.98 && bytes < 12800 * 1.02);
}

static void the_json_has_every_figure(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load;
    const char *json = run_json(*state, 0,
        LOAD(program_address(echo, 0), "--connections", "10", "--round-trips",
            "20", "--json"),
        &load);
    json_expect(json, "connections", 10);
    json_expect(json, "connected", 10);
    json_expect(json, "round_trips", 200);
    json_expect(json, "bytes_sent", 12800);
    json_expect(json, "bytes_received", 12800);
    json_expect(json, "bytes_verified", 12800);
    expect_figures(json);
    assert_true(json_is_true(json, "verified"));
    assert_false(json_is_true(json, "stopped_early"));
    program_stop(echo);
}

static void messages_of_one_byte_and_of_a_mebibyte_come_back(void **state)
{
    struct program *echo = start_echo(*state);
    const char *address = program_address(echo, 0);
    struct program *load;
    const char *json = run_json(*state, 0,
        LOAD(address, "--connections", "3", "--round-trips", "50", "--size",
            "1", "--json"),
        &load);
    json_expect(json, "size", 1);
    json_expect(json, "bytes_verified", 150);
    json = run_json(*state, 0,
        LOAD(address, "--connections", "3", "--round-trips", "2", "--size",
            "1M", "--json"),
        &load);
    json_expect(json, "size", 1048576);
    json_expect(json, "bytes_verified", 6 * 1048576.0);
    program_stop(echo);
}

/* The server answers nothing until 8 messages are here. */
static void depth_is_how_many_messages_are_on_the_way(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct program *load;
    liar->hoards = 8 * 100;
    const char *json = run_json(*state, 0,
        LOAD(liar->address, "--connections", "2", "--round-trips", "40",
            "--size", "100", "--depth", "8", "--json"),
        &load);
    json_expect(json, "round_trips", 80);
    json = run_json(*state, 1,
        LOAD(liar->address, "--connections", "2", "--round-trips", "40",
            "--size", "100", "--depth", "7", "--json", "--timeout", "1"),
        &load);
    json_expect(json, "round_trips", 0);
    json_expect(json, "bytes_sent", 2 * 700);
    json_expect(json, "errors.timed_out", 2);
}

static void several_loops_share_the_connections(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load;
    const char *json = run_json(*state, 0,
        LOAD(program_address(echo, 0), "--connections", "9", "--round-trips",
            "100", "--loops", "4", "--json"),
        &load);
    json_expect(json, "loops", 4);
    json_expect(json, "round_trips", 900);
    program_stop(echo);
}

static void a_duration_ends_the_run_in_about_that_time(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load;
    const char *json = run_json(*state, 0,
        LOAD(program_address(echo, 0), "--connections", "4", "--duration", "1",
            "--json"),
        &load);
    double seconds = json_number_at(json, "seconds");
    assert_true(seconds > 0.8 && seconds < 4.5);
    assert_true(json_number_at(json, "round_trips") >= 4);
    program_stop(echo);
}

static void told_to_be_quiet_it_says_nothing_of_success(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load;
    int status = program_run(*state,
        LOAD(program_address(echo, 0), "--round-trips", "2", "--quiet"), &load);
    if (status != 0 || load->out.length != 0 || load->err.length != 0) {
        program_fail(load, "(%d) is not quiet", status);
    }
    program_stop(echo);
}

/* ---- asked to stop ---- */

static bool has_received(const void *arg)
{
    const struct liar *liar = arg;
    return liar->received > 0;
}

static void expect_result_when_asked(struct scene *scene, enum ask ask)
{
    struct liar *liar = liar_listen(scene);
    struct program *load = program_start(scene,
        LOAD(liar->address, "--connections", "2", "--duration", "3600"));
    assert_true(run_until(scene, has_received, liar));
    program_ask(load, ask);
    int status = program_wait(load);
    if (status != 0 || figure(&load->out, "round trips") < 1 ||
        strstr(load->out.text, "stopped early\n") == NULL ||
        strstr(load->out.text, "every byte verified") == NULL) {
        program_fail(load, "(%d) has not printed its result", status);
    }
}

static void ctrl_c_prints_the_result(void **state)
{
    expect_result_when_asked(*state, ASK_CTRL_C);
}

/* No matter how early: as soon as it has said so. */
static void ctrl_c_works_from_when_it_is_announced(void **state)
{
    struct program *echo = start_echo(*state);
    const char *address = program_address(echo, 0);
    for (int i = 0; i < 10; i++) {
        struct program *load =
            program_start(*state, LOAD(address, "--duration", "3600"));
        program_wait_for(load, &load->err, "Ctrl-C ends it");
        program_ask(load, ASK_CTRL_C);
        int status = program_wait(load);
        if (status != 0 || strstr(load->out.text, "stopped early\n") == NULL) {
            program_fail(load, "(%d) has not stopped early", status);
        }
    }
    program_stop(echo);
}

static void sigterm_or_ctrl_break_prints_the_result(void **state)
{
    if (programs_cannot_ask(ASK_OTHERWISE) != NULL) {
        skip_because(programs_cannot_ask(ASK_OTHERWISE));
    }
    expect_result_when_asked(*state, ASK_OTHERWISE);
}

/* ---- a server that is not right ---- */

static void expect_said(struct program *program, const char *words)
{
    if (strstr(program->err.text, words) == NULL) {
        program_fail(program, "does not say \"%s\"", words);
    }
}

static void one_wrong_byte_is_named_and_exits_with_1(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct program *load;
    liar->flips = 100;
    const char *json = run_json(*state, 1,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--json"),
        &load);
    expect_said(load, "teller-load: connection 0: byte 100 is wrong");
    expect_said(load, "teller-load: connection 1: byte 100 is wrong");
    expect_said(load, "teller-load: connection 2: byte 100 is wrong");
    json_expect(json, "errors.wrong_byte", 3);
    json_expect(json, "errors.total", 3);
    assert_false(json_is_true(json, "verified"));
}

static void the_table_counts_errors_by_cause(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct program *load;
    liar->flips = 0;
    int status = program_run(*state,
        LOAD(liar->address, "--connections", "2", "--round-trips", "4"), &load);
    if (status != 1 || figure(&load->out, "errors") != 2 ||
        figure(&load->out, "  wrong_byte") != 2 ||
        strstr(load->out.text, "NOT verified: 2 of 2 connections") == NULL) {
        program_fail(load, "(%d) has not counted 2 wrong", status);
    }
}

static void one_missing_byte_is_named_and_exits_with_1(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct program *load;
    liar->keeps = 4 * 64 - 1;
    const char *json = run_json(*state, 1,
        LOAD(liar->address, "--connections", "1", "--round-trips", "4",
            "--timeout", "1", "--json"),
        &load);
    expect_said(load, "connection 0: timeout: stalled at byte 255");
    expect_said(load, "missing 1 byte of 256 sent");
    json_expect(json, "errors.timed_out", 1);
    json_expect(json, "bytes_verified", 255);
    assert_false(json_is_true(json, "verified"));
}

static void nobody_listening_exits_with_1_and_says_what_to_do(void **state)
{
    const char *address = nobodys_address(*state, true);
    struct program *load;
    const char *json = run_json(*state, 1,
        LOAD(address, "--connections", "3", "--round-trips", "1", "--json"),
        &load);
    expect_said(load, "nothing listens at ");
    expect_said(load, address);
    expect_said(load, "start the server first");
    expect_said(load, "echo, 3 connections to 127.0.0.1:");
    json_expect(json, "errors.refused", 3);
    json_expect(json, "connected", 0);
}

#ifdef SIGSTOP

/* The server has answered meanwhile: it has stood still from before the load did,
 * so that the load has waited for nothing else, but not for so long. */
static void time_in_which_it_stood_still_is_no_timeout(void **state)
{
    struct scene *scene = *state;
    struct program *echo = start_echo(scene);
    struct program *load = program_start(scene,
        LOAD(program_address(echo, 0), "--duration", "5", "--timeout", "2"));
    program_wait_for(load, &load->err, "Ctrl-C ends it");
    scene_pass(scene, 200); /* until it is under way */
    assert_int_equal(uv_process_kill(&echo->process, SIGSTOP), 0);
    assert_int_equal(uv_process_kill(&load->process, SIGSTOP), 0);
    scene_pass(scene, 2500);
    assert_int_equal(uv_process_kill(&echo->process, SIGCONT), 0);
    scene_pass(scene, 300);
    assert_int_equal(uv_process_kill(&load->process, SIGCONT), 0);
    int status = program_wait(load);
    if (status != 0) {
        program_fail(load, "(%d) blames the server", status);
    }
    program_stop(echo);
}

#else

static void time_in_which_it_stood_still_is_no_timeout(void **state)
{
    (void)state;
    skip_because("a program cannot be made to stand still here");
}

#endif

/* ---- usage ---- */

static void expect_usage(
    struct scene *scene, const char *const *args, const char *const *words)
{
    program_expect_complaint(program_start(scene, args), 2, words);
}

static void wrong_usage_exits_with_2_and_one_line_that_mends_it(void **state)
{
    const char *a = "127.0.0.1:1";
    expect_usage(*state, LOAD(a, "--conections", "5"),
        ARGS("--conections", "did you mean --connections?"));
    expect_usage(*state, LOAD(a, "--bananas"), ARGS("--bananas", "--help"));
    expect_usage(*state, LOAD(a, "--size"), ARGS("--size lacks its value"));
    expect_usage(*state, LOAD(a, "--connections", "0"),
        ARGS("--connections wants", "from 1 to", "not \"0\""));
    expect_usage(*state, LOAD(a, "--depth", "65537"),
        ARGS("--depth wants", "1 to 65536"));
    expect_usage(*state, LOAD(a, "--duration", "soon"),
        ARGS("--duration wants seconds", "such as"));
    expect_usage(*state, LOAD(a, "--connections", "2", "--loops", "3"),
        ARGS("--threads is more than --connections"));
    expect_usage(*state, LOAD(a, "--source", "127.0.0.1,here"),
        ARGS("--source wants", "not \"here\""));
    expect_usage(*state, LOAD(a, "--source", "::1"),
        ARGS("--source has no address", a));
    expect_usage(*state, ARGS(TELLER_LOAD), ARGS("ADDRESS is missing"));
    expect_usage(*state, LOAD(a, "more"), ARGS("\"more\"", "leave it out"));
    expect_usage(*state, LOAD("127.0.0.1:http"),
        ARGS("\"http\" is no port", "HOST:PORT"));
    expect_usage(*state, LOAD("*:7007"), ARGS("\"*:7007\"", "HOST:PORT"));
    expect_usage(*state, LOAD("127.0.0.1:0"), ARGS("from 1 to 65535"));
}

/* As if they had been heard. */
static void options_that_would_do_nothing_are_refused(void **state)
{
    static const struct {
        const char *mode, *option, *value, *says;
    } idle[] = {
        {"connect", "--size", "100", "--size is for --mode echo, idle"},
        {"stream", "--size", "100", "--size is for --mode echo, idle"},
        {"hello", "--size", "100", "--size is for --mode echo, idle"},
        {"connect", "--pieces", "7", "--pieces is for --mode echo, stream"},
        {"hello", "--pieces", "7", "--pieces is for --mode echo, stream"},
        {"stream", "--depth", "2", "--depth is for --mode echo and slow"},
        {"stream", "--think", "2", "--think is for --mode echo and slow"},
        {"idle", "--think", "2", "--think is for --mode echo and slow"},
        {"connect", "--think", "2", "--think is for --mode echo and slow"},
        {"idle", "--session", "2", "--session is for --mode echo and slow"},
        {"idle", "--rate", "2", "--rate is for --mode echo, slow, connect"},
        {"echo", "--read-rate", "2", "--read-rate and --write-rate are for"},
        {"idle", "--round-trips", "2", "--round-trips is not for"},
    };
    for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
        expect_usage(*state,
            LOAD("127.0.0.1:1", "--mode", idle[i].mode, idle[i].option,
                idle[i].value),
            ARGS(idle[i].says));
    }
    expect_usage(*state,
        LOAD("127.0.0.1:1", "--threads", "2", "--loops", "3"),
        ARGS("--threads and --loops are the same"));
    expect_usage(*state,
        LOAD("127.0.0.1:1", "--think", "2", "--rate", "3"),
        ARGS("--think is for the closed loop"));
    expect_usage(*state,
        LOAD("127.0.0.1:1", "--think", "2", "--depth", "3"),
        ARGS("--think is for one message at a time"));
}

/* All errors but the first ones may be of any kind. */
static void errors_that_are_not_told_are_counted(void **state)
{
    struct program *load;
    int status = program_run(*state,
        LOAD(nobodys_address(*state, true), "--connections", "6",
            "--round-trips", "1", "--quiet"),
        &load);
    assert_int_equal(status, 1);
    assert_int_equal(output_lines(&load->err), 5 + 1);
    expect_said(load, "start the server first");
    struct liar *liar = liar_listen(*state);
    liar->flips = 0;
    status = program_run(*state,
        LOAD(liar->address, "--connections", "6", "--round-trips", "1",
            "--quiet"),
        &load);
    assert_int_equal(status, 1);
    expect_said(load,
        "teller-load: 1 more, of these causes or others, only counted\n");
}

static void it_tells_its_version_and_its_options(void **state)
{
    static const char *const words[] = {"usage: teller-load ADDRESS",
        "--connections N", "--size BYTES", "--round-trips N",
        "--duration SECONDS", "--depth N", "--threads N", "--json", "--help",
        "--version", "Exit status"};
    struct program *load;
    assert_int_equal(program_run(*state, LOAD("--version"), &load), 0);
    assert_string_equal(load->out.text, "teller-load " TELLER_VERSION "\n");
    assert_int_equal(load->err.length, 0);
    assert_int_equal(program_run(*state, LOAD("--help"), &load), 0);
    assert_int_equal(load->err.length, 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(load->out.text, words[i]) == NULL) {
            program_fail(load, "does not help with \"%s\"", words[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(the_table_has_every_figure),
        scene_test(the_json_has_every_figure),
        scene_test(messages_of_one_byte_and_of_a_mebibyte_come_back),
        scene_test(depth_is_how_many_messages_are_on_the_way),
        scene_test(several_loops_share_the_connections),
        scene_test(a_duration_ends_the_run_in_about_that_time),
        scene_test(told_to_be_quiet_it_says_nothing_of_success),
        scene_test(ctrl_c_prints_the_result),
        scene_test(ctrl_c_works_from_when_it_is_announced),
        scene_test(sigterm_or_ctrl_break_prints_the_result),
        scene_test(one_wrong_byte_is_named_and_exits_with_1),
        scene_test(the_table_counts_errors_by_cause),
        scene_test(one_missing_byte_is_named_and_exits_with_1),
        scene_test(nobody_listening_exits_with_1_and_says_what_to_do),
        scene_test(time_in_which_it_stood_still_is_no_timeout),
        scene_test(wrong_usage_exits_with_2_and_one_line_that_mends_it),
        scene_test(options_that_would_do_nothing_are_refused),
        scene_test(errors_that_are_not_told_are_counted),
        scene_test(it_tells_its_version_and_its_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
