/* SPDX-License-Identifier: MIT */
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "cli/parse.h"

enum { SIZE_TEXT = 32 };

#define SIZE_MOST (UINT64_C(1) << 40)
#define WEIGHT_MOST UINT64_C(1000000000)

/* Copies what is between `from` and `to`, for the parsers want it whole. */
static int cut(const char *from, const char *to, char text[SIZE_TEXT])
{
    size_t length = (size_t)(to - from);
    if (length >= SIZE_TEXT) {
        return UV_EINVAL;
    }
    memcpy(text, from, length);
    text[length] = '\0';
    return 0;
}

static int parse_size(const char *from, const char *to, uint64_t *size)
{
    char text[SIZE_TEXT];
    int err = cut(from, to, text);
    return err != 0 ? err : tlr_cli_parse_size(text, 1, SIZE_MOST, size);
}

/* `c` or the text's end. */
static const char *find(const char *from, const char *to, char c)
{
    const char *found = memchr(from, c, (size_t)(to - from));
    return found == NULL ? to : found;
}

static int parse_weight(const char *from, const char *to, uint64_t *weight)
{
    char text[SIZE_TEXT];
    int err = cut(from, to, text);
    return err != 0 ? err
                    : tlr_cli_parse_number(text, 1, WEIGHT_MOST, weight);
}

static int parse_row(
    const char *from, const char *to, struct tlr_load_sizes_row *row)
{
    const char *equals = find(from, to, '=');
    const char *dots = find(from, equals, '.');
    int err = parse_size(from, dots, &row->low);
    row->high = row->low;
    row->weight = 1;
    if (err == 0 && dots != equals) {
        if (dots + 1 == equals || dots[1] != '.') {
            return UV_EINVAL;
        }
        err = parse_size(dots + 2, equals, &row->high);
    }
    if (err == 0 && equals != to) {
        err = parse_weight(equals + 1, to, &row->weight);
    }
    return err != 0 || row->high < row->low ? UV_EINVAL : 0;
}

int tlr_load_sizes_parse(const char *text, struct tlr_load_sizes *sizes)
{
    const char *end = text + strlen(text);
    uint64_t weight = 0;
    memset(sizes, 0, sizeof(*sizes));
    for (const char *at = text;; at++) {
        const char *to = find(at, end, ',');
        struct tlr_load_sizes_row *row = &sizes->rows[sizes->count];
        if (sizes->count == TLR_LOAD_SIZES_MOST ||
            parse_row(at, to, row) != 0) {
            return UV_EINVAL;
        }
        weight += row->weight;
        row->weight = weight;
        sizes->count++;
        if (to == end) {
            return 0;
        }
        at = to;
    }
}

const char *tlr_load_sizes_format(
    const struct tlr_load_sizes *sizes, char text[TLR_LOAD_SIZES_TEXT])
{
    uint64_t before = 0;
    char *at = text;
    text[0] = '\0';
    for (size_t i = 0; i < sizes->count; i++) {
        const struct tlr_load_sizes_row *row = &sizes->rows[i];
        size_t room = (size_t)(text + TLR_LOAD_SIZES_TEXT - at);
        at += snprintf(at, room, "%s%" PRIu64, i == 0 ? "" : ",", row->low);
        room = (size_t)(text + TLR_LOAD_SIZES_TEXT - at);
        if (row->high != row->low) {
            at += snprintf(at, room, "..%" PRIu64, row->high);
        }
        room = (size_t)(text + TLR_LOAD_SIZES_TEXT - at);
        if (sizes->count > 1) {
            at += snprintf(at, room, "=%" PRIu64, row->weight - before);
        }
        before = row->weight;
    }
    return text;
}

/* The end of MurmurHash3: as good as drawn, and the same each time. */
static uint64_t scramble(uint64_t key)
{
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    key *= UINT64_C(0xc4ceb9fe1a85ec53);
    return key ^ key >> 33;
}

uint64_t tlr_load_sizes_of(const struct tlr_load_sizes *sizes,
    uint32_t connection, uint64_t message)
{
    uint64_t drawn =
        scramble((message + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ connection);
    uint64_t weight = drawn % sizes->rows[sizes->count - 1].weight;
    const struct tlr_load_sizes_row *row = sizes->rows;
    while (weight >= row->weight) {
        row++;
    }
    return row->low + scramble(drawn) % (row->high - row->low + 1);
}

uint64_t tlr_load_sizes_largest(const struct tlr_load_sizes *sizes)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        if (sizes->rows[i].high > largest) {
            largest = sizes->rows[i].high;
        }
    }
    return largest;
}

double tlr_load_sizes_mean(const struct tlr_load_sizes *sizes)
{
    double sum = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        const struct tlr_load_sizes_row *row = &sizes->rows[i];
        sum += (double)(row->weight - before) *
               ((double)row->low + (double)row->high) / 2;
        before = row->weight;
    }
    return sum / (double)before;
}
