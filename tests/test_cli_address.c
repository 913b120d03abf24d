/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/address.h"

static void expect_address(const char *text, const char *address)
{
    struct tlr_cli_addresses found;
    struct tlr_cli_text complaint = {0};
    char buffer[TLR_CLI_ADDRESS_LENGTH];
    assert_int_equal(
        tlr_cli_resolve(text, "127.0.0.1", &found, &complaint), 0);
    assert_int_equal(found.count, 1);
    assert_string_equal(
        tlr_cli_format_address((struct sockaddr *)&found.items[0], buffer),
        address);
    tlr_cli_addresses_free(&found);
}

static void numeric_addresses_are_read_and_printed_alike(void **state)
{
    (void)state;
    expect_address("127.0.0.1:7007", "127.0.0.1:7007");
    expect_address("[::1]:7007", "[::1]:7007");
    expect_address("[2001:db8::7]:0", "[2001:db8::7]:0");
    expect_address("0.0.0.0:65535", "0.0.0.0:65535");
}

static void a_bare_port_is_on_the_default_host(void **state)
{
    (void)state;
    expect_address("7007", "127.0.0.1:7007");
    expect_address(":7007", "127.0.0.1:7007");
}

static void a_star_is_every_address_of_both_families(void **state)
{
    struct tlr_cli_addresses found;
    struct tlr_cli_text complaint = {0};
    (void)state;
    assert_int_equal(
        tlr_cli_resolve("*:7007", "127.0.0.1", &found, &complaint), 0);
    assert_true(found.every);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].ss_family, AF_INET6);
    tlr_cli_addresses_free(&found);
}

static void a_name_gives_its_addresses_with_the_port(void **state)
{
    struct tlr_cli_addresses found;
    struct tlr_cli_text complaint = {0};
    (void)state;
    assert_int_equal(
        tlr_cli_resolve("localhost:7007", "127.0.0.1", &found, &complaint), 0);
    assert_true(found.count >= 1);
    for (size_t i = 0; i < found.count; i++) {
        assert_int_equal(
            tlr_cli_port((struct sockaddr *)&found.items[i]), 7007);
    }
    tlr_cli_addresses_free(&found);
}

static void expect_complaint(const char *text, const char *line)
{
    struct tlr_cli_addresses found;
    struct tlr_cli_text complaint = {0};
    assert_int_equal(
        tlr_cli_resolve(text, "127.0.0.1", &found, &complaint), UV_EINVAL);
    assert_string_equal(tlr_cli_text_get(&complaint), line);
    assert_null(found.items);
    tlr_cli_text_free(&complaint);
}

static void what_is_no_address_is_refused_with_what_to_write(void **state)
{
    (void)state;
    expect_complaint("::1:7007",
        "\"::1:7007\" is no address; write HOST:PORT, [IPV6]:PORT or PORT");
    expect_complaint(
        "", "\"\" is no address; write HOST:PORT, [IPV6]:PORT or PORT");
    expect_complaint("[::1:7007",
        "\"[::1:7007\" is no address; write HOST:PORT, [IPV6]:PORT or PORT");
    expect_complaint("[]:7007",
        "\"[]:7007\" is no address; write HOST:PORT, [IPV6]:PORT or PORT");
    expect_complaint("localhost:",
        "\"\" is no port; write HOST:PORT with a port up to 65535");
    expect_complaint("localhost:65536",
        "\"65536\" is no port; write HOST:PORT with a port up to 65535");
    expect_complaint("localhost",
        "\"localhost\" is no port; write HOST:PORT with a port up to "
        "65535");
}

static void a_name_that_is_not_there_is_said_by_name(void **state)
{
    struct tlr_cli_addresses found;
    struct tlr_cli_text complaint = {0};
    (void)state;
    /* Reserved by RFC 6761 for being never there. */
    assert_int_not_equal(tlr_cli_resolve("teller.invalid:7007", "127.0.0.1",
                             &found, &complaint),
        0);
    assert_non_null(
        strstr(tlr_cli_text_get(&complaint), "look up \"teller.invalid\""));
    tlr_cli_text_free(&complaint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_addresses_are_read_and_printed_alike),
        cmocka_unit_test(a_bare_port_is_on_the_default_host),
        cmocka_unit_test(a_star_is_every_address_of_both_families),
        cmocka_unit_test(a_name_gives_its_addresses_with_the_port),
        cmocka_unit_test(what_is_no_address_is_refused_with_what_to_write),
        cmocka_unit_test(a_name_that_is_not_there_is_said_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
