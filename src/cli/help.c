/* SPDX-License-Identifier: MIT */
/* The text of --help, from the option table: see options.h. */
#include <string.h>

#include "options.h"

enum { WIDTH = 79 };

static const struct tlr_cli_option built_in[] = {
    {.name = "--version", .help = "print the version and leave"},
    {.name = "--help", .help = "print this and leave; -h does, too"},
};

enum { BUILT_IN = sizeof(built_in) / sizeof(built_in[0]) };

static size_t term_length(const struct tlr_cli_option *option)
{
    return strlen(option->name) +
           (option->argument == NULL ? 0 : 1 + strlen(option->argument));
}

static size_t longest_term(
    const struct tlr_cli_option *options, size_t count, size_t longest)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = term_length(&options[i]);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* Appends words, starting at `column` and going on at `indent` in new lines. */
static void add_wrapped(struct tlr_cli_text *text, const char *words,
    size_t column, size_t indent)
{
    bool first = true;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (!first && column + 1 + length > WIDTH) {
            tlr_cli_text_add(text, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            tlr_cli_text_add(text, " ");
            column++;
        }
        tlr_cli_text_add(text, "%.*s", (int)length, words);
        column += length;
        words += length;
        words += strspn(words, " ");
        first = false;
    }
    tlr_cli_text_add(text, "\n");
}

static void add_rows(struct tlr_cli_text *text,
    const struct tlr_cli_option *options, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        const struct tlr_cli_option *option = &options[i];
        tlr_cli_text_add(text, "  %s%s%s%*s", option->name,
            option->argument == NULL ? "" : " ",
            option->argument == NULL ? "" : option->argument,
            (int)(width - term_length(option) + 2), "");
        add_wrapped(text, option->help, width + 4, width + 4);
    }
}

static void add_usage(
    const struct tlr_cli_program *program, struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "usage: %s", program->name);
    for (size_t i = 0; i < program->positional_count; i++) {
        const struct tlr_cli_option *row = &program->positionals[i];
        tlr_cli_text_add(text, row->optional ? " [%s]%s" : " %s%s", row->name,
            row->repeats ? "..." : "");
    }
    tlr_cli_text_add(text, " [OPTION]...\n\n");
}

void tlr_cli_help(
    const struct tlr_cli_program *program, struct tlr_cli_text *text)
{
    size_t width = longest_term(built_in, BUILT_IN, 0);
    width = longest_term(program->options, program->option_count, width);
    width = longest_term(
        program->positionals, program->positional_count, width);

    add_usage(program, text);
    add_wrapped(text, program->summary, 0, 0);
    tlr_cli_text_add(text, "\n");
    add_rows(text, program->positionals, program->positional_count, width);
    add_rows(text, program->options, program->option_count, width);
    add_rows(text, built_in, BUILT_IN, width);
    if (program->notes != NULL) {
        tlr_cli_text_add(text, "\n%s\n", program->notes);
    }
}
