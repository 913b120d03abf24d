/* SPDX-License-Identifier: MIT */
/* See budget.h. */
#include "budget.h"

#define DEFAULT_PART 8   /* of the memory there is */
#define ALL_GRAINS 16    /* the part of the limit that the sum may be wrong by */

/* 0: it is not known. */
static uint64_t memory_of_process(void)
{
    uint64_t total = uv_get_total_memory();
    uint64_t constrained = uv_get_constrained_memory(); /* 0: not known, or no */

    return constrained != 0 && (total == 0 || constrained < total)
               ? constrained
               : total;
}

static uint64_t limit_of(size_t limit)
{
    uint64_t memory;

    if (limit != 0) {
        return limit == SIZE_MAX ? UINT64_MAX : limit;
    }
    memory = memory_of_process() / DEFAULT_PART;
    return memory == 0 ? UINT64_MAX : memory;
}

void tlr_budget_init(struct tlr_budget *budget, size_t limit, unsigned loops)
{
    budget->limit = limit_of(limit);
    budget->grain = budget->limit / ALL_GRAINS / loops;
    if (budget->grain == 0) {
        budget->grain = 1;
    }
}

static bool is_worth_telling(const struct tlr_budget *budget,
                             const struct tlr_spending *spending)
{
    uint64_t change = spending->bytes > spending->told_bytes
                          ? spending->bytes - spending->told_bytes
                          : spending->told_bytes - spending->bytes;

    return change >= budget->grain;
}

void tlr_budget_update(struct tlr_budget *budget,
                       struct tlr_spending *spending, uint64_t bytes,
                       uint64_t holders)
{
    spending->bytes = bytes;
    spending->holders = holders;
    if (is_worth_telling(budget, spending) ||
        (holders == 0 && spending->told_holders != 0)) {
        (void)atomic_fetch_add(&budget->bytes,
                               bytes - spending->told_bytes);
        (void)atomic_fetch_add(&budget->holders,
                               holders - spending->told_holders);
        spending->told_bytes = bytes;
        spending->told_holders = holders;
    }
}

bool tlr_budget_allows(struct tlr_budget *budget,
                       const struct tlr_spending *spending, uint64_t held,
                       uint64_t more)
{
    uint64_t bytes = atomic_load(&budget->bytes) + spending->bytes -
                     spending->told_bytes + more;
    uint64_t holders;

    if (bytes <= budget->limit) {
        return true;
    }
    if (bytes / 2 > budget->limit) {
        return false;
    }
    holders = atomic_load(&budget->holders) + spending->holders -
              spending->told_holders + (held == 0);
    return held + more <= budget->limit / (holders == 0 ? 1 : holders);
}
