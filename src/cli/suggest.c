/* SPDX-License-Identifier: MIT */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance (Damerau 1964, restricted): three rows of
 * the usual table are enough. */
size_t tlr_cli_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t a_length = least(strlen(a), LONGEST);
    size_t b_length = least(strlen(b), LONGEST);
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *now = rows[2];
    for (size_t j = 0; j <= b_length; j++) {
        last[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_length; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = least(last[j - 1] + cost, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
        size_t *reuse = before;
        before = last;
        last = now;
        now = reuse;
    }
    return last[b_length];
}

size_t tlr_cli_suggest_rank(const char *word, const char *candidate)
{
    size_t length = strlen(word);
    if (length >= 4 && strncmp(word, candidate, length) == 0) {
        return 0;
    }
    size_t distance = tlr_cli_distance(word, candidate);
    return distance <= 1 + length / 5 ? distance : SIZE_MAX;
}
