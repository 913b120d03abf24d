/* SPDX-License-Identifier: MIT */
/* The real programs, started without one of their standard streams: what they open
 * first would get its number. */
#include <stdio.h>

#include "programs.h"

static const char *const closed[] = {
    "<&-", ">&-", "2>&-", "<&- >&- 2>&-"};
enum { CLOSED = sizeof(closed) / sizeof(closed[0]) };

/* Runs the program, with `arguments` as the shell takes them, without these. */
static void expect_status(struct scene *scene, int status, const char *file,
    const char *arguments, const char *without)
{
    char command[256];
    struct program *program;
    (void)snprintf(command, sizeof(command), "exec \"$0\" %s %s", arguments,
        without); /* it fits */
    int got =
        program_run(scene, ARGS("/bin/sh", "-c", command, file), &program);
    if (got != status) {
        program_fail(program, "has ended with %d, not with %d, started %s",
            got, status, without);
    }
}

static void teller_load_works_without_standard_streams(void **state)
{
    char arguments[128];
    struct program *echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "1"));
    (void)snprintf(arguments, sizeof(arguments),
        "%s --connections 2 --round-trips 2 --quiet",
        program_address(echo, 0)); /* it fits */
    for (int i = 0; i < CLOSED; i++) {
        expect_status(*state, 0, TELLER_LOAD, arguments, closed[i]);
    }
    program_stop(echo);
}

/* It cannot listen at an address that is nobody's, and ends in good order. */
static void teller_echo_works_without_standard_streams(void **state)
{
    for (int i = 0; i < CLOSED; i++) {
        expect_status(
            *state, 1, TELLER_ECHO, "--listen 192.0.2.1:7107", closed[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(teller_load_works_without_standard_streams),
        scene_test(teller_echo_works_without_standard_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
