/* SPDX-License-Identifier: MIT */
#include "json_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/json_read.h"

bool json_is_object(const char *text)
{
    return tlr_cli_json_is_object(text);
}

static const char *find(const char *text, const char *path)
{
    return json_is_object(text) ? tlr_cli_json_find(text, path) : NULL;
}

bool json_number(const char *text, const char *path, double *number)
{
    return tlr_cli_json_as_number(find(text, path), number);
}

bool json_string(const char *text, const char *path, char *string, size_t size)
{
    return tlr_cli_json_as_string(find(text, path), string, size);
}

bool json_is_true(const char *text, const char *path)
{
    return tlr_cli_json_is_true(find(text, path));
}

double json_number_at(const char *text, const char *path)
{
    double number = -1;
    if (!json_number(text, path, &number)) {
        fail_msg("there is no number %s in %s", path, text);
    }
    return number;
}

void json_expect(const char *text, const char *path, double number)
{
    double got = json_number_at(text, path);
    if (got != number) {
        fail_msg("%s is %g and not %g in %s", path, got, number, text);
    }
}
