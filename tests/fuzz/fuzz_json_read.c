/* SPDX-License-Identifier: MIT */
/* JSON that comes from anywhere: what is taken for an object can be gone through
 * to its end, each value lies in the text, and each is found again by its path. */
#include "require.h"

#include <math.h>

#include "cli/json_read.h"

enum { PATH_MOST = 256 };

static void check_value(const char *value, const char *end)
{
    char small[8];
    char large[1024];
    double number = 0;
    size_t length = tlr_cli_json_length(value);

    REQUIRE(length > 0 && value + length <= end);
    if (tlr_cli_json_as_string(value, small, sizeof(small))) {
        REQUIRE(strlen(small) < sizeof(small));
        REQUIRE(tlr_cli_json_as_string(value, large, sizeof(large)));
        REQUIRE(strcmp(small, large) == 0);
    }
    if (tlr_cli_json_as_number(value, &number)) {
        REQUIRE(isfinite(number));
        REQUIRE(*value == '-' || (*value >= '0' && *value <= '9'));
    }
}

static void walk_through(const char *value, const char *end, unsigned depth)
{
    struct tlr_cli_json_walk walk = {.next = value};
    unsigned index = 0;

    REQUIRE(depth <= TLR_CLI_JSON_READ_DEPTH);
    check_value(value, end);
    while (tlr_cli_json_step(&walk)) {
        char path[PATH_MOST];
        const char *found;

        REQUIRE(walk.value > value && walk.value < end);
        if (walk.name == NULL) {
            (void)snprintf(path, sizeof(path), "%u", index);
            REQUIRE(tlr_cli_json_find(value, path) == walk.value);
        } else if (walk.name_length > 0 && walk.name_length < PATH_MOST &&
                   memchr(walk.name, '.', walk.name_length) == NULL) {
            memcpy(path, walk.name, walk.name_length);
            path[walk.name_length] = '\0';
            found = tlr_cli_json_find(value, path);
            REQUIRE(found != NULL && found <= walk.value); /* the first one */
        }
        walk_through(walk.value, end, depth + 1);
        index++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    const char *first = text + strspn(text, " \t\n\r");

    if (tlr_cli_json_is_object(text)) {
        REQUIRE(*first == '{');
        walk_through(first, text + strlen(text), 0);
    }
    free(text);
    return 0;
}
