/* SPDX-License-Identifier: MIT */
/* A table with each kind of row, and command lines for it. */
#include "require.h"

#include <uv.h>

#include "cli/options.h"
#include "cli/suggest.h"

static const char *const colours[] = {"red", "green", "greenish", NULL};

struct values {
    bool flag;
    uint64_t number, size, seconds;
    unsigned choice;
    const char *string;
    const char *items[WORDS_MOST];
    struct tlr_cli_list list;
};

static enum tlr_cli_outcome parse(struct values *values, int argc,
                                  char *const *argv,
                                  struct tlr_cli_text *message)
{
    const struct tlr_cli_option positionals[] = {
        {.name = "FIRST", .help = "the first", .apply = tlr_cli_apply_string,
         .target = &values->string},
        {.name = "REST", .help = "the rest", .apply = tlr_cli_apply_list,
         .target = &values->list, .repeats = true, .optional = true},
    };
    const struct tlr_cli_option options[] = {
        {.name = "--flag", .help = "a flag", .apply = tlr_cli_apply_flag,
         .target = &values->flag},
        {.name = "--number", .argument = "N", .help = "a number",
         .apply = tlr_cli_apply_number, .target = &values->number, .min = 2,
         .max = 1000},
        {.name = "--size", .argument = "BYTES", .help = "a size",
         .apply = tlr_cli_apply_size, .target = &values->size,
         .max = UINT64_MAX, .repeats = true},
        {.name = "--seconds", .argument = "TIME", .help = "a time",
         .apply = tlr_cli_apply_seconds, .target = &values->seconds,
         .max = UINT64_C(1) << 40},
        {.name = "--colour", .argument = "COLOUR", .help = "a choice",
         .apply = tlr_cli_apply_choice, .target = &values->choice,
         .choices = colours},
    };
    const struct tlr_cli_program program = {
        .name = "fuzz",
        .version = "1.2.3",
        .summary = "A table.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = positionals,
        .positional_count = 2,
    };

    return tlr_cli_parse(&program, argc, argv, message);
}

static void check_message(enum tlr_cli_outcome outcome,
                          const struct tlr_cli_text *message)
{
    const char *text = tlr_cli_text_get(message);
    const char *line = strchr(text, '\n');

    REQUIRE(!message->failed);
    REQUIRE((outcome == TLR_CLI_GO) == (message->length == 0));
    if (outcome == TLR_CLI_WRONG) { /* one line, whatever was typed */
        REQUIRE(line == NULL || line[1] == '\0');
    }
}

static void check_values(const struct values *values)
{
    REQUIRE(values->number == 0 ||
            (values->number >= 2 && values->number <= 1000));
    REQUIRE(values->seconds <= UINT64_C(1) << 40);
    REQUIRE(values->choice < 3);
    REQUIRE(values->string != NULL);
    REQUIRE(values->list.count <= WORDS_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    char *words[WORDS_MOST + 2];
    int count = words_of(text, words);
    struct tlr_cli_text message = {0};
    struct values values;
    enum tlr_cli_outcome outcome;

    memset(&values, 0, sizeof(values));
    values.list.items = values.items;
    values.list.capacity = WORDS_MOST;
    outcome = parse(&values, count, words, &message);
    check_message(outcome, &message);
    if (outcome == TLR_CLI_GO) {
        check_values(&values);
    }
    if (count > 2) {
        REQUIRE(tlr_cli_distance(words[1], words[2]) ==
                tlr_cli_distance(words[2], words[1]));
        (void)tlr_cli_suggest_rank(words[1], words[2]);
    }
    tlr_cli_text_free(&message);
    free(text);
    return 0;
}
