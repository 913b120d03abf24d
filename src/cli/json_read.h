/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON (RFC 8259) where it lies: a value is the position of its first
 * character in a text that ends with a zero. Nothing is allocated or changed.
 *
 *     if (!tlr_cli_json_is_object(text)) { ... damaged ... }
 *     const char *value = tlr_cli_json_find(text, "latency_us.p99");
 *     double number;
 *     if (tlr_cli_json_as_number(value, &number)) ...
 *
 * Nesting goes 32 deep; what is deeper is refused. Where an object has a name
 * twice, the first one counts. Names are compared as they are written: plain
 * letters. Pure functions; any thread may call. All but tlr_cli_json_is_object
 * rely on its having said yes to the text.
 */
#ifndef TLR_CLI_JSON_READ_H
#define TLR_CLI_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

enum { TLR_CLI_JSON_READ_DEPTH = 32 };

/* Whether `text` is one JSON object, with space around it at most. */
bool tlr_cli_json_is_object(const char *text);

/*
 * The value that `path` leads to from the object or array `value` (the text
 * itself is one): names, and indexes of arrays, with points between, such as
 * "loops.0.accepted". NULL: there is none, or `value` is NULL.
 */
const char *tlr_cli_json_find(const char *value, const char *path);

/* A step through an object or an array; begin with all zeroes but `next`, which
 * is the object or the array. */
struct tlr_cli_json_walk {
    const char *next;
    const char *name; /* as it is written, without quotes; NULL in an array */
    size_t name_length;
    const char *value;
    bool inside; /* private */
};

/* Goes to the next member. False: there is none (any more). */
bool tlr_cli_json_step(struct tlr_cli_json_walk *walk);

/* What it is; NULL is nothing. A number that no double can hold is none. */
bool tlr_cli_json_as_number(const char *value, double *number);
bool tlr_cli_json_is_true(const char *value);

/* Characters of a value as it is written; of a string with its quotes. */
size_t tlr_cli_json_length(const char *value);

/*
 * Decodes the string `value` as UTF-8 into `string`, with a zero behind it. False
 * where it is no string, does not fit into `size` bytes, or has a zero in it. Half
 * of a surrogate pair becomes U+FFFD.
 */
bool tlr_cli_json_as_string(const char *value, char *string, size_t size);

#endif
