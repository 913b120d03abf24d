/* SPDX-License-Identifier: MIT */
/*
 * What must hold in the programs, in release builds too: a mistake of ours ends
 * the program where it happens. A peer, the system or a user never causes one.
 */
#ifndef TLR_CLI_CHECK_H
#define TLR_CLI_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define TLR_CLI_CHECK(condition)                                               \
    do {                                                                       \
        if (!(condition)) {                                                    \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,      \
                __LINE__, #condition);                                         \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
