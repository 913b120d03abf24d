/* SPDX-License-Identifier: MIT */
/* Who may in: rules from text, and which of them decides. */
#include "support.h"

#include <string.h>

#include "core/access.h"

#define MANY 65536 /* as many rules as a server takes */

static struct memory memory;
static struct tlr_access list;
static struct tlr_access_rule rules[MANY];
static size_t count;

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    memset(&list, 0, sizeof(list));
    count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_access_close(&list, &memory.allocator);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static void rule(const char *network, int allow)
{
    assert_int_equal(tlr_access_parse(network, allow, &rules[count]), 0);
    count++;
}

static void make(void)
{
    assert_int_equal(
        tlr_access_init(&list, &memory.allocator, rules, count), 0);
}

static struct tlr_number number(const char *address)
{
    struct sockaddr_storage storage;
    struct tlr_number result;

    memset(&storage, 0, sizeof(storage));
    if (strchr(address, ':') != NULL) {
        assert_int_equal(
            uv_ip6_addr(address, 1, (struct sockaddr_in6 *)&storage), 0);
    } else {
        assert_int_equal(
            uv_ip4_addr(address, 1, (struct sockaddr_in *)&storage), 0);
    }
    assert_true(tlr_number_of((struct sockaddr *)&storage, &result));
    return result;
}

static void expect(const char *address, bool allow)
{
    if (tlr_access_allows(&list, number(address)) != allow) {
        fail_msg("%s is %s", address, allow ? "not let in" : "let in");
    }
}

/* ---- text ----------------------------------------------------------- */

static void expect_rule(const char *text, int ipv6, unsigned prefix,
                        const char *address)
{
    struct tlr_access_rule parsed;
    uint8_t bytes[16] = {0};

    assert_int_equal(tlr_access_parse(text, 1, &parsed), 0);
    assert_int_equal(parsed.allow, 1);
    assert_int_equal(parsed.ipv6, ipv6);
    assert_int_equal(parsed.prefix, prefix);
    assert_int_equal(uv_inet_pton(ipv6 ? AF_INET6 : AF_INET, address, bytes),
                     0);
    assert_memory_equal(parsed.address, bytes, sizeof(bytes));
}

static void networks_are_read(void **state)
{
    struct tlr_access_rule parsed;

    (void)state;
    expect_rule("10.0.0.0/8", 0, 8, "10.0.0.0");
    expect_rule("192.0.2.7", 0, 32, "192.0.2.7");
    expect_rule("192.0.2.7/32", 0, 32, "192.0.2.7");
    expect_rule("0.0.0.0/0", 0, 0, "0.0.0.0");
    expect_rule("::1", 1, 128, "::1");
    expect_rule("2001:db8::/32", 1, 32, "2001:db8::");
    expect_rule("2001:DB8::/32", 1, 32, "2001:db8::");
    expect_rule("::/0", 1, 0, "::");
    expect_rule("2001:db8:0:8000::/49", 1, 49, "2001:db8:0:8000::");
    expect_rule("::ffff:10.0.0.0/104", 0, 8, "10.0.0.0");
    expect_rule("::ffff:192.0.2.7", 0, 32, "192.0.2.7");
    expect_rule("::ffff:0:0/96", 0, 0, "0.0.0.0");
    assert_int_equal(tlr_access_parse("::1", 0, &parsed), 0);
    assert_int_equal(parsed.allow, 0);
    assert_int_equal(tlr_access_parse("::1", -5, &parsed), 0);
    assert_int_equal(parsed.allow, 1);
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "/", "/8", "10", "10.0.0", "10.0.0.0/", "10.0.0.0/33",
        "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ",
        " 10.0.0.0/8", "10.0.0.0/ 8", "10.0.0.0/8x", "10.0.0.0/0x8",
        "10.0.0.0/8/8", "10.0.0.0/4294967304", "10.0.0.0/18446744073709551624",
        "10.0.0.256", "10.0.0.0.0", "010.0.0.0/8", "0x0a.0.0.0",
        "::/129", "::1/", ":", ":::", "1::2::3", "fe80::1%lo", "fe80::%1/10",
        "::g", "12345::", "localhost", "*", "::ffff:10.0.0.0/129",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "1111:2222:3333:4444:5555:6666:255.255.255.255.255.255.255.255",
        /* Bits beyond the prefix. */
        "10.0.0.1/8", "10.0.0.0/6", "255.255.255.255/31", "::1/127",
        "2001:db8::1/32", "2001:db8::/28", "::1/0", "1.0.0.0/0",
        "::ffff:10.0.0.1/104", "::ffff:0:0/90", "8000::/0",
        "0:0:0:1::/63", "::8000:0:0:0/64",
    };
    struct tlr_access_rule before;
    struct tlr_access_rule parsed;
    size_t i;

    (void)state;
    memset(&before, 0x5a, sizeof(before));
    for (i = 0; i < COUNT(wrong); i++) {
        parsed = before;
        if (tlr_access_parse(wrong[i], 1, &parsed) != UV_EINVAL) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
        assert_memory_equal(&parsed, &before, sizeof(before));
    }
}

/* ---- who decides ---------------------------------------------------- */

static void without_a_rule_all_may_in(void **state)
{
    (void)state;
    make();
    expect("192.0.2.7", true);
    expect("::1", true);
    assert_int_equal(atomic_load(&memory.allocations), 0);
}

static void denying_leaves_the_others_in(void **state)
{
    (void)state;
    rule("192.0.2.0/24", 0);
    rule("2001:db8::/32", 0);
    make();
    expect("192.0.1.255", true);
    expect("192.0.2.0", false);
    expect("192.0.2.255", false);
    expect("192.0.3.0", true);
    expect("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", true);
    expect("2001:db8::", false);
    expect("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false);
    expect("2001:db9::", true);
    expect("::", true);
    expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true);
}

static void allowing_keeps_the_others_out(void **state)
{
    (void)state;
    rule("192.0.2.0/24", 1);
    make();
    expect("192.0.2.9", true);
    expect("192.0.1.255", false);
    expect("192.0.3.0", false);
    expect("::1", false);
    expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false);
}

static void the_longest_prefix_decides(void **state)
{
    (void)state;
    rule("10.1.2.3", 1);
    rule("10.0.0.0/8", 1);
    rule("10.1.2.0/24", 0);
    rule("10.1.0.0/16", 0);
    rule("10.1.2.128/25", 1);
    make();
    expect("10.0.0.0", true);
    expect("10.1.0.0", false);
    expect("10.1.2.2", false);
    expect("10.1.2.3", true);
    expect("10.1.2.4", false);
    expect("10.1.2.127", false);
    expect("10.1.2.128", true);
    expect("10.1.2.255", true);
    expect("10.1.3.0", false);
    expect("10.2.0.0", true);
    expect("11.0.0.0", false);
}

static void of_two_as_long_the_denying_one_does(void **state)
{
    (void)state;
    rule("10.0.0.0/8", 0);
    rule("10.0.0.0/8", 1);
    rule("2001:db8::/32", 1);
    rule("2001:db8::/32", 0);
    rule("2001:db8::/32", 1);
    rule("::/0", 1);
    make();
    expect("10.0.0.1", false);
    expect("2001:db8::1", false);
    expect("::1", true);
}

static void ipv4_on_an_ipv6_socket_is_ipv4(void **state)
{
    (void)state;
    rule("10.0.0.0/8", 0);
    rule("::/0", 0); /* about IPv6, and so not about IPv4 */
    make();
    expect("::ffff:10.1.1.1", false);
    expect("::ffff:11.1.1.1", true);
    expect("11.1.1.1", true);
    expect("::fffe:ffff:ffff", false);
    expect("::1:0:0:0", false);
}

static void a_rule_for_all_of_ipv4_is_one(void **state)
{
    (void)state;
    rule("0.0.0.0/0", 0);
    rule("255.255.255.255", 1);
    rule("::/0", 1);
    make();
    expect("0.0.0.0", false);
    expect("255.255.255.254", false);
    expect("255.255.255.255", true);
    expect("::1", true);
    expect("::1:0:0:0", true);
}

static void what_a_program_sets_beyond_the_prefix_does_not_count(void **state)
{
    (void)state;
    rule("10.1.1.1", 0);
    rules[0].prefix = 8;
    rule("2001:db8::1", 0);
    rules[1].prefix = 16;
    make();
    expect("10.0.0.0", false);
    expect("10.255.255.255", false);
    expect("11.0.0.0", true);
    expect("2001::", false);
    expect("2002::", true);
}

static void without_memory_there_is_no_list(void **state)
{
    unsigned n;

    (void)state;
    rule("10.0.0.0/8", 0);
    for (n = 1; n <= 2; n++) {
        atomic_store(&memory.allocations, 0);
        atomic_store(&memory.fail_to, n);
        atomic_store(&memory.fail_from, n);
        assert_int_equal(
            tlr_access_init(&list, &memory.allocator, rules, count),
            UV_ENOMEM);
        assert_int_equal(atomic_load(&memory.live), 0);
    }
    atomic_store(&memory.fail_from, 0);
}

/* ---- against the plainest way --------------------------------------- */

static uint64_t random_state;

static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

/* Few values, so that rules are within and beside one another. */
static void random_rule(struct tlr_access_rule *made)
{
    unsigned i;

    memset(made, 0, sizeof(*made));
    made->allow = random_u32() % 2;
    made->ipv6 = random_u32() % 2;
    made->prefix = (uint8_t)(random_u32() % (made->ipv6 ? 129 : 33));
    for (i = 0; i < (made->ipv6 ? 16u : 4u); i++) {
        made->address[i] = (uint8_t)(random_u32() % 2 ? 0 : random_u32() % 3);
    }
}

static bool is_within(const uint8_t *address, bool ipv6,
                      const struct tlr_access_rule *within)
{
    unsigned i;

    for (i = 0; i < within->prefix; i++) {
        if (((address[i / 8] ^ within->address[i / 8]) >> (7 - i % 8) & 1)) {
            return false;
        }
    }
    return within->ipv6 == ipv6;
}

static bool plainly_allowed(const uint8_t *address, bool ipv6)
{
    int best = -1;
    bool allowed = true;
    bool decision = true;
    size_t i;

    for (i = 0; i < count; i++) {
        allowed = allowed && !rules[i].allow;
        if (is_within(address, ipv6, &rules[i]) &&
            (rules[i].prefix > best ||
             (rules[i].prefix == best && !rules[i].allow))) {
            best = rules[i].prefix;
            decision = rules[i].allow;
        }
    }
    return best < 0 ? allowed : decision;
}

static struct tlr_number number_of_bytes(const uint8_t *bytes, bool ipv6)
{
    struct sockaddr_storage storage;
    struct tlr_number result;

    memset(&storage, 0, sizeof(storage));
    storage.ss_family = ipv6 ? AF_INET6 : AF_INET;
    if (ipv6) {
        memcpy(&((struct sockaddr_in6 *)&storage)->sin6_addr, bytes, 16);
    } else {
        memcpy(&((struct sockaddr_in *)&storage)->sin_addr, bytes, 4);
    }
    assert_true(tlr_number_of((struct sockaddr *)&storage, &result));
    return result;
}

static void it_agrees_with_looking_at_each_rule(void **state)
{
    unsigned round;
    unsigned i;

    (void)state;
    random_state = 88172645463325252u;
    for (round = 0; round < 300; round++) {
        count = random_u32() % 40;
        for (i = 0; i < count; i++) {
            random_rule(&rules[i]);
        }
        make();
        for (i = 0; i < 200; i++) {
            struct tlr_access_rule asked;

            random_rule(&asked);
            if (plainly_allowed(asked.address, asked.ipv6) !=
                tlr_access_allows(&list, number_of_bytes(asked.address,
                                                           asked.ipv6))) {
                fail_msg("round %u, address %u", round, i);
            }
        }
        tlr_access_close(&list, &memory.allocator);
    }
}

/* 17 steps; the time is printed for whoever wants to know it. */
static void many_rules_are_looked_up_fast(void **state)
{
    const unsigned lookups = 100000;
    struct tlr_number asked = {0, 0};
    unsigned allowed = 0;
    uint64_t start;
    unsigned i;

    (void)state;
    random_state = 362436069;
    for (count = 0; count < MANY; count++) {
        struct tlr_access_rule *made = &rules[count];
        uint32_t value = random_u32();

        random_rule(made);
        memcpy(made->address, &value, sizeof(value));
        if (made->prefix < 8) {
            made->prefix = 24;
        }
    }
    start = uv_hrtime();
    make();
    print_message("%u rules: made in %.1f ms", MANY,
                  (double)(uv_hrtime() - start) / 1e6);
    start = uv_hrtime();
    for (i = 0; i < lookups; i++) {
        asked.low = 0xffff00000000u | (uint32_t)(i * 2654435761u);
        allowed += tlr_access_allows(&list, asked);
    }
    print_message(", a look takes %.0f ns\n",
                  (double)(uv_hrtime() - start) / lookups);
    assert_in_range(allowed, 1, lookups - 1);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(networks_are_read),
        TEST(what_is_no_network_is_refused),
        TEST(without_a_rule_all_may_in),
        TEST(denying_leaves_the_others_in),
        TEST(allowing_keeps_the_others_out),
        TEST(the_longest_prefix_decides),
        TEST(of_two_as_long_the_denying_one_does),
        TEST(ipv4_on_an_ipv6_socket_is_ipv4),
        TEST(a_rule_for_all_of_ipv4_is_one),
        TEST(what_a_program_sets_beyond_the_prefix_does_not_count),
        TEST(without_memory_there_is_no_list),
        TEST(it_agrees_with_looking_at_each_rule),
        TEST(many_rules_are_looked_up_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
