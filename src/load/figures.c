/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <stddef.h>
#include <string.h>

const struct tlr_load_percentile
    tlr_load_named_percentiles[TLR_LOAD_NAMED_PERCENTILES] = {
        {50, "p50", "p50", true},
        {75, "p75", "p75", false},
        {90, "p90", "p90", true},
        {99, "p99", "p99", true},
        {99.9, "p99.9", "p99_9", true},
        {99.99, "p99.99", "p99_99", true},
};

const char *tlr_load_measure_name(enum tlr_load_measure measure)
{
    static const char *const names[TLR_LOAD_MEASURES] = {
        [TLR_LOAD_ROUND_TRIP] = "round_trip",
        [TLR_LOAD_CONNECTING] = "connect",
        [TLR_LOAD_FIRST_BYTE] = "first_byte",
        [TLR_LOAD_LATENESS] = "lateness",
        [TLR_LOAD_THINKING] = "think",
    };
    return names[measure];
}

void tlr_load_figures_init(struct tlr_load_figures *figures)
{
    memset(figures, 0, offsetof(struct tlr_load_figures, latency));
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        tlr_load_histogram_init(&figures->latency[i]);
    }
}

void tlr_load_figures_clear(struct tlr_load_figures *figures)
{
    memset(figures, 0, offsetof(struct tlr_load_figures, latency));
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        tlr_load_histogram_clear(&figures->latency[i]);
    }
}

void tlr_load_figures_add(struct tlr_load_figures *into,
    const struct tlr_load_figures *from)
{
    into->round_trips += from->round_trips;
    into->sessions += from->sessions;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
    into->bytes_verified += from->bytes_verified;
    into->errors += from->errors;
    into->open += from->open;
    tlr_load_done_add(&into->in_time, &from->in_time);
    into->busy_ns += from->busy_ns;
    into->elapsed_ns += from->elapsed_ns;
    for (unsigned i = 0; i < TLR_LOAD_MEASURES; i++) {
        tlr_load_histogram_merge(&into->latency[i], &from->latency[i]);
    }
}

void tlr_load_done_add(
    struct tlr_load_done *into, const struct tlr_load_done *from)
{
    into->round_trips += from->round_trips;
    into->sessions += from->sessions;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
}

void tlr_load_figures_were_in_time(struct tlr_load_figures *figures)
{
    figures->in_time.round_trips = figures->round_trips;
    figures->in_time.sessions = figures->sessions;
    figures->in_time.bytes_sent = figures->bytes_sent;
    figures->in_time.bytes_received = figures->bytes_received;
}

double tlr_load_figures_busy(const struct tlr_load_figures *figures)
{
    return figures->elapsed_ns == 0
               ? 0
               : (double)figures->busy_ns / (double)figures->elapsed_ns;
}
