/* SPDX-License-Identifier: MIT */
#include "problems.h"

#include <stdio.h>
#include <string.h>

const char *tlr_load_problem_bytes(uint64_t count)
{
    return count == 1 ? "byte" : "bytes";
}

int tlr_load_problems_init(struct tlr_load_problems *problems)
{
    problems->added = 0;
    problems->taken = 0;
    return uv_mutex_init(&problems->lock);
}

void tlr_load_problems_close(struct tlr_load_problems *problems)
{
    uv_mutex_destroy(&problems->lock);
}

bool tlr_load_problems_add(struct tlr_load_problems *problems, const char *line)
{
    uv_mutex_lock(&problems->lock);
    bool room = problems->added < TLR_LOAD_PROBLEMS;
    if (room) {
        /* A line that is too long is cut off, which a reader survives. */
        (void)snprintf(problems->lines[problems->added],
            TLR_LOAD_PROBLEM_LENGTH, "%s", line);
        problems->added++;
    }
    uv_mutex_unlock(&problems->lock);
    return room;
}

bool tlr_load_problems_take(
    struct tlr_load_problems *problems, char line[TLR_LOAD_PROBLEM_LENGTH])
{
    uv_mutex_lock(&problems->lock);
    bool some = problems->taken < problems->added;
    if (some) {
        memcpy(line, problems->lines[problems->taken], TLR_LOAD_PROBLEM_LENGTH);
        problems->taken++;
    }
    uv_mutex_unlock(&problems->lock);
    return some;
}
