/* SPDX-License-Identifier: MIT */
/*
 * TLR_CHECK(condition): a contract that stays on in release builds: thread
 * affinity, allowed state transitions, failures of libuv that cannot happen.
 * Never for what a peer, the system or a user can cause. One line on stderr,
 * then abort(), as assert() does.
 */
#ifndef TLR_CHECK_H
#define TLR_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define TLR_CHECK(condition)                                                   \
    ((condition) ? (void)0                                                     \
                 : tlr_check_failed(#condition, __FILE__, __LINE__))

static inline void tlr_check_failed(const char *condition, const char *file,
                                    int line)
{
    fprintf(stderr, "teller: %s:%d: broken contract: %s\n", file, line,
            condition);
    abort();
}

#endif
