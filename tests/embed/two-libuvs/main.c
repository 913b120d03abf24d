/* SPDX-License-Identifier: MIT */
/*
 * main OWN HOSTS: two copies of libuv in one process. This program is linked to
 * the system's, and loads a module with a copy of its own, OWN, which has to
 * refuse the program's loop with an error, leave it as it was, and say why; and
 * HOSTS, the same module without a libuv, which has to accept it, and to stop.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../module.h"

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);            \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

typedef struct embed *(*start_fn)(uv_loop_t *, int, unsigned,
                                  const struct embed_events *, int *);
typedef void (*stop_fn)(struct embed *, unsigned);
typedef const char *(*mismatch_fn)(const uv_loop_t *);

static void *find(void *module, const char *name)
{
    void *symbol = dlsym(module, name);

    CHECK(symbol != NULL);
    return symbol;
}

static int ticks;
static int stopped;
static stop_fn stop;
static struct embed *embed;

static void on_tick(uv_timer_t *timer)
{
    if (++ticks == 10) {
        uv_close((uv_handle_t *)timer, NULL);
        if (embed != NULL) {
            stop(embed, 0);
        }
    }
}

static void on_stopped(void *user, const struct tlr_counters *counters)
{
    (void)user;
    (void)counters;
    stopped++;
}

static void run_for_a_while(uv_loop_t *loop)
{
    uv_timer_t timer;

    ticks = 0;
    CHECK(uv_timer_init(loop, &timer) == 0);
    CHECK(uv_timer_start(&timer, on_tick, 1, 1) == 0);
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(ticks == 10);
}

int main(int argc, char **argv)
{
    struct embed_events events = {NULL, NULL, on_stopped, NULL, NULL};
    void *own, *hosts;
    const char *why;
    uv_loop_t loop;
    int err;

    CHECK(argc == 3);
    own = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(own != NULL);
    hosts = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    CHECK(hosts != NULL);
    CHECK(uv_loop_init(&loop) == 0);

    why = ((mismatch_fn)find(own, "tlr_libuv_mismatch"))(&loop);
    CHECK(why != NULL && strchr(why, ' ') != NULL);
    CHECK(((start_fn)find(own, "embed_start"))(&loop, 2, 0, &events, &err) ==
          NULL);
    CHECK(err == UV_EXDEV);
    CHECK(!uv_loop_alive(&loop));
    run_for_a_while(&loop);
    CHECK(stopped == 0);

    CHECK(((mismatch_fn)find(hosts, "tlr_libuv_mismatch"))(&loop) == NULL);
    stop = (stop_fn)find(hosts, "embed_stop");
    embed = ((start_fn)find(hosts, "embed_start"))(&loop, 2, 0, &events, &err);
    CHECK(embed != NULL && err == 0);
    run_for_a_while(&loop);
    CHECK(stopped == 1);
    CHECK(uv_loop_close(&loop) == 0);
    printf("refused: %s\n", why);
    return 0;
}
