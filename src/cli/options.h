/* SPDX-License-Identifier: MIT */
/*
 * Options of a program as a table, one row each. The table drives parsing, the
 * error lines and --help, so that none of them can disagree.
 *
 *     bool json = false;
 *     uint64_t loops = 1;
 *     const struct tlr_cli_option options[] = {
 *         {.name = "--loops", .argument = "N", .help = "threads",
 *             .apply = tlr_cli_apply_number, .target = &loops, .max = 1024},
 *         {.name = "--json", .help = "one JSON object as the result",
 *             .apply = tlr_cli_apply_flag, .target = &json},
 *     };
 *
 * Accepted: `--name value`, `--name=value`, `--` as the end of the options,
 * and options after positional arguments. No abbreviations: a script that
 * uses one would break when an option is added. --help and --version are there
 * without a row. Everything belongs to the caller; values are borrowed from
 * argv.
 */
#ifndef TLR_CLI_OPTIONS_H
#define TLR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* What a program ends with. */
enum tlr_cli_status {
    TLR_CLI_STATUS_OK = 0,
    TLR_CLI_STATUS_FAILURE = 1,
    TLR_CLI_STATUS_USAGE = 2
};

struct tlr_cli_option;

/*
 * Takes an option's value (NULL for a flag). Returns 0, or UV_EINVAL after
 * saying in `complaint` what it wants, to be read after the option's name:
 * `wants a whole number from 0 to 1024, not "x"`.
 */
typedef int (*tlr_cli_apply_cb)(const struct tlr_cli_option *option,
    const char *value, struct tlr_cli_text *complaint);

struct tlr_cli_option {
    const char *name;     /* "--listen"; of a positional: "ADDRESS" */
    const char *argument; /* placeholder in the help; NULL: a flag */
    const char *help;     /* wrapped where it is printed */
    tlr_cli_apply_cb apply;
    void *target; /* what apply writes to */
    uint64_t min; /* for numbers, sizes (bytes) and times (ms) */
    uint64_t max;
    const char *const *choices; /* NULL-terminated */
    bool repeats;               /* may be given more than once */
    bool optional;              /* of a positional: may be left out */
};

struct tlr_cli_program {
    const char *name;    /* "teller-echo" */
    const char *version; /* "0.1.0" */
    const char *summary; /* a sentence or two at the top of the help */
    const char *notes;   /* at its end, printed as it is; or NULL */
    const struct tlr_cli_option *options;
    size_t option_count;                      /* up to 64 */
    const struct tlr_cli_option *positionals; /* only the last may repeat */
    size_t positional_count;
};

/* What to do after parsing. */
enum tlr_cli_outcome {
    TLR_CLI_GO,    /* run */
    TLR_CLI_ASKED, /* message is the help or the version: stdout, status 0 */
    TLR_CLI_WRONG  /* message is one line of error: stderr, status 2 */
};

/* Applies argv[1] to argv[argc - 1] to the tables of `program`. */
enum tlr_cli_outcome tlr_cli_parse(const struct tlr_cli_program *program,
    int argc, char *const *argv, struct tlr_cli_text *message);

/* Parses, and prints the message where it belongs. True: go on. False: leave
 * with *status. */
bool tlr_cli_begin(const struct tlr_cli_program *program, int argc,
    char *const *argv, int *status);

/* Appends the text of --help. */
void tlr_cli_help(
    const struct tlr_cli_program *program, struct tlr_cli_text *text);

/* Ready-made rows' `apply`, with what `target` points to. */
int tlr_cli_apply_flag(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* bool, becomes true */
int tlr_cli_apply_number(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* uint64_t, from min to max */
int tlr_cli_apply_size(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* uint64_t, bytes from min to max */
int tlr_cli_apply_seconds(const struct tlr_cli_option *option,
    const char *value,
    struct tlr_cli_text *complaint); /* uint64_t, ms from min to max */
int tlr_cli_apply_choice(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* unsigned, the index in choices */
int tlr_cli_apply_string(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* const char *, not empty */

/* Collects a repeated option's values, in their order. */
struct tlr_cli_list {
    const char **items; /* the caller's, e.g. an array of argc of them */
    size_t count;
    size_t capacity;
};
int tlr_cli_apply_list(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint); /* struct tlr_cli_list */

#endif
