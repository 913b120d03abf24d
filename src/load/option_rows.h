/* SPDX-License-Identifier: MIT */
/* Rows of option tables (cli/options.h) that teller-load has in several of them;
 * each takes what the option writes to. */
#ifndef TLR_LOAD_OPTION_ROWS_H
#define TLR_LOAD_OPTION_ROWS_H

#include "cli/options.h"

/* target: const char *, which borrows the argument: the name of a file to write,
 * and not "-", which other programs take for standard output. */
int tlr_load_apply_file(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint);

/* To a bool. */
#define TLR_LOAD_OPTION_JSON(to)                                               \
    {                                                                          \
        .name = "--json", .help = "print the result as one JSON object",       \
        .apply = tlr_cli_apply_flag, .target = (to)                            \
    }

/* To a const char *. */
#define TLR_LOAD_OPTION_HISTOGRAM(to)                                          \
    {                                                                          \
        .name = "--histogram", .argument = "FILE",                             \
        .help = "write the percentiles of the latency (HdrHistogram's text, "  \
                "in milliseconds)",                                            \
        .apply = tlr_load_apply_file, .target = (to)                           \
    }

/* To a bool. */
#define TLR_LOAD_OPTION_QUIET(to)                                              \
    {                                                                          \
        .name = "--quiet",                                                     \
        .help = "print errors only (and what other options ask for)",          \
        .apply = tlr_cli_apply_flag, .target = (to)                            \
    }

#endif
