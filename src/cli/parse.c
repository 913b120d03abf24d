/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <uv.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"k", UINT64_C(1) << 10},
    {"K", UINT64_C(1) << 10},
    {"KiB", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"MiB", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"GiB", UINT64_C(1) << 30},
};

/* In milliseconds. */
static const struct unit times[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60000},
    {"h", 3600000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits from *text on and moves it behind them. A number too large for
 * 64 bits is read to its end, so that trailing characters are still seen. */
static int read_digits(const char **text, uint64_t *number)
{
    uint64_t value = 0;
    bool overflow = false;
    if (!is_digit(**text)) {
        return UV_EINVAL;
    }
    for (; is_digit(**text); (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        overflow = overflow || value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    *number = value;
    return overflow ? UV_ERANGE : 0;
}

static const struct unit *find_unit(
    const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

static int in_range(uint64_t value, uint64_t min, uint64_t max, uint64_t *out)
{
    if (value < min || value > max) {
        return UV_ERANGE;
    }
    *out = value;
    return 0;
}

int tlr_cli_parse_number(
    const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t value;
    int err = read_digits(&text, &value);
    if (err == UV_EINVAL || *text != '\0') {
        return UV_EINVAL;
    }
    return err != 0 ? err : in_range(value, min, max, number);
}

int tlr_cli_parse_size(
    const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
    uint64_t value;
    int err = read_digits(&text, &value);
    const struct unit *unit =
        find_unit(sizes, sizeof(sizes) / sizeof(sizes[0]), text);
    if (err == UV_EINVAL || unit == NULL) {
        return UV_EINVAL;
    }
    if (err != 0 || value > UINT64_MAX / unit->factor) {
        return UV_ERANGE;
    }
    return in_range(value * unit->factor, min, max, bytes);
}

/*
 * Reads ".25" as a number of millionths, any further digit that is not 0
 * counting as one more. Without a point there is nothing to read.
 */
static int read_fraction(const char **text, uint64_t *millionths)
{
    uint64_t value = 0;
    uint64_t weight = 100000;
    bool rest = false;
    *millionths = 0;
    if (**text != '.') {
        return 0;
    }
    (*text)++;
    if (!is_digit(**text)) {
        return UV_EINVAL;
    }
    for (; is_digit(**text); (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        value += digit * weight;
        rest = rest || (weight == 0 && digit != 0);
        weight /= 10;
    }
    *millionths = value + (rest ? 1 : 0);
    return 0;
}

int tlr_cli_parse_seconds(
    const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ms)
{
    uint64_t whole;
    uint64_t millionths;
    int err = read_digits(&text, &whole);
    if (err == UV_EINVAL || read_fraction(&text, &millionths) != 0) {
        return UV_EINVAL;
    }
    const struct unit *unit =
        find_unit(times, sizeof(times) / sizeof(times[0]), text);
    if (unit == NULL) {
        return UV_EINVAL;
    }
    /* The fraction adds one factor at most. */
    if (err != 0 || whole > UINT64_MAX / unit->factor - 1) {
        return UV_ERANGE;
    }
    uint64_t part = (millionths * unit->factor + 999999) / 1000000;
    return in_range(whole * unit->factor + part, min_ms, max_ms, ms);
}
