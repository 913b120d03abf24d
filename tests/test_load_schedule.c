/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "load/schedule.h"

#define SECOND UINT64_C(1000000000)
#define BEGIN (SECOND * 12345)

static struct tlr_load_schedule schedule;

static void the_rate_is_met_over_all_loops(void **state)
{
    static const uint32_t loops[] = {1, 2, 3, 7};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint64_t due_in_a_second = 0;
        uint32_t connections = 10;
        for (uint32_t index = 0; index < loops[i]; index++) {
            uint32_t slots = (connections - index - 1) / loops[i] + 1;
            uint32_t slot;
            uint64_t due;
            tlr_load_schedule_init(&schedule, 50000, connections, slots, index,
                loops[i], BEGIN);
            while (tlr_load_schedule_next(
                &schedule, BEGIN + SECOND - 1, &slot, &due)) {
                due_in_a_second++;
            }
        }
        assert_in_range(due_in_a_second, 49990, 50010);
    }
}

static void messages_are_due_evenly_and_in_turn(void **state)
{
    uint32_t slot;
    uint64_t due;
    (void)state;
    tlr_load_schedule_init(&schedule, 1000, 4, 4, 0, 1, BEGIN);
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t expected = BEGIN + i * 1000 * 1000;
        assert_false(tlr_load_schedule_next(
            &schedule, expected - 1, &slot, &due));
        assert_true(tlr_load_schedule_next(&schedule, expected, &slot, &due));
        assert_true(due == expected);
        assert_int_equal(slot, i % 4);
        assert_true(
            tlr_load_schedule_due(&schedule, slot, i / 4) == expected);
    }
}

/* Whoever comes late finds all that was due, with its time. */
static void what_was_missed_is_made_up_for(void **state)
{
    uint32_t slot;
    uint64_t due;
    unsigned count = 0;
    (void)state;
    tlr_load_schedule_init(&schedule, 1000, 4, 4, 0, 1, BEGIN);
    while (tlr_load_schedule_next(&schedule, BEGIN + SECOND, &slot, &due)) {
        assert_true(due == BEGIN + count * UINT64_C(1000000));
        count++;
    }
    assert_int_equal(count, 1001);
}

static void loops_do_not_send_at_the_same_time(void **state)
{
    uint64_t begin[4];
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        tlr_load_schedule_init(&schedule, 1000, 8, 2, i, 4, BEGIN);
        begin[i] = tlr_load_schedule_due(&schedule, 0, 0);
    }
    for (uint32_t i = 1; i < 4; i++) {
        assert_true(begin[i] - begin[i - 1] == 1000 * 1000);
    }
}

/* An interval that is no whole number: of a year's messages none has drifted. */
static void a_year_later_it_is_still_right(void **state)
{
    uint64_t year = 365 * 86400;
    (void)state;
    tlr_load_schedule_init(&schedule, 30000, 3, 3, 0, 1, BEGIN);
    uint64_t due = tlr_load_schedule_due(&schedule, 0, 10000 * year);
    uint64_t expected = BEGIN + year * SECOND;
    assert_true(due + 1000 >= expected && due <= expected + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_met_over_all_loops),
        cmocka_unit_test(messages_are_due_evenly_and_in_turn),
        cmocka_unit_test(what_was_missed_is_made_up_for),
        cmocka_unit_test(loops_do_not_send_at_the_same_time),
        cmocka_unit_test(a_year_later_it_is_still_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
