/* SPDX-License-Identifier: MIT */
#include "schedule.h"

static uint64_t time_of(
    const struct tlr_load_schedule *schedule, uint64_t message)
{
    return schedule->begin +
           (uint64_t)((double)message * schedule->interval);
}

void tlr_load_schedule_init(struct tlr_load_schedule *schedule, double rate,
    uint32_t connections, uint32_t slots, uint32_t index, uint32_t loops,
    uint64_t now)
{
    double share = rate * slots / connections;
    schedule->interval = 1e9 / share;
    schedule->begin =
        now + (uint64_t)(schedule->interval * index / loops);
    schedule->issued = 0;
    schedule->slots = slots;
}

uint64_t tlr_load_schedule_due(const struct tlr_load_schedule *schedule,
    uint32_t slot, uint64_t message)
{
    return time_of(schedule, message * schedule->slots + slot);
}

uint64_t tlr_load_schedule_due_by(const struct tlr_load_schedule *schedule,
    uint32_t slot, uint64_t now)
{
    if (schedule->slots == 0 || now < schedule->begin) {
        return 0;
    }
    uint64_t last =
        (uint64_t)((double)(now - schedule->begin) / schedule->interval);
    if (time_of(schedule, last) > now) { /* rounded up */
        last--;
    }
    return last < slot ? 0 : (last - slot) / schedule->slots + 1;
}

uint64_t tlr_load_schedule_next_at(const struct tlr_load_schedule *schedule)
{
    return time_of(schedule, schedule->issued);
}

bool tlr_load_schedule_next(struct tlr_load_schedule *schedule, uint64_t now,
    uint32_t *slot, uint64_t *due)
{
    *due = tlr_load_schedule_next_at(schedule);
    if (*due > now) {
        return false;
    }
    *slot = (uint32_t)(schedule->issued % schedule->slots);
    schedule->issued++;
    return true;
}
