/* SPDX-License-Identifier: MIT */
/* What the fuzzers of parsers share. */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

#define REQUIRE(condition)                                             \
    do {                                                               \
        if (!(condition)) {                                            \
            (void)fprintf(stderr, "FAULT %s:%d: does not hold: %s\n",  \
                          __FILE__, __LINE__, #condition);             \
            abort();                                                   \
        }                                                              \
    } while (0)

/* The bytes as a string, in memory of exactly that size. free() it. */
static inline char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    REQUIRE(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

enum { WORDS_MOST = 16 };

/*
 * A command line: cuts `text` into words at each line feed. words[0] is the
 * program's name; a NULL is behind the last. Returns how many there are.
 */
static inline int words_of(char *text, char *words[WORDS_MOST + 2])
{
    static char name[] = "program";
    int count = 0;

    words[count++] = name;
    while (text != NULL && *text != '\0' && count <= WORDS_MOST) {
        char *end = strchr(text, '\n');

        words[count++] = text;
        if (end != NULL) {
            *end++ = '\0';
        }
        text = end;
    }
    words[count] = NULL;
    return count;
}

#endif
