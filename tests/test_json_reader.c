/* SPDX-License-Identifier: MIT */
/* What the tests of the programs judge JSON by must be able to say no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json_reader.h"

static void an_object_is_accepted(void **state)
{
    (void)state;
    assert_true(json_is_object("{}"));
    assert_true(json_is_object(
        " {\"a\":[1,-2.5e3,{\"b\":null}],\"c\":\"\\\"\"} "));
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const wrong[] = {"", "1", "[]", "{", "}", "{}}", "{} {}",
        "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":1.}",
        "{\"a\":nan}", "{\"a\":inf}", "{\"a\":-}", "{\"a\":1 \"b\":2}", "{a:1}",
        "{\"a\":\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\t\"}", "{\"a\":[1,]}",
        "{\"a\":[1}", "{\"a\":tru}", "{\"a\":1,5}"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (json_is_object(wrong[i])) {
            fail_msg("accepted: %s", wrong[i]);
        }
    }
}

static void a_path_leads_to_its_value(void **state)
{
    const char *text =
        "{\"ab\":{\"x\":1},\"a\":{\"x\":[{\"y\":7},{\"y\":8.5}]},\"s\":\"t\","
        "\"on\":true,\"off\":false}";
    double number;
    char string[2];
    (void)state;
    assert_true(json_number(text, "a.x.1.y", &number));
    assert_true(number == 8.5);
    assert_false(json_number(text, "a.x.2.y", &number));
    assert_false(json_number(text, "b", &number));
    assert_false(json_number(text, "s", &number));
    assert_true(json_string(text, "s", string, sizeof(string)));
    assert_string_equal(string, "t");
    assert_false(json_string(text, "s", string, 1));
    assert_true(json_is_true(text, "on"));
    assert_false(json_is_true(text, "off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_accepted),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_path_leads_to_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
