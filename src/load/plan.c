/* SPDX-License-Identifier: MIT */
#include "plan.h"

const char *tlr_load_mode_name(enum tlr_load_mode mode)
{
    static const char *const names[TLR_LOAD_MODES] = {
        [TLR_LOAD_ECHO] = "echo",
        [TLR_LOAD_STREAM] = "stream",
        [TLR_LOAD_CHURN] = "connect",
        [TLR_LOAD_IDLE] = "idle",
        [TLR_LOAD_HALF_CLOSE] = "half-close",
        [TLR_LOAD_SLOW] = "slow",
        [TLR_LOAD_HELLO] = "hello",
    };
    return names[mode];
}

bool tlr_load_plan_reopens(const struct tlr_load_plan *plan)
{
    return plan->session != 0 || tlr_load_plan_dials_late(plan) ||
           plan->mode == TLR_LOAD_HALF_CLOSE;
}

bool tlr_load_plan_dials_late(const struct tlr_load_plan *plan)
{
    return plan->mode == TLR_LOAD_CHURN || plan->mode == TLR_LOAD_HELLO;
}

uint64_t tlr_load_plan_size(
    const struct tlr_load_plan *plan, uint32_t connection, uint64_t message)
{
    return plan->sizes == NULL
               ? plan->size
               : tlr_load_sizes_of(plan->sizes, connection, message);
}

const char *tlr_load_plan_sizes(
    const struct tlr_load_plan *plan, char text[TLR_LOAD_SIZES_TEXT])
{
    const struct tlr_load_sizes one = {
        .count = 1, .rows = {{.low = plan->size, .high = plan->size}}};
    return tlr_load_sizes_format(
        plan->sizes == NULL ? &one : plan->sizes, text);
}
