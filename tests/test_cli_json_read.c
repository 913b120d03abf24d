/* SPDX-License-Identifier: MIT */
/* JSON as it is read: what is taken and refused is in test_json_reader.c too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json_read.h"

static void nesting_goes_32_deep_and_no_deeper(void **state)
{
    enum { DEEP = 1000 };
    char text[2 * DEEP + 8];
    (void)state;
    for (size_t depth = 30; depth <= DEEP; depth++) {
        char *p = text;
        memcpy(p, "{\"a\":", 5);
        memset(p + 5, '[', depth - 1);
        memset(p + 5 + depth - 1, ']', depth - 1);
        memcpy(p + 5 + 2 * (depth - 1), "}", 2);
        assert_int_equal(tlr_cli_json_is_object(text),
            depth <= TLR_CLI_JSON_READ_DEPTH);
    }
}

static void a_walk_comes_to_every_member_in_order(void **state)
{
    static const char *const names[] = {"a", "bc", "", "d"};
    struct tlr_cli_json_walk walk = {
        .next = " { \"a\" : 1 , \"bc\":[1,[2]],\"\":{\"x\":0},\"d\":\"}\"} "};
    struct tlr_cli_json_walk none = {.next = "{ }"};
    struct tlr_cli_json_walk list = {.next = "[[],{},3]"};
    unsigned count = 0;
    (void)state;
    while (tlr_cli_json_step(&walk)) {
        assert_true(count < 4);
        assert_int_equal(walk.name_length, strlen(names[count]));
        assert_memory_equal(walk.name, names[count], walk.name_length);
        count++;
    }
    assert_int_equal(count, 4);
    assert_string_equal(walk.value, "\"}\"} ");
    assert_false(tlr_cli_json_step(&walk));
    assert_false(tlr_cli_json_step(&none));
    while (tlr_cli_json_step(&list)) {
        assert_null(list.name);
        count++;
    }
    assert_int_equal(count, 7);
}

static void what_is_no_object_or_array_has_no_members(void **state)
{
    static const char *const values[] = {"1", "\"{}\"", "true", "null", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct tlr_cli_json_walk walk = {.next = values[i]};
        assert_false(tlr_cli_json_step(&walk));
        assert_null(tlr_cli_json_find(values[i], "0"));
    }
    assert_null(tlr_cli_json_find(NULL, "a"));
}

static void the_first_of_two_with_one_name_counts(void **state)
{
    double number = 0;
    (void)state;
    assert_true(tlr_cli_json_as_number(
        tlr_cli_json_find("{\"a\":1,\"a\":2}", "a"), &number));
    assert_true(number == 1);
}

static void only_what_a_double_can_hold_is_a_number(void **state)
{
    double number = 7;
    (void)state;
    assert_false(tlr_cli_json_as_number("1e999}", &number));
    assert_false(tlr_cli_json_as_number("null", &number));
    assert_false(tlr_cli_json_as_number("\"1\"", &number));
    assert_false(tlr_cli_json_as_number(NULL, &number));
    assert_true(number == 7);
    assert_true(tlr_cli_json_as_number("-2.5e-1,", &number));
    assert_true(number == -0.25);
}

static void a_string_is_decoded(void **state)
{
    char string[32];
    (void)state;
    assert_true(tlr_cli_json_as_string(
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", string, sizeof(string)));
    assert_string_equal(string, "\"\\/\b\f\n\r\t");
    assert_true(tlr_cli_json_as_string(
        "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", string, sizeof(string)));
    assert_string_equal(string, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_true(tlr_cli_json_as_string(
        "\"\\ud83d.\\ude00\\ud83d\\ud83d\"", string, sizeof(string)));
    assert_string_equal(
        string, "\xef\xbf\xbd.\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void a_string_that_does_not_fit_is_none(void **state)
{
    char string[4] = "xyz";
    (void)state;
    assert_true(tlr_cli_json_as_string("\"abc\"", string, sizeof(string)));
    assert_false(tlr_cli_json_as_string("\"abcd\"", string, sizeof(string)));
    assert_false(tlr_cli_json_as_string("\"ab\\u00e9\"", string, 4));
    assert_false(tlr_cli_json_as_string("\"\"", string, 0));
    assert_true(tlr_cli_json_as_string("\"\"", string, 1));
    assert_false(tlr_cli_json_as_string("\"\\u0000\"", string, 4));
    assert_false(tlr_cli_json_as_string("1", string, 4));
    assert_false(tlr_cli_json_as_string(NULL, string, 4));
}

static void the_length_of_a_value_is_that_of_its_text(void **state)
{
    (void)state;
    assert_int_equal(tlr_cli_json_length("{\"a\":[1,2]} ,"), 11);
    assert_int_equal(tlr_cli_json_length("-1.5,"), 4);
    assert_int_equal(tlr_cli_json_length("\"\\\"\","), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_goes_32_deep_and_no_deeper),
        cmocka_unit_test(a_walk_comes_to_every_member_in_order),
        cmocka_unit_test(what_is_no_object_or_array_has_no_members),
        cmocka_unit_test(the_first_of_two_with_one_name_counts),
        cmocka_unit_test(only_what_a_double_can_hold_is_a_number),
        cmocka_unit_test(a_string_is_decoded),
        cmocka_unit_test(a_string_that_does_not_fit_is_none),
        cmocka_unit_test(the_length_of_a_value_is_that_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
