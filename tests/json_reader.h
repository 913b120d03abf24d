/* SPDX-License-Identifier: MIT */
/* src/cli/json_read.h for tests: by paths from a text, and failing the test. */
#ifndef TLR_TESTS_JSON_READER_H
#define TLR_TESTS_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `text` is one JSON object and nothing else. */
bool json_is_object(const char *text);

/*
 * The number, or the string, that `path` leads to from the object `text`: names,
 * and indexes of arrays, with points between, such as "loops.0.accepted".
 * Returns false if there is none.
 */
bool json_number(const char *text, const char *path, double *number);
bool json_string(const char *text, const char *path, char *string, size_t size);

/* Whether it is there and true. */
bool json_is_true(const char *text, const char *path);

/* The number there; the test fails if there is none. */
double json_number_at(const char *text, const char *path);

/* The test fails if it is not exactly that. */
void json_expect(const char *text, const char *path, double number);

#endif
