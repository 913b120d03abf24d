/* SPDX-License-Identifier: MIT */
/* Goes through the JSON, so that the names cannot differ from it. */
#include "csv.h"

#include <inttypes.h>
#include <string.h>

#include "cli/check.h"
#include "cli/json_read.h"
#include "result_json.h"

enum { FIELD_MOST = TLR_LOAD_SIZES_TEXT }; /* no string is longer */

void tlr_load_csv_field(struct tlr_cli_text *text, const char *field)
{
    if (strpbrk(field, ",\"\r\n") == NULL) {
        tlr_cli_text_add(text, "%s", field);
        return;
    }
    tlr_cli_text_add(text, "\"");
    for (; *field != '\0'; field++) {
        tlr_cli_text_add(text, *field == '"' ? "\"\"" : "%c", *field);
    }
    tlr_cli_text_add(text, "\"");
}

/* What a member becomes; `before` is the name of the object it is in, and "_". */
typedef void (*add_cb)(struct tlr_cli_text *text, const char *before,
    const struct tlr_cli_json_walk *member);

static void add_name(struct tlr_cli_text *text, const char *before,
    const struct tlr_cli_json_walk *member)
{
    tlr_cli_text_add(text, ",%s%.*s", before, (int)member->name_length,
        member->name); /* plain letters: never in quotes */
}

static void add_value(struct tlr_cli_text *text, const char *before,
    const struct tlr_cli_json_walk *member)
{
    const char *value = member->value;
    char string[FIELD_MOST];
    (void)before; /* a name's */
    tlr_cli_text_add(text, ",");
    if (tlr_cli_json_as_string(value, string, sizeof(string))) {
        tlr_load_csv_field(text, string);
    } else if (*value != 'n') { /* null: what is no number */
        tlr_cli_text_add(text, "%.*s", (int)tlr_cli_json_length(value), value);
    }
}

static void add_members(struct tlr_cli_text *text, const char *object,
    const char *before, add_cb add)
{
    struct tlr_cli_json_walk walk = {.next = object};
    while (tlr_cli_json_step(&walk)) {
        if (walk.name_length == 6 && memcmp(walk.name, "repeat", 6) == 0) {
            continue; /* the column "run" is in its place */
        }
        if (*walk.value != '{' && *walk.value != '[') {
            add(text, before, &walk);
        } else if (*walk.value == '{' && *before == '\0') {
            char name[FIELD_MOST];
            (void)snprintf(name, sizeof(name), "%.*s_",
                (int)walk.name_length, walk.name); /* names are short */
            add_members(text, walk.value, name, add);
        }
    }
}

static void add_line(const struct tlr_load_result *result,
    struct tlr_cli_text *text, add_cb add)
{
    struct tlr_cli_text json = {0};
    tlr_load_result_json(result, &json);
    if (json.failed) {
        text->failed = true;
    } else {
        TLR_CLI_CHECK(tlr_cli_json_is_object(json.data));
        add_members(text, json.data, "", add);
        tlr_cli_text_add(text, "\n");
    }
    tlr_cli_text_free(&json);
}

void tlr_load_csv_names(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "run");
    add_line(result, text, add_name);
}

void tlr_load_csv_values(const struct tlr_load_result *result, uint64_t run,
    struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "%" PRIu64, run);
    add_line(result, text, add_value);
}
