/* SPDX-License-Identifier: MIT */
/* Rows of option tables (cli/options.h) that teller-load has in several of them;
 * each takes what the option writes to. */
#ifndef TLR_LOAD_OPTION_ROWS_H
#define TLR_LOAD_OPTION_ROWS_H

#include "cli/options.h"

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
        .apply = tlr_cli_apply_string, .target = (to)                          \
    }

/* To a bool. */
#define TLR_LOAD_OPTION_QUIET(to)                                              \
    {                                                                          \
        .name = "--quiet",                                                     \
        .help = "print errors only (and what other options ask for)",          \
        .apply = tlr_cli_apply_flag, .target = (to)                            \
    }

#endif
