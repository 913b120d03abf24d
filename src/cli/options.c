/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <string.h>

#include <uv.h>

#include "suggest.h"

/* Where the parser stands. */
struct parser {
    const struct tlr_cli_program *program;
    struct tlr_cli_text *message;
    int argc;
    char *const *argv;
    int next;           /* argument to look at next */
    bool only_operands; /* "--" was seen */
    size_t operands;    /* positional arguments seen */
    uint64_t seen;      /* bit i: option i was given */
};

static const struct tlr_cli_option *nearest(
    const struct tlr_cli_program *program, const char *word)
{
    const struct tlr_cli_option *best = NULL;
    size_t best_rank = SIZE_MAX;
    for (size_t i = 0; i < program->option_count; i++) {
        size_t rank = tlr_cli_suggest_rank(word, program->options[i].name);
        if (rank < best_rank) {
            best_rank = rank;
            best = &program->options[i];
        }
    }
    return best;
}

/* An error is one line, whatever the characters of the argument quoted. */
static enum tlr_cli_outcome wrong(struct parser *parser)
{
    struct tlr_cli_text *message = parser->message;
    for (size_t i = 0; i < message->length; i++) {
        if ((unsigned char)message->data[i] < ' ') {
            message->data[i] = '?';
        }
    }
    tlr_cli_text_add(message, "\n");
    return TLR_CLI_WRONG;
}

/* `arg` may carry a value behind "=", which is not quoted. */
static enum tlr_cli_outcome unknown(struct parser *parser, const char *arg)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="),
        arg); /* no option of ours is as long */
    const struct tlr_cli_option *meant = nearest(parser->program, name);
    tlr_cli_text_add(parser->message, "%s: unknown option %s",
        parser->program->name, name);
    if (meant != NULL) {
        tlr_cli_text_add(
            parser->message, "; did you mean %s?", meant->name);
    }
    tlr_cli_text_add(parser->message, " (--help lists them all)");
    return wrong(parser);
}

static enum tlr_cli_outcome apply(struct parser *parser,
    const struct tlr_cli_option *option, const char *value)
{
    struct tlr_cli_text complaint = {0};
    enum tlr_cli_outcome outcome = TLR_CLI_GO;
    if (option->apply(option, value, &complaint) != 0) {
        tlr_cli_text_add(parser->message, "%s: %s %s", parser->program->name,
            option->name, tlr_cli_text_line(&complaint));
        outcome = wrong(parser);
    }
    tlr_cli_text_free(&complaint);
    return outcome;
}

/* `value` is what followed "=", or NULL. */
static enum tlr_cli_outcome take_option(
    struct parser *parser, size_t index, const char *value)
{
    const struct tlr_cli_option *option = &parser->program->options[index];
    const char *program = parser->program->name;
    uint64_t bit = UINT64_C(1) << index;
    if ((parser->seen & bit) != 0 && !option->repeats) {
        tlr_cli_text_add(parser->message, "%s: %s is given twice; leave one",
            program, option->name);
        return wrong(parser);
    }
    parser->seen |= bit;
    if (option->argument == NULL && value != NULL) {
        tlr_cli_text_add(parser->message,
            "%s: %s takes no value; leave out \"=%s\"", program, option->name,
            value);
        return wrong(parser);
    }
    if (option->argument != NULL && value == NULL) {
        if (parser->next == parser->argc) {
            tlr_cli_text_add(parser->message,
                "%s: %s lacks its value: %s %s", program, option->name,
                option->name, option->argument);
            return wrong(parser);
        }
        value = parser->argv[parser->next++];
    }
    return apply(parser, option, value);
}

static bool is_named(const char *name, size_t length, const char *option)
{
    return strlen(option) == length && strncmp(name, option, length) == 0;
}

static enum tlr_cli_outcome take_named(struct parser *parser, const char *arg)
{
    const struct tlr_cli_program *program = parser->program;
    size_t length = strcspn(arg, "=");
    const char *value = arg[length] == '=' ? arg + length + 1 : NULL;
    for (size_t i = 0; i < program->option_count; i++) {
        if (is_named(arg, length, program->options[i].name)) {
            return take_option(parser, i, value);
        }
    }
    if (strcmp(arg, "--help") == 0) {
        tlr_cli_help(program, parser->message);
        return TLR_CLI_ASKED;
    }
    if (strcmp(arg, "--version") == 0) {
        tlr_cli_text_add(
            parser->message, "%s %s\n", program->name, program->version);
        return TLR_CLI_ASKED;
    }
    return unknown(parser, arg);
}

static enum tlr_cli_outcome take_operand(struct parser *parser, const char *arg)
{
    const struct tlr_cli_program *program = parser->program;
    size_t count = program->positional_count;
    size_t index = parser->operands;
    if (index >= count && count > 0 &&
        program->positionals[count - 1].repeats) {
        index = count - 1;
    }
    if (index >= count) {
        tlr_cli_text_add(parser->message,
            "%s: \"%s\" is one argument too many; leave it out", program->name,
            arg);
        return wrong(parser);
    }
    parser->operands++;
    return apply(parser, &program->positionals[index], arg);
}

static enum tlr_cli_outcome check_operands(struct parser *parser)
{
    const struct tlr_cli_program *program = parser->program;
    if (parser->operands >= program->positional_count ||
        program->positionals[parser->operands].optional) {
        return TLR_CLI_GO;
    }
    const struct tlr_cli_option *row = &program->positionals[parser->operands];
    tlr_cli_text_add(parser->message, "%s: %s is missing: %s (--help has more)",
        program->name, row->name, row->help);
    return wrong(parser);
}

static enum tlr_cli_outcome take_next(struct parser *parser)
{
    const char *arg = parser->argv[parser->next++];
    if (parser->only_operands || arg[0] != '-' || arg[1] == '\0') {
        return take_operand(parser, arg);
    }
    if (strcmp(arg, "--") == 0) {
        parser->only_operands = true;
        return TLR_CLI_GO;
    }
    return take_named(parser, arg);
}

enum tlr_cli_outcome tlr_cli_parse(const struct tlr_cli_program *program,
    int argc, char *const *argv, struct tlr_cli_text *message)
{
    struct parser parser = {
        .program = program,
        .message = message,
        .argc = argc,
        .argv = argv,
        .next = 1,
    };
    while (parser.next < argc) {
        enum tlr_cli_outcome outcome = take_next(&parser);
        if (outcome != TLR_CLI_GO) {
            return outcome;
        }
    }
    return check_operands(&parser);
}

bool tlr_cli_begin(const struct tlr_cli_program *program, int argc,
    char *const *argv, int *status)
{
    struct tlr_cli_text message = {0};
    enum tlr_cli_outcome outcome =
        tlr_cli_parse(program, argc, argv, &message);
    int err = outcome == TLR_CLI_WRONG
                  ? tlr_cli_text_print(&message, stderr)
                  : tlr_cli_text_output(&message, program->name);
    if (outcome == TLR_CLI_WRONG && err == UV_ENOMEM) {
        (void)fprintf(stderr, "%s: out of memory\n", program->name);
    }
    tlr_cli_text_free(&message);
    if (outcome == TLR_CLI_WRONG) {
        *status = TLR_CLI_STATUS_USAGE;
    } else {
        *status = err == 0 ? TLR_CLI_STATUS_OK : TLR_CLI_STATUS_FAILURE;
    }
    return outcome == TLR_CLI_GO && err == 0;
}
