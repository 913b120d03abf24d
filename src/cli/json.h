/* SPDX-License-Identifier: MIT */
/*
 * Writes one JSON value on one line into a text (RFC 8259).
 *
 *     struct tlr_cli_json json = {.text = &text};
 *     tlr_cli_json_open(&json, NULL, '{');
 *     tlr_cli_json_u64(&json, "connections", 64);
 *     tlr_cli_json_open(&json, "loops", '[');
 *     ...
 *     tlr_cli_json_close(&json);
 *     tlr_cli_json_close(&json);
 *
 * A name is given inside objects and NULL inside arrays and at the top. Names
 * are written as they are: plain letters. Nesting goes 16 deep. The caller
 * owns the struct; one thread at a time.
 */
#ifndef TLR_CLI_JSON_H
#define TLR_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { TLR_CLI_JSON_DEPTH = 16 };

struct tlr_cli_json {
    struct tlr_cli_text *text;
    /* private */
    unsigned depth;
    bool more; /* a value stands before this one at this depth */
    char closers[TLR_CLI_JSON_DEPTH];
};

/* `kind` is '{' or '['. */
void tlr_cli_json_open(struct tlr_cli_json *json, const char *name, char kind);
void tlr_cli_json_close(struct tlr_cli_json *json);

/* Escapes what has to be; bytes from 128 up are passed on, as UTF-8. */
void tlr_cli_json_string(
    struct tlr_cli_json *json, const char *name, const char *value);
void tlr_cli_json_u64(
    struct tlr_cli_json *json, const char *name, uint64_t value);

/* With up to `decimals` digits behind the point; null for what is no number. */
void tlr_cli_json_double(struct tlr_cli_json *json, const char *name,
    double value, unsigned decimals);
void tlr_cli_json_bool(struct tlr_cli_json *json, const char *name, bool value);

#endif
