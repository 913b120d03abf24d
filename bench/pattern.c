/* SPDX-License-Identifier: MIT */
/* How fast teller-load makes and compares its bytes: the best of many rounds over
 * memory that is in the cache, per second and per cycle of the processor's time
 * stamp counter, beside a copy of the same bytes. For x86-64. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include <uv.h>

#include "load/pattern.h"

enum { LENGTH = 64 * 1024, ROUNDS = 5000 };

static uint8_t bytes[LENGTH];
static uint8_t copy[LENGTH];

static void fill(uint64_t round)
{
    tlr_load_pattern_fill(1, round * LENGTH, bytes, LENGTH);
}

static void verify(uint64_t round)
{
    (void)round;
    if (tlr_load_pattern_verify(
            1, (uint64_t)(ROUNDS - 1) * LENGTH, bytes, LENGTH) != LENGTH) {
        (void)fprintf(stderr, "a wrong byte\n");
        exit(1);
    }
}

/* Nobody reads the copy: by a pointer, or the compiler would leave it out. */
static void *(*volatile copier)(void *to, const void *from, size_t size) =
    memcpy;

static void copy_all(uint64_t round)
{
    (void)round;
    (void)copier(copy, bytes, LENGTH);
}

static void measure(const char *name, void (*run)(uint64_t round))
{
    uint64_t cycles = UINT64_MAX;
    uint64_t time = UINT64_MAX;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t time_before = uv_hrtime();
        uint64_t before = __rdtsc();
        run(i);
        uint64_t after = __rdtsc();
        uint64_t time_after = uv_hrtime();
        cycles = after - before < cycles ? after - before : cycles;
        time = time_after - time_before < time ? time_after - time_before : time;
    }
    printf("%-8s %6.1f GB/s %6.1f bytes a cycle\n", name,
        (double)LENGTH / (double)time, (double)LENGTH / (double)cycles);
}

int main(void)
{
    measure("fill", fill);
    measure("verify", verify);
    measure("memcpy", copy_all);
    return 0;
}
