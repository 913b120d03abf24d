/* SPDX-License-Identifier: MIT */
/* Numbers, sizes and times: whatever is taken lies within the limits, and is
 * what its digits say. */
#include "require.h"

#include <ctype.h>

#include <uv.h>

#include "cli/parse.h"

typedef int (*parse_cb)(const char *text, uint64_t min, uint64_t max,
                        uint64_t *result);

/* UINT64_MAX if it is no plain number, or one that large. */
static uint64_t plain(const char *text)
{
    uint64_t number = 0;
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        if (!isdigit((unsigned char)text[i]) || i > 18) {
            return UINT64_MAX;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    return i == 0 ? UINT64_MAX : number;
}

static void check(parse_cb parse, uint64_t unit, const char *text,
                  uint64_t min, uint64_t max)
{
    const uint64_t untouched = UINT64_C(0x5a5a5a5a5a5a5a5a);
    uint64_t number = plain(text);
    uint64_t result = untouched;
    uint64_t wide = untouched;
    int err = parse(text, min, max, &result);
    int err_wide = parse(text, 0, UINT64_MAX, &wide);

    REQUIRE(err == 0 || err == UV_EINVAL || err == UV_ERANGE);
    REQUIRE(err == 0 ? result >= min && result <= max : result == untouched);
    REQUIRE((err == UV_EINVAL) == (err_wide == UV_EINVAL));
    REQUIRE(err != 0 || (err_wide == 0 && wide == result));
    REQUIRE(err != UV_ERANGE || err_wide != 0 || wide < min || wide > max);
    if (number != UINT64_MAX && number <= UINT64_MAX / unit) {
        REQUIRE(err_wide == 0 && wide == number * unit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, 0, size};
    uint64_t min = input_next(&input) % 4;
    uint64_t max = min + ((UINT64_MAX - min) >> input_next(&input) % 64);
    char *text = text_of(data + input.front, size - input.front);

    check(tlr_cli_parse_number, 1, text, min, max);
    check(tlr_cli_parse_size, 1, text, min, max);
    check(tlr_cli_parse_seconds, 1000, text, min, max);
    free(text);
    return 0;
}
