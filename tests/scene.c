/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <stdlib.h>

#include "programs.h"

struct scene_memory {
    struct scene_memory *next;
    uint64_t bytes[]; /* as all that is put here wants to be aligned */
};

int scene_setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(uv_timer_init(&scene->loop, &scene->deadline), 0);
    *state = scene;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;
    programs_end(scene);
    uv_walk(&scene->loop, close_handle, NULL);
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    while (scene->memory != NULL) {
        struct scene_memory *next = scene->memory->next;
        free(scene->memory);
        scene->memory = next;
    }
    free(scene);
    return 0;
}

void *scene_alloc(struct scene *scene, size_t size)
{
    struct scene_memory *memory = calloc(1, sizeof(*memory) + size);
    assert_non_null(memory);
    memory->next = scene->memory;
    scene->memory = memory;
    return memory->bytes;
}

/* Once two have been waited for in vain something is broken, and what remains
 * of the tests is not worth so long: ctest kills a test at its time limit, and
 * then nobody ends the programs. */
static uint64_t patience(unsigned misses)
{
    return misses < 2 ? DEADLINE_MS : DEADLINE_MS / 20;
}

static void on_late(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    scene->late = true;
}

bool run_until(
    struct scene *scene, bool (*predicate)(const void *arg), const void *arg)
{
    static unsigned misses;
    scene->late = false;
    scene->deadline.data = scene;
    uv_update_time(&scene->loop);
    assert_int_equal(uv_timer_start(&scene->deadline, on_late,
                         patience(misses), 0), 0);
    while (!predicate(arg) && !scene->late) {
        (void)uv_run(&scene->loop, UV_RUN_ONCE); /* the timer is on it */
    }
    (void)uv_timer_stop(&scene->deadline); /* always 0 */
    misses += scene->late;
    return predicate(arg);
}

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

void scene_pass(struct scene *scene, uint64_t milliseconds)
{
    uv_timer_t *timer = scene_alloc(scene, sizeof(*timer));
    bool *passed = scene_alloc(scene, sizeof(*passed));
    assert_int_equal(uv_timer_init(&scene->loop, timer), 0);
    timer->data = passed;
    assert_int_equal(uv_timer_start(timer, on_passed, milliseconds, 0), 0);
    assert_true(run_until(scene, has_passed, passed));
    uv_close((uv_handle_t *)timer, NULL);
}

bool scene_has_ipv6(struct scene *scene)
{
    struct sockaddr_in6 address;
    uv_tcp_t *tcp = scene_alloc(scene, sizeof(*tcp));
    assert_int_equal(uv_ip6_addr("::1", 0, &address), 0);
    if (uv_tcp_init(&scene->loop, tcp) != 0) {
        return false;
    }
    int err = uv_tcp_bind(tcp, (struct sockaddr *)&address, 0);
    if (err == 0) { /* libuv keeps an error of bind() until here */
        err = uv_listen((uv_stream_t *)tcp, 1, NULL);
    }
    uv_close((uv_handle_t *)tcp, NULL);
    return err == 0;
}
