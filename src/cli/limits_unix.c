/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <sys/resource.h>

uint64_t tlr_cli_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return UINT64_MAX;
    }
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    /* macOS refuses "no limit" here: what was in force stays. */
    if (limit.rlim_cur != limit.rlim_max &&
        setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
