/* SPDX-License-Identifier: MIT */
/* kv's commands: each prefix of one says that there is more to come. */
#include "require.h"

#include "examples/kv.h"

static struct kv_store store;

static void check_command(const struct kv_text *text, size_t at,
                          const struct kv_command *command)
{
    int i;

    REQUIRE(command->end > at && command->end <= text->length);
    REQUIRE(command->argc > 0 && command->argc <= KV_ARGS_MOST);
    for (i = 0; i < command->argc; i++) {
        const char *begin = command->argv[i].base;

        REQUIRE(begin >= text->base + at &&
                begin + command->argv[i].len <= text->base + command->end);
    }
}

/* With fewer bytes the answer is the same, or that more are needed. */
static void check_prefixes(const struct kv_text *whole, size_t at, int result)
{
    struct kv_command command;
    struct kv_text part = {0};
    size_t length;
    size_t step = whole->length > 200 ? whole->length / 100 : 1;

    for (length = at + 1; length < whole->length; length += step) {
        int less;

        part.base = malloc(length);
        REQUIRE(part.base != NULL);
        memcpy(part.base, whole->base, length);
        part.length = length;
        less = kv_parse(&part, at, &command);
        REQUIRE(less == 0 || less == result);
        free(part.base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kv_text text = {0};
    struct kv_text reply = {0};
    struct kv_command command;
    size_t at = 0;
    int result = size > 0;

    text.base = text_of(data, size);
    text.length = size;
    while (result > 0 && at < size) {
        result = kv_parse(&text, at, &command);
        REQUIRE(result == 0 || result == 1 || result == UV_EPROTO);
        check_prefixes(&text, at, result);
        if (result > 0) {
            check_command(&text, at, &command);
            REQUIRE(kv_run(&store, &command, &reply) == 0);
            at = command.end;
        }
    }
    kv_store_clear(&store);
    free(reply.base);
    free(text.base);
    return 0;
}
