/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"

static void objects_and_arrays_nest_with_their_commas(void **state)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    (void)state;
    tlr_cli_json_open(&json, NULL, '{');
    tlr_cli_json_u64(&json, "a", UINT64_MAX);
    tlr_cli_json_open(&json, "loops", '[');
    for (uint64_t i = 0; i < 2; i++) {
        tlr_cli_json_open(&json, NULL, '{');
        tlr_cli_json_u64(&json, "open", i);
        tlr_cli_json_close(&json);
    }
    tlr_cli_json_close(&json);
    tlr_cli_json_open(&json, "none", '{');
    tlr_cli_json_close(&json);
    tlr_cli_json_bool(&json, "ok", true);
    tlr_cli_json_close(&json);
    assert_string_equal(tlr_cli_text_get(&text),
        "{\"a\":18446744073709551615,\"loops\":[{\"open\":0},{\"open\":1}],"
        "\"none\":{},\"ok\":true}");
    tlr_cli_text_free(&text);
}

static void strings_are_escaped(void **state)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    (void)state;
    tlr_cli_json_string(&json, NULL, "a\"b\\c\n\t\x01 \xc3\xa9%s");
    assert_string_equal(tlr_cli_text_get(&text),
        "\"a\\\"b\\\\c\\n\\t\\u0001 \xc3\xa9%s\"");
    tlr_cli_text_free(&text);
}

static void what_is_no_number_becomes_null(void **state)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};
    (void)state;
    tlr_cli_json_open(&json, NULL, '[');
    tlr_cli_json_double(&json, NULL, 1.0 / 3, 3);
    tlr_cli_json_double(&json, NULL, INFINITY, 3);
    tlr_cli_json_double(&json, NULL, -2, 0);
    tlr_cli_json_close(&json);
    assert_string_equal(tlr_cli_text_get(&text), "[0.333,null,-2]");
    tlr_cli_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_arrays_nest_with_their_commas),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(what_is_no_number_becomes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
