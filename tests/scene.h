/* SPDX-License-Identifier: MIT */
/*
 * What a test needs that uses real programs over real sockets: one loop, and
 * memory, for the programs (programs.h) and the peers (peers.h) on it. A test
 * has it as cmocka's state, from scene_setup until scene_teardown, which ends
 * the programs that are left, closes what is open, and requires that the loop
 * can close.
 *
 * All waiting is run_until(). A wait that takes DEADLINE_MS has failed: far
 * more than anything needs here on a machine with nothing else to do.
 */
#ifndef TLR_TESTS_SCENE_H
#define TLR_TESTS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

enum { DEADLINE_MS = 20000 };

struct program;
struct scene_memory;

struct scene {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool late;
    struct program *programs; /* the last one started first */
    struct scene_memory *memory;
};

int scene_setup(void **state);
int scene_teardown(void **state);

#define scene_test(function)                                                   \
    cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

/* Memory filled with zeros, until the teardown. */
void *scene_alloc(struct scene *scene, size_t size);

/* Runs the loop until `predicate` is true of `arg`. Returns false if that
 * takes DEADLINE_MS, or less when that has happened before. */
bool run_until(
    struct scene *scene, bool (*predicate)(const void *arg), const void *arg);

/* Lets the loop run for so long. */
void scene_pass(struct scene *scene, uint64_t milliseconds);

bool scene_has_ipv6(struct scene *scene);

/* Prints why, and skips the test. */
#define skip_because(reason)                                                   \
    do {                                                                       \
        print_message("skipped: %s\n", reason);                                \
        skip();                                                                \
    } while (0)

#endif
