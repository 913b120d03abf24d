/* SPDX-License-Identifier: MIT */
/* No socket is touched here: they are only numbers on their way. */
#include "support.h"

#include <string.h>

#include "core/list.h"
#include "core/mailbox.h"

enum { THREADS = 4, EACH = 20000, LIMIT = 10 };

static struct memory memory;
static struct tlr_mailbox mailbox;
static uv_loop_t loop;

/* What has come, by sender: the last number, and how many. */
static unsigned last[THREADS];
static unsigned count;
static unsigned orders;
static bool in_order;
static unsigned shut_after; /* shuts when so many have come; 0: never */

static void on_mailbox_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void take(const struct tlr_messages *messages)
{
    size_t i;

    for (i = 0; i < messages->count; i++) {
        unsigned number = (unsigned)messages->items[i].to.sock;
        unsigned sender = number / EACH;

        count++;
        if (messages->items[i].kind != TLR_MESSAGE_SOCKET) {
            continue;
        }
        in_order = in_order && number % EACH + 1 == last[sender] + 1;
        last[sender] = number % EACH + 1;
    }
}

static void on_wake(uv_async_t *async)
{
    const struct tlr_messages *messages;

    (void)async;
    orders |= tlr_mailbox_receive(&mailbox, &messages);
    take(messages);
    if (shut_after != 0 && count >= shut_after) {
        tlr_mailbox_shut(&mailbox);
    }
}

static int post_socket(uv_os_sock_t sock)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_SOCKET};

    message.to.sock = sock;
    return tlr_mailbox_post(&mailbox, &message);
}

static void never_called(struct tlr_server *server, unsigned worker,
                         void *data)
{
    (void)server;
    (void)worker;
    (void)data;
}

static int post(void)
{
    struct tlr_message message = {.kind = TLR_MESSAGE_POST};

    message.to.post = never_called;
    return tlr_mailbox_post(&mailbox, &message);
}

static int set_up(void **state)
{
    (void)state;
    memset(last, 0, sizeof(last));
    count = 0;
    orders = 0;
    in_order = true;
    shut_after = 0;
    memory_init(&memory);
    assert_int_equal(uv_loop_init(&loop), 0);
    memset(&mailbox, 0, sizeof(mailbox));
    assert_int_equal(tlr_mailbox_create(&mailbox, &memory.allocator, LIMIT),
                     0);
    assert_int_equal(post_socket(1), UV_EAGAIN);
    assert_int_equal(tlr_mailbox_open(&mailbox, &loop, on_wake), 0);
    return 0;
}

static int tear_down(void **state)
{
    const struct tlr_messages *rest;

    (void)state;
    tlr_mailbox_close(&mailbox, on_mailbox_closed);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)tlr_mailbox_receive(&mailbox, &rest);
    tlr_mailbox_destroy(&mailbox);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static bool has_come(void *wanted)
{
    return count >= *(unsigned *)wanted;
}

static void what_is_posted_comes_in_order(void **state)
{
    unsigned wanted = 1000;
    unsigned i;

    (void)state;
    for (i = 0; i < wanted; i++) {
        assert_int_equal(post_socket((uv_os_sock_t)i),
                         0);
    }
    assert_int_equal(count, 0);
    run_until(&loop, has_come, &wanted);
    assert_true(in_order);
    assert_int_equal(count, wanted);
}

static bool has_both_orders(void *data)
{
    (void)data;
    return orders == 5;
}

static void orders_add_up(void **state)
{
    (void)state;
    tlr_mailbox_post_orders(&mailbox, 1);
    tlr_mailbox_post_orders(&mailbox, 4);
    run_until(&loop, has_both_orders, NULL);
}

struct sender {
    uv_thread_t thread;
    unsigned number;
    unsigned taken; /* how many were */
    unsigned denied;
};

static void send_all(void *arg)
{
    struct sender *sender = arg;
    unsigned i;

    for (i = 0; i < EACH; i++) {
        int err = post_socket(
            (uv_os_sock_t)(sender->number * EACH + i));

        sender->taken += err == 0;
        sender->denied += err == UV_ECANCELED;
    }
}

static void start_senders(struct sender *senders)
{
    unsigned i;

    memset(senders, 0, THREADS * sizeof(*senders));
    for (i = 0; i < THREADS; i++) {
        senders[i].number = i;
        assert_int_equal(
            uv_thread_create(&senders[i].thread, send_all, &senders[i]), 0);
    }
}

static unsigned join_senders(struct sender *senders)
{
    unsigned taken = 0;
    unsigned i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&senders[i].thread), 0);
        assert_int_equal(senders[i].taken + senders[i].denied, EACH);
        taken += senders[i].taken;
    }
    return taken;
}

static void each_sender_is_heard_in_its_order(void **state)
{
    struct sender senders[THREADS];
    unsigned all = THREADS * EACH;

    (void)state;
    start_senders(senders);
    run_until(&loop, has_come, &all);
    assert_int_equal(join_senders(senders), all);
    assert_true(in_order);
    assert_int_equal(count, all);
}

/* Whoever was told 0 has its socket seen, whenever the mailbox is shut. */
static void nothing_is_lost_when_it_is_shut_meanwhile(void **state)
{
    unsigned rounds;

    for (rounds = 0; rounds < 20; rounds++) {
        struct sender senders[THREADS];
        const struct tlr_messages *rest;
        unsigned taken;

        shut_after = 100 * (rounds + 1);
        start_senders(senders);
        run_until(&loop, has_come, &shut_after);
        taken = join_senders(senders);
        (void)tlr_mailbox_receive(&mailbox, &rest);
        take(rest);
        assert_int_equal(count, taken);
        assert_int_equal(post_socket(1), UV_ECANCELED);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void without_memory_the_sender_is_told(void **state)
{
    unsigned wanted = 1;

    (void)state;
    memory.fail_from = atomic_load(&memory.allocations) + 1;
    memory.fail_to = memory.fail_from;
    assert_int_equal(post_socket(7), UV_ENOMEM);
    assert_int_equal(post_socket(0), 0);
    run_until(&loop, has_come, &wanted);
    assert_int_equal(count, 1);
}

static void once_grown_it_allocates_no_more(void **state)
{
    unsigned allocations = 0;
    unsigned i;

    (void)state;
    for (i = 0; i < 10; i++) {
        unsigned wanted = i + 1;

        if (i == 2) { /* both halves have had their turn */
            allocations = atomic_load(&memory.allocations);
        }
        assert_int_equal(post_socket((uv_os_sock_t)i),
                         0);
        run_until(&loop, has_come, &wanted);
    }
    assert_int_equal(atomic_load(&memory.allocations), allocations);
}

/* Sockets are not: the listener has made room for them. */
static void posts_have_a_limit(void **state)
{
    unsigned wanted = LIMIT + 1;
    unsigned i;

    (void)state;
    for (i = 0; i < LIMIT; i++) {
        assert_int_equal(post(), 0);
    }
    assert_int_equal(post(), UV_ENOBUFS);
    assert_int_equal(post_socket(0), 0);
    assert_int_equal(post(), UV_ENOBUFS);
    assert_int_equal(atomic_load(&mailbox.denied), 2);
    in_order = true;
    run_until(&loop, has_come, &wanted);
    assert_int_equal(post(), 0);
    wanted++;
    run_until(&loop, has_come, &wanted);
}

static void a_burst_gives_its_memory_back(void **state)
{
    unsigned wanted = 20000;
    unsigned i;
    size_t most;

    (void)state;
    for (i = 0; i < wanted; i++) {
        assert_int_equal(post_socket((uv_os_sock_t)i), 0);
    }
    most = atomic_load(&memory.bytes);
    run_until(&loop, has_come, &wanted);
    for (i = 0; i < 4; i++) {
        wanted++;
        assert_int_equal(post_socket(0), 0);
        run_until(&loop, has_come, &wanted);
    }
    assert_in_range(atomic_load(&memory.bytes), 0, most / 100);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_posted_comes_in_order),
        TEST(orders_add_up),
        TEST(each_sender_is_heard_in_its_order),
        TEST(nothing_is_lost_when_it_is_shut_meanwhile),
        TEST(without_memory_the_sender_is_told),
        TEST(once_grown_it_allocates_no_more),
        TEST(posts_have_a_limit),
        TEST(a_burst_gives_its_memory_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
