/* SPDX-License-Identifier: MIT */
#include "points.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "core/point.h"

static struct point {
    const char *name;
    atomic_uint passed;
} points[] = {
    {"listener_reserved", 0}, {"mailbox_order", 0},    {"mailbox_post", 0},
    {"mailbox_receive", 0},   {"mailbox_shut", 0},     {"pool_closing", 0},
    {"pool_full", 0},         {"pool_said_idle", 0},   {"pool_unreserved", 0},
    {"pool_wait", 0},         {"server_asked", 0},     {"server_ending", 0},
    {"server_known", 0},      {"server_look", 0},      {"worker_ending", 0},
};

#define POINTS (sizeof(points) / sizeof(points[0]))

static _Atomic uint64_t seed;

/* splitmix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators" (2014). */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned pick(uint64_t *state, unsigned n)
{
    return (unsigned)(next_random(state) % n);
}

void points_seed(uint64_t value)
{
    atomic_store(&seed, value);
}

static void spin(uint64_t nanoseconds)
{
    uint64_t end = uv_hrtime() + nanoseconds;

    while (uv_hrtime() < end) {
    }
}

void points_pause(uint64_t *state)
{
    unsigned what = pick(state, 64);

    if (what == 0) {
        uv_sleep(1);
    } else if (what < 8) {
        uv_sleep(0); /* others have their turn */
    } else if (what < 24) {
        spin(pick(state, 30000));
    }
}

/* Which thread gets which number is chance; that none is given twice is not. */
void tlr_point(const char *name)
{
    uint64_t state = atomic_fetch_add(&seed, 0x9e3779b97f4a7c15u);
    size_t i = 0;

    while (i < POINTS && strcmp(points[i].name, name) != 0) {
        i++;
    }
    if (i == POINTS) {
        fprintf(stderr, "points.c does not know the point %s\n", name);
        abort();
    }
    atomic_fetch_add(&points[i].passed, 1);
    points_pause(&state);
}

bool points_report(void)
{
    bool all = true;
    size_t i;

    for (i = 0; i < POINTS; i++) {
        unsigned passed = atomic_load(&points[i].passed);

        printf("%10u  %s\n", passed, points[i].name);
        all = all && passed > 0;
    }
    return all;
}
