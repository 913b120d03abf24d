/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* The comma and the name in front of a value. */
static void begin_value(struct tlr_cli_json *json, const char *name)
{
    if (json->more) {
        tlr_cli_text_add(json->text, ",");
    }
    if (name != NULL) {
        tlr_cli_text_add(json->text, "\"%s\":", name);
    }
    json->more = true;
}

void tlr_cli_json_open(struct tlr_cli_json *json, const char *name, char kind)
{
    assert(json->depth < TLR_CLI_JSON_DEPTH);
    begin_value(json, name);
    tlr_cli_text_add(json->text, "%c", kind);
    json->closers[json->depth++] = kind == '{' ? '}' : ']';
    json->more = false;
}

void tlr_cli_json_close(struct tlr_cli_json *json)
{
    assert(json->depth > 0);
    json->depth--;
    tlr_cli_text_add(json->text, "%c", json->closers[json->depth]);
    json->more = true;
}

static void add_escaped(struct tlr_cli_text *text, unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        tlr_cli_text_add(text, "\\%c", c);
        break;
    case '\n':
        tlr_cli_text_add(text, "\\n");
        break;
    case '\t':
        tlr_cli_text_add(text, "\\t");
        break;
    default:
        tlr_cli_text_add(text, c < ' ' ? "\\u%04x" : "%c", c);
        break;
    }
}

void tlr_cli_json_string(
    struct tlr_cli_json *json, const char *name, const char *value)
{
    begin_value(json, name);
    tlr_cli_text_add(json->text, "\"");
    for (; *value != '\0'; value++) {
        add_escaped(json->text, (unsigned char)*value);
    }
    tlr_cli_text_add(json->text, "\"");
}

void tlr_cli_json_u64(
    struct tlr_cli_json *json, const char *name, uint64_t value)
{
    begin_value(json, name);
    tlr_cli_text_add(json->text, "%" PRIu64, value);
}

void tlr_cli_json_double(struct tlr_cli_json *json, const char *name,
    double value, unsigned decimals)
{
    begin_value(json, name);
    if (isfinite(value)) {
        tlr_cli_text_add(json->text, "%.*f", (int)decimals, value);
    } else {
        tlr_cli_text_add(json->text, "null");
    }
}

void tlr_cli_json_bool(struct tlr_cli_json *json, const char *name, bool value)
{
    begin_value(json, name);
    tlr_cli_text_add(json->text, value ? "true" : "false");
}
