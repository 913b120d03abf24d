/* SPDX-License-Identifier: MIT */
/* The real teller-echo at its limits: what it costs, what it says, and that all
 * is well again afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

#define SERVE(...) ARGS(TELLER_ECHO, __VA_ARGS__)
#define ANYWHERE "--listen", "127.0.0.1:0"

enum { CLIENTS = 150, DESCRIPTORS = 40, MEASURED_MS = 1500 };

static bool has_passed(const void *arg)
{
    const bool *passed = arg;
    return *passed;
}

static void on_passed(uv_timer_t *timer)
{
    bool *passed = timer->data;
    *passed = true;
}

/* Lets the loop run for so long; the clients go on pressing. */
static void pass(struct scene *scene, uint64_t milliseconds)
{
    uv_timer_t *timer = scene_alloc(scene, sizeof(*timer));
    bool *passed = scene_alloc(scene, sizeof(*passed));
    assert_int_equal(uv_timer_init(&scene->loop, timer), 0);
    timer->data = passed;
    assert_int_equal(uv_timer_start(timer, on_passed, milliseconds, 0), 0);
    assert_true(run_until(scene, has_passed, passed));
    uv_close((uv_handle_t *)timer, NULL);
}

static unsigned lines_with(const struct output *output, const char *words)
{
    const char *at = output->text;
    unsigned count = 0;
    while ((at = strstr(at, words)) != NULL) {
        at += strlen(words);
        count++;
    }
    return count;
}

/* 40 descriptors, or where more are in use already, some more than that. */
static void squeeze(struct program *echo)
{
    unsigned used = programs_count_descriptors(echo);
    programs_limit_descriptors(
        echo, used + 10 > DESCRIPTORS ? used + 10 : DESCRIPTORS);
}

/* Under 2% of a core, and then everyone is served. */
static void expect_calm(
    struct scene *scene, const char *balance, const char *loops)
{
    struct program *echo = program_start(scene,
        SERVE(ANYWHERE, "--max-connections", "0", "--balance", balance,
            "--loops", loops));
    const char *address = program_address(echo, 0);
    if (programs_count_descriptors(echo) == 0) {
        skip_because("nothing limits the descriptors of a program here");
    }
    squeeze(echo);
    struct client *clients[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(scene, address);
        client_send(clients[i], 1000);
    }
    program_wait_for(echo, &echo->err, "out of descriptors (EMFILE)");
    double before = programs_cpu_seconds(echo);
    uint64_t begin = uv_hrtime();
    pass(scene, MEASURED_MS);
    double wall = (double)(uv_hrtime() - begin) / 1e9;
    double cpu = programs_cpu_seconds(echo) - before;
    print_message("%s, %s loops: %.2f%% of a core\n", balance, loops,
        100 * cpu / wall);
    assert_true(cpu < CALM * wall);
    /* Once a second at most, whatever the number of loops. */
    assert_in_range(lines_with(&echo->err, "out of descriptors"), 1,
        (unsigned)((double)(uv_hrtime() - begin) / 1e9) + 3);
    programs_limit_descriptors(echo, 1000);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_expect_all_back(clients[i]);
        client_finish(clients[i]);
    }
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(program_wait(echo), 0);
    if (strstr(echo->out.text, "out_of_descriptors") == NULL) {
        program_fail(echo, "has not counted it");
    }
}

static void without_descriptors_two_loops_are_calm(void **state)
{
    expect_calm(*state, "least", "2");
}

static void without_descriptors_eight_loops_are_calm(void **state)
{
    expect_calm(*state, "least", "8");
}

static void without_descriptors_two_listeners_are_calm(void **state)
{
    if (!programs_have_reuseport()) {
        skip_because("there is no SO_REUSEPORT here");
    }
    expect_calm(*state, "reuseport", "2");
}

static void without_descriptors_eight_listeners_are_calm(void **state)
{
    if (!programs_have_reuseport()) {
        skip_because("there is no SO_REUSEPORT here");
    }
    expect_calm(*state, "reuseport", "8");
}

/* ---- who may connect ---- */

/* Whether it is reset at once, before or after it notices that it was let in.
 * The figures tell why; where not every reset is told, it has ended at least. */
static bool is_turned_away(struct scene *scene, const char *address)
{
    struct client *client = client_start(scene, address);
    int err = client_wait_connected(client);
    if (err == 0) {
        err = client_wait_end(client);
    }
    return err == UV_ECONNRESET ||
           (err == UV_EOF && !programs_tell_every_reset());
}

static void stop_and_expect(
    struct program *echo, const char *figure, unsigned number)
{
    const char *line;
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(program_wait(echo), 0);
    assert_false(program_complains(echo));
    line = output_line(
        echo->scene, &echo->out, output_lines(&echo->out) - 1);
    json_expect(line, figure, number);
}

static const char *json_address(struct program *echo)
{
    char *address = scene_alloc(echo->scene, 64);
    program_wait_lines(echo, 1);
    assert_true(json_string(output_line(echo->scene, &echo->out, 0),
        "addresses.0", address, 64));
    return address;
}

static void who_is_denied_is_reset(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--json", "--deny", "::1,127.0.0.0/8"));
    assert_true(is_turned_away(*state, json_address(echo)));
    stop_and_expect(echo, "total.refused_access", 1);
}

static void who_is_not_allowed_is_reset(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--json", "--allow", "10.0.0.0/8", "--allow",
            "::/0,192.0.2.7"));
    assert_true(is_turned_away(*state, json_address(echo)));
    stop_and_expect(echo, "total.refused_access", 1);
}

static void the_smallest_network_decides(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--json", "--deny", "0.0.0.0/0", "--allow",
            "127.0.0.1", "--deny", "127.0.0.0/8"));
    client_finish(client_connect(*state, json_address(echo)));
    stop_and_expect(echo, "total.refused_access", 0);
}

/* ---- what it says ---- */

static void a_warning_is_a_line_of_json(void **state)
{
    struct program *echo = program_start(*state,
        SERVE(ANYWHERE, "--json", "--max-per-peer", "1"));
    const char *address = json_address(echo);
    struct client *first = client_connect(*state, address);
    client_echo(first, 10);
    assert_true(is_turned_away(*state, address));
    program_wait_lines(echo, 2);
    const char *line = output_line(*state, &echo->out, 1);
    char text[32];
    assert_true(json_string(line, "event", text, sizeof(text)));
    assert_string_equal(text, "warning");
    assert_true(json_string(line, "kind", text, sizeof(text)));
    assert_string_equal(text, "peer");
    assert_false(json_string(line, "error", text, sizeof(text)));
    json_expect(line, "times", 1);
    client_finish(first);
    stop_and_expect(echo, "total.refused_peer", 1);
}

/* Is told a port, as it does not say where it listens. */
static void expect_warning_if_quiet(struct scene *scene, const char *form)
{
    char address[32];
    (void)snprintf(address, sizeof(address), "%s",
        nobodys_address(scene, false));
    struct program *echo = program_start(scene,
        SERVE("--listen", address, "--at-limit", "close", "--max-connections",
            "1", "--quiet", form));
    struct client *first = client_start(scene, address);
    while (client_wait_connected(first) != 0) { /* it is starting */
        client_leave(first);
        first = client_start(scene, address);
    }
    client_echo(first, 10);
    assert_true(is_turned_away(scene, address));
    program_wait_for(echo, &echo->err,
        "teller-echo: the limit of connections is reached, 1 time");
    client_finish(first);
    program_ask(echo, ASK_CTRL_C);
    assert_int_equal(program_wait(echo), 0);
    assert_int_equal(echo->out.length, 0);
}

/* To be quiet is not to be silent about this. */
static void a_warning_is_a_line_on_stderr_even_if_quiet(void **state)
{
    expect_warning_if_quiet(*state, NULL);
}

static void and_it_is_the_same_line_if_json_is_quiet(void **state)
{
    expect_warning_if_quiet(*state, "--json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(without_descriptors_two_loops_are_calm),
        scene_test(without_descriptors_eight_loops_are_calm),
        scene_test(without_descriptors_two_listeners_are_calm),
        scene_test(without_descriptors_eight_listeners_are_calm),
        scene_test(who_is_denied_is_reset),
        scene_test(who_is_not_allowed_is_reset),
        scene_test(the_smallest_network_decides),
        scene_test(a_warning_is_a_line_of_json),
        scene_test(a_warning_is_a_line_on_stderr_even_if_quiet),
        scene_test(and_it_is_the_same_line_if_json_is_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
