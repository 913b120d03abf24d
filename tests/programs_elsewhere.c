/* SPDX-License-Identifier: MIT */
/* Where other processes cannot be looked into: see programs.h. */
#include "programs.h"

unsigned programs_count_descriptors(const struct program *program)
{
    (void)program;
    return 0;
}

unsigned programs_count_children(const struct program *program)
{
    (void)program;
    return 0;
}

void programs_limit_descriptors(const struct program *program, unsigned count)
{
    (void)program;
    (void)count;
}

double programs_cpu_seconds(const struct program *program)
{
    (void)program;
    return 0;
}

bool programs_have_reuseport(void)
{
    return false;
}
