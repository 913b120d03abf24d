/* SPDX-License-Identifier: MIT */
/* What the rows of an option table do with a value: see options.h. */
#include <inttypes.h>
#include <string.h>

#include <uv.h>

#include "options.h"
#include "parse.h"

int tlr_cli_apply_flag(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    (void)value;     /* a flag has none */
    (void)complaint; /* and cannot be wrong */
    *(bool *)option->target = true;
    return 0;
}

int tlr_cli_apply_number(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    if (tlr_cli_parse_number(
            value, option->min, option->max, option->target) == 0) {
        return 0;
    }
    tlr_cli_text_add(complaint,
        "wants a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"",
        option->min, option->max, value);
    return UV_EINVAL;
}

static void add_size(struct tlr_cli_text *text, uint64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (unit < 4 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    tlr_cli_text_add(text, "%" PRIu64 "%s", bytes, units[unit]);
}

int tlr_cli_apply_size(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    if (tlr_cli_parse_size(value, option->min, option->max, option->target) ==
        0) {
        return 0;
    }
    tlr_cli_text_add(complaint, "wants a size from ");
    add_size(complaint, option->min);
    tlr_cli_text_add(complaint, " to ");
    add_size(complaint, option->max);
    tlr_cli_text_add(complaint, ", such as 64, 64k or 1M, not \"%s\"", value);
    return UV_EINVAL;
}

int tlr_cli_apply_seconds(const struct tlr_cli_option *option,
    const char *value, struct tlr_cli_text *complaint)
{
    if (tlr_cli_parse_seconds(
            value, option->min, option->max, option->target) == 0) {
        return 0;
    }
    tlr_cli_text_add(complaint,
        "wants seconds from %.9g to %.9g, such as 2.5, 500ms or 1m, not \"%s\"",
        (double)option->min / 1000, (double)option->max / 1000, value);
    return UV_EINVAL;
}

int tlr_cli_apply_choice(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    const char *const *choices = option->choices;
    for (unsigned i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], value) == 0) {
            *(unsigned *)option->target = i;
            return 0;
        }
    }
    tlr_cli_text_add(complaint, "wants ");
    for (size_t i = 0; choices[i] != NULL; i++) {
        const char *before = i == 0                    ? ""
                             : choices[i + 1] == NULL ? " or "
                                                       : ", ";
        tlr_cli_text_add(complaint, "%s%s", before, choices[i]);
    }
    tlr_cli_text_add(complaint, ", not \"%s\"", value);
    return UV_EINVAL;
}

int tlr_cli_apply_string(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    if (*value == '\0') {
        tlr_cli_text_add(complaint, "must not be empty");
        return UV_EINVAL;
    }
    *(const char **)option->target = value;
    return 0;
}

int tlr_cli_apply_list(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    struct tlr_cli_list *list = option->target;
    if (*value == '\0') {
        tlr_cli_text_add(complaint, "must not be empty");
        return UV_EINVAL;
    }
    if (list->count == list->capacity) {
        tlr_cli_text_add(
            complaint, "may be given %zu times at most", list->capacity);
        return UV_EINVAL;
    }
    list->items[list->count++] = value;
    return 0;
}
