/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

#include "core/ids.h"

enum { MANY = 1000, FIRST_SERIAL = 7 };

static struct memory memory;
static struct tlr_ids ids;
static char names[MANY]; /* their addresses stand for connections */

static struct tlr_conn *conn_at(size_t i)
{
    return (struct tlr_conn *)(void *)&names[i];
}

struct name {
    uint32_t slot;
    uint64_t serial;
};

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    memset(&ids, 0, sizeof(ids));
    tlr_ids_init(&ids, &memory.allocator, FIRST_SERIAL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_ids_close(&ids);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static struct name add(size_t i)
{
    struct name name;

    assert_int_equal(tlr_ids_add(&ids, conn_at(i), &name.slot, &name.serial),
                     0);
    return name;
}

static struct tlr_conn *find(struct name name)
{
    return tlr_ids_find(&ids, name.slot, name.serial);
}

static void nothing_is_found_in_an_empty_table(void **state)
{
    (void)state;
    assert_null(tlr_ids_find(&ids, 0, 0));
    assert_null(tlr_ids_find(&ids, 0, FIRST_SERIAL));
    assert_null(tlr_ids_find(&ids, UINT32_MAX, UINT64_MAX));
}

static void what_was_added_is_found(void **state)
{
    struct name added[MANY];
    size_t i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        added[i] = add(i);
    }
    for (i = 0; i < MANY; i++) {
        assert_int_equal(added[i].serial, FIRST_SERIAL + i);
        assert_ptr_equal(find(added[i]), conn_at(i));
    }
    for (i = 0; i < MANY; i++) {
        tlr_ids_remove(&ids, added[i].slot);
    }
}

static void the_right_slot_with_another_serial_is_nobody(void **state)
{
    struct name name = add(0);

    (void)state;
    assert_null(tlr_ids_find(&ids, name.slot, name.serial - 1));
    assert_null(tlr_ids_find(&ids, name.slot, name.serial + 1));
    assert_null(tlr_ids_find(&ids, name.slot, 0));
    assert_null(tlr_ids_find(&ids, name.slot + 1, name.serial));
    tlr_ids_remove(&ids, name.slot);
}

/* Nor by what a free slot keeps in place of its serial. */
static void what_was_removed_is_never_found_again(void **state)
{
    struct name first = add(0);
    struct name second = add(1);
    uint64_t serial;
    uint32_t slot;

    (void)state;
    tlr_ids_remove(&ids, first.slot);
    assert_null(find(first));
    assert_ptr_equal(find(second), conn_at(1));
    tlr_ids_remove(&ids, second.slot);
    for (slot = 0; slot < 4; slot++) {
        for (serial = 0; serial < FIRST_SERIAL + 10; serial++) {
            assert_null(tlr_ids_find(&ids, slot, serial));
        }
    }
}

static void slots_are_reused_and_serials_are_not(void **state)
{
    struct name first = add(0);
    struct name later;
    unsigned before;
    size_t i;

    (void)state;
    before = atomic_load(&memory.allocations);
    for (i = 1; i < MANY; i++) {
        tlr_ids_remove(&ids, first.slot);
        later = add(i);
        assert_int_equal(later.slot, first.slot);
        assert_int_equal(later.serial, FIRST_SERIAL + i);
        assert_null(find(first));
        assert_ptr_equal(find(later), conn_at(i));
    }
    assert_int_equal(atomic_load(&memory.allocations), before);
    tlr_ids_remove(&ids, later.slot);
}

/* Against a plain array of all that ever was. */
static void a_random_history_agrees_with_a_model(void **state)
{
    enum { STEPS = 20000, OPEN = 300 };
    static struct name history[STEPS];
    static uint8_t open[STEPS]; /* 1: not removed yet */
    size_t live[OPEN];
    size_t live_count = 0;
    size_t count = 0;
    uint64_t random = 1;
    size_t i;

    (void)state;
    memset(open, 0, sizeof(open));
    for (i = 0; i < STEPS; i++) {
        size_t chosen;

        random = random * UINT64_C(6364136223846793005) + 1;
        chosen = (size_t)(random >> 33);
        if (live_count < OPEN && (live_count == 0 || (random >> 63) == 0)) {
            history[count] = add(count % MANY);
            open[count] = 1;
            live[live_count++] = count++;
        } else {
            size_t gone = live[chosen % live_count];

            tlr_ids_remove(&ids, history[gone].slot);
            open[gone] = 0;
            live_count--;
            live[chosen % (live_count + 1)] = live[live_count];
        }
        chosen = chosen * 31 % count;
        assert_ptr_equal(find(history[chosen]),
                         open[chosen] ? conn_at(chosen % MANY) : NULL);
    }
    for (i = 0; i < count; i++) {
        assert_ptr_equal(find(history[i]),
                         open[i] ? conn_at(i % MANY) : NULL);
        assert_in_range(history[i].slot, 0, OPEN - 1);
    }
    while (live_count > 0) {
        tlr_ids_remove(&ids, history[live[--live_count]].slot);
    }
}

static void without_memory_the_table_is_as_it_was(void **state)
{
    struct name added[MANY];
    struct name refused;
    size_t count = 0;
    size_t i;

    (void)state;
    memory.fail_to = UINT32_MAX;
    memory.fail_from = 1;
    assert_int_equal(
        tlr_ids_add(&ids, conn_at(0), &refused.slot, &refused.serial),
        UV_ENOMEM);
    memory.fail_from = 0;
    added[count++] = add(0);
    memory.fail_from = 1;
    while (tlr_ids_add(&ids, conn_at(count), &added[count].slot,
                       &added[count].serial) == 0) {
        count++;
        assert_in_range(count, 0, MANY - 1);
    }
    for (i = 0; i < count; i++) {
        assert_ptr_equal(find(added[i]), conn_at(i));
    }
    /* A slot that is free needs no memory. */
    tlr_ids_remove(&ids, added[0].slot);
    added[0] = add(0);
    memory.fail_from = 0;
    added[count] = add(count);
    assert_ptr_equal(find(added[count]), conn_at(count));
    for (i = 0; i <= count; i++) {
        tlr_ids_remove(&ids, added[i].slot);
    }
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_found_in_an_empty_table),
        TEST(what_was_added_is_found),
        TEST(the_right_slot_with_another_serial_is_nobody),
        TEST(what_was_removed_is_never_found_again),
        TEST(slots_are_reused_and_serials_are_not),
        TEST(a_random_history_agrees_with_a_model),
        TEST(without_memory_the_table_is_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
