/* SPDX-License-Identifier: MIT */
#include "rates.h"

double tlr_load_rate(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

struct tlr_load_rates tlr_load_rates_in(
    const struct tlr_load_done *done, double seconds)
{
    struct tlr_load_rates rates = {
        .round_trips = tlr_load_rate(done->round_trips, seconds),
        .sessions = tlr_load_rate(done->sessions, seconds),
        .bytes_sent = tlr_load_rate(done->bytes_sent, seconds),
        .bytes_received = tlr_load_rate(done->bytes_received, seconds),
    };
    return rates;
}

struct tlr_load_rates tlr_load_rates_of(const struct tlr_load_result *result)
{
    return tlr_load_rates_in(&result->figures->in_time, result->seconds);
}

double tlr_load_interval_seconds(const struct tlr_load_result *result,
    const struct tlr_load_interval *interval)
{
    double left = result->seconds - interval->from;
    return left > 0 && left < interval->seconds ? left : interval->seconds;
}

double tlr_load_rates_main(const struct tlr_load_rates *rates,
    const struct tlr_load_plan *plan)
{
    if (tlr_load_plan_dials_late(plan)) {
        return rates->sessions;
    }
    return plan->mode == TLR_LOAD_STREAM ? rates->bytes_received
                                         : rates->round_trips;
}
