/* SPDX-License-Identifier: MIT */
/* How many connections each peer has. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/peers.h"

enum { MANY = 20000, THREADS = 4, EACH = 20000 };

static struct memory memory;
static struct tlr_peers peers;

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    memset(&peers, 0, sizeof(peers));
    peers.most = 2;
    peers.prefix_ipv4 = 32;
    peers.prefix_ipv6 = 64;
    assert_int_equal(tlr_peers_init(&peers, &memory.allocator), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_peers_close(&peers);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static struct tlr_number ipv4(uint32_t address)
{
    struct tlr_number number = {0, 0xffff00000000u | address};

    return number;
}

static struct tlr_number ipv6(uint64_t high, uint64_t low)
{
    struct tlr_number number = {high, low};

    return number;
}

static struct tlr_peer *add(struct tlr_number address)
{
    struct tlr_peer *peer;

    assert_int_equal(tlr_peers_add(&peers, address, &peer), 0);
    return peer;
}

static void expect_full(struct tlr_number address)
{
    struct tlr_peer *peer;

    assert_int_equal(tlr_peers_add(&peers, address, &peer), UV_ENOBUFS);
    assert_null(peer);
}

static void loopback_is_not_counted_if_it_is_left_out(void **state)
{
    struct tlr_peer *peer[2];
    int i;

    (void)state;
    peers.but_loopback = true;
    for (i = 0; i < 5; i++) {
        assert_null(add(ipv4(0x7f000001)));
        assert_null(add(ipv4(0x7fffffff)));
        assert_null(add(ipv6(0, 1)));
    }
    for (i = 0; i < 2; i++) { /* 128.0.0.1, which is not one */
        peer[i] = add(ipv4(0x80000001));
    }
    expect_full(ipv4(0x80000001));
    tlr_peers_release(&peers, peer[0]);
    tlr_peers_release(&peers, peer[1]);
}

static void each_peer_has_so_many(void **state)
{
    struct tlr_peer *first = add(ipv4(1));
    struct tlr_peer *second = add(ipv4(1));
    struct tlr_peer *other = add(ipv4(2));

    (void)state;
    expect_full(ipv4(1));
    tlr_peers_release(&peers, first);
    first = add(ipv4(1));
    expect_full(ipv4(1));
    tlr_peers_release(&peers, first);
    tlr_peers_release(&peers, second);
    tlr_peers_release(&peers, other);
    tlr_peers_release(&peers, NULL);
    assert_int_equal(peers.count, 0);
}

static void an_ipv6_peer_is_a_network(void **state)
{
    struct tlr_peer *first = add(ipv6(7, 1));
    struct tlr_peer *second = add(ipv6(7, UINT64_MAX));
    struct tlr_peer *other = add(ipv6(8, 1));

    (void)state;
    expect_full(ipv6(7, 2));
    tlr_peers_release(&peers, first);
    tlr_peers_release(&peers, second);
    tlr_peers_release(&peers, other);
}

static void an_ipv4_peer_may_be_one(void **state)
{
    struct tlr_peer *first;
    struct tlr_peer *second;
    struct tlr_peer *other;

    (void)state;
    peers.prefix_ipv4 = 24;
    first = add(ipv4(0x0a000001));
    second = add(ipv4(0x0a0000ff));
    other = add(ipv4(0x0a000100));
    expect_full(ipv4(0x0a000002));
    tlr_peers_release(&peers, first);
    tlr_peers_release(&peers, second);
    tlr_peers_release(&peers, other);
}

static void without_a_limit_nothing_is_counted(void **state)
{
    struct tlr_peer *peer = NULL;

    (void)state;
    peers.most = 0;
    assert_int_equal(tlr_peers_add(&peers, ipv4(1), &peer), 0);
    assert_null(peer);
    assert_int_equal(atomic_load(&memory.allocations), 0);
}

static void without_memory_a_peer_is_refused(void **state)
{
    struct tlr_peer *peer;
    struct tlr_peer *kept;
    unsigned n;

    (void)state;
    for (n = 1; n <= 2; n++) { /* the table, the peer */
        unsigned at = atomic_load(&memory.allocations) + n;

        atomic_store(&memory.fail_to, at);
        atomic_store(&memory.fail_from, at);
        assert_int_equal(tlr_peers_add(&peers, ipv4(1), &peer), UV_ENOMEM);
        assert_null(peer);
    }
    atomic_store(&memory.fail_to, UINT32_MAX);
    atomic_store(&memory.fail_from, 0);
    kept = add(ipv4(1));
    atomic_store(&memory.fail_from, 1);
    tlr_peers_release(&peers, add(ipv4(1))); /* one that is there needs none */
    atomic_store(&memory.fail_from, 0);
    tlr_peers_release(&peers, kept);
}

static struct tlr_peer *many[MANY];

/* How long the longest chain is. */
static unsigned longest(void)
{
    unsigned most = 0;
    size_t i;

    for (i = 0; i < peers.size; i++) {
        struct tlr_peer *peer = peers.buckets[i];
        unsigned length = 0;

        while (peer != NULL) {
            length++;
            /* its first member */
            memcpy((void *)&peer, (const void *)peer, sizeof(peer));
        }
        most = length > most ? length : most;
    }
    return most;
}

static void the_table_grows_and_shrinks_with_the_peers(void **state)
{
    unsigned i;

    (void)state;
    for (i = 0; i < MANY; i++) {
        many[i] = add(ipv4(i));
        if (i > 0) { /* while chains are being moved, too */
            tlr_peers_release(&peers, add(ipv4(i / 2)));
        }
    }
    assert_int_equal(peers.count, MANY);
    assert_in_range(peers.size, MANY, 4 * MANY);
    assert_in_range(longest(), 1, 20);
    for (i = 0; i < MANY; i++) {
        tlr_peers_release(&peers, many[i]);
    }
    assert_int_equal(peers.count, 0);
    assert_in_range(peers.size, 1, 1024);
}

static void without_memory_to_grow_it_goes_on(void **state)
{
    size_t size;
    unsigned i;

    (void)state;
    for (i = 0; i < 64; i++) {
        many[i] = add(ipv4(i));
    }
    size = peers.size;
    for (; i < 1000; i++) {
        struct tlr_peer *peer;

        /* The larger table fails, and then the peer does not. */
        atomic_store(&memory.fail_from,
                     atomic_load(&memory.allocations) + 1);
        atomic_store(&memory.fail_to, atomic_load(&memory.allocations) + 1);
        if (tlr_peers_add(&peers, ipv4(i), &peer) != 0) {
            atomic_store(&memory.fail_from, 0);
            peer = add(ipv4(i)); /* it was the peer: the table is not due */
        }
        many[i] = peer;
    }
    atomic_store(&memory.fail_from, 0);
    assert_in_range(peers.size, size, 2 * size);
    while (i-- > 0) {
        tlr_peers_release(&peers, many[i]);
    }
}

/* Nobody can tell which peers share a chain. */
static void each_server_has_a_hash_of_its_own(void **state)
{
    struct tlr_peers other;

    (void)state;
    memset(&other, 0, sizeof(other));
    assert_int_equal(tlr_peers_init(&other, &memory.allocator), 0);
    assert_memory_not_equal(other.key, peers.key, sizeof(other.key));
    tlr_peers_close(&other);
}

static atomic_uint refused;

static void come_and_go(void *arg)
{
    uint32_t at = (uint32_t)(uintptr_t)arg;
    unsigned i;

    for (i = 0; i < EACH; i++) {
        struct tlr_peer *peer;

        at = at * 1664525 + 1013904223;
        if (tlr_peers_add(&peers, ipv4(at >> 30), &peer) != 0) {
            atomic_fetch_add(&refused, 1);
        }
        tlr_peers_release(&peers, peer);
    }
}

static void threads_come_and_go(void **state)
{
    uv_thread_t threads[THREADS];
    unsigned i;

    (void)state;
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_create(&threads[i], come_and_go,
                                          (void *)(uintptr_t)(i + 1)),
                         0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    }
    assert_int_equal(peers.count, 0);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loopback_is_not_counted_if_it_is_left_out),
        TEST(each_peer_has_so_many),
        TEST(an_ipv6_peer_is_a_network),
        TEST(an_ipv4_peer_may_be_one),
        TEST(without_a_limit_nothing_is_counted),
        TEST(without_memory_a_peer_is_refused),
        TEST(the_table_grows_and_shrinks_with_the_peers),
        TEST(without_memory_to_grow_it_goes_on),
        TEST(each_server_has_a_hash_of_its_own),
        TEST(threads_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
