/* SPDX-License-Identifier: MIT */
/*
 * What timeouts cost while nothing else happens: so many connections on one
 * loop, each with an idle timeout that comes round and is set again, since
 * there was traffic meanwhile. The wheel's clock is moved on from one wake-up to
 * the next, so that a minute takes a few seconds; CPU time is what is counted,
 * with the loop's own share of each wake-up.
 *
 *     bench_wheel [CONNECTIONS [SECONDS OF THE TIMEOUT]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/deadlines.h"

/* As far apart as connections are with their timeouts. */
struct item {
    struct tlr_deadline deadline;
    char rest[640 - sizeof(struct tlr_deadline)];
};

static struct tlr_deadlines wheel;
static uint64_t timeout;
static uint64_t passes;

static uint64_t now(void)
{
    return uv_now(wheel.timer.loop);
}

static void on_passed(struct tlr_deadline *deadline)
{
    passes++;
    tlr_deadlines_set(&wheel, deadline, now() + timeout);
}

static double cpu_seconds(void)
{
    uv_rusage_t usage;

    (void)uv_getrusage(&usage); /* cannot fail for oneself */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* To the next wake-up, which then takes place at once. */
static void wake(uv_loop_t *loop)
{
    uint64_t due = wheel.begin + wheel.wake * TLR_TICK;

    if (due > now()) {
        wheel.begin -= due - now();
    }
    uv_timer_set_repeat(&wheel.timer, 1);
    (void)uv_timer_again(&wheel.timer); /* cannot fail: it has a callback */
    (void)uv_run(loop, UV_RUN_ONCE);
}

static void fill(struct item *items, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        items[i].deadline.passed = on_passed;
        tlr_deadlines_set(&wheel, &items[i].deadline,
                          now() + 1 + timeout * i / count);
    }
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 60;
    struct item *items = calloc(count, sizeof(*items));
    uint64_t wakes = 0;
    uint64_t begun;
    uv_loop_t loop;
    double before;
    double used;

    if (items == NULL || seconds < 1 || uv_loop_init(&loop) != 0) {
        return 1;
    }
    timeout = (uint64_t)(seconds * 1000);
    tlr_deadlines_init(&wheel, &loop);
    fill(items, count); /* once for the memory to be there */
    before = cpu_seconds();
    fill(items, count);
    used = cpu_seconds() - before;
    printf("%zu connections, timeout %g s: %.0f ns to set one\n", count,
           seconds, used * 1e9 / (double)count);
    begun = wheel.begin;
    before = cpu_seconds();
    while (begun - wheel.begin < timeout) {
        wake(&loop);
        wakes++;
    }
    used = cpu_seconds() - before;
    printf("a second has %.1f wake-ups and %.0f that come round, and takes "
           "%.0f us: %.3f%% of a core\n",
           (double)wakes / seconds, (double)passes / seconds,
           used * 1e6 / seconds, used * 100 / seconds);
    return 0; /* what is left is the system's */
}
