/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "core/list.h"

struct thing {
    int number;
    struct tlr_list link;
};

/* The numbers in a list, as digits of one number. */
static int digits(const struct tlr_list *head)
{
    const struct tlr_list *link;
    int number = 0;

    for (link = head->next; link != head; link = link->next) {
        assert_ptr_equal(link->next->prev, link);
        number = number * 10 +
                 TLR_CONTAINER_OF(link, struct thing, link)->number;
    }
    return number;
}

static void fill(struct tlr_list *head, struct thing *things, int count)
{
    int i;

    tlr_list_init(head);
    for (i = 0; i < count; i++) {
        things[i].number = i + 1;
        tlr_list_append(head, &things[i].link);
    }
}

static void things_come_in_the_order_they_were_appended(void **state)
{
    struct tlr_list head;
    struct thing things[4];

    (void)state;
    fill(&head, things, 4);
    assert_int_equal(digits(&head), 1234);
    assert_false(tlr_list_empty(&head));
}

static void removing_leaves_the_others(void **state)
{
    struct tlr_list head;
    struct thing things[4];

    (void)state;
    fill(&head, things, 4);
    tlr_list_remove(&things[1].link);
    assert_int_equal(digits(&head), 134);
    tlr_list_remove(&things[0].link);
    tlr_list_remove(&things[3].link);
    assert_int_equal(digits(&head), 3);
    tlr_list_remove(&things[2].link);
    assert_true(tlr_list_empty(&head));
}

static void removing_twice_is_harmless(void **state)
{
    struct tlr_list head;
    struct thing things[2];

    (void)state;
    fill(&head, things, 2);
    tlr_list_remove(&things[0].link);
    tlr_list_remove(&things[0].link);
    assert_int_equal(digits(&head), 2);
    tlr_list_append(&head, &things[0].link);
    assert_int_equal(digits(&head), 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_come_in_the_order_they_were_appended),
        cmocka_unit_test(removing_leaves_the_others),
        cmocka_unit_test(removing_twice_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
