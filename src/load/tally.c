/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include <string.h>

const char *tlr_load_cause_name(enum tlr_load_cause cause)
{
    static const char *const names[TLR_LOAD_CAUSES] = {
        [TLR_LOAD_CONNECT] = "connect",
        [TLR_LOAD_RESET] = "reset",
        [TLR_LOAD_MISSING] = "missing",
        [TLR_LOAD_WRONG] = "wrong",
        [TLR_LOAD_SURPLUS] = "surplus",
        [TLR_LOAD_TIMEOUT] = "timeout",
        [TLR_LOAD_OTHER] = "other",
    };
    return names[cause];
}

void tlr_load_tally_init(struct tlr_load_tally *tally)
{
    memset(tally, 0, sizeof(*tally));
    tlr_load_histogram_init(&tally->latency);
}

void tlr_load_tally_merge(
    struct tlr_load_tally *into, const struct tlr_load_tally *from)
{
    into->connected += from->connected;
    into->whole += from->whole;
    into->round_trips += from->round_trips;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
    into->bytes_verified += from->bytes_verified;
    into->refused += from->refused;
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        into->errors[i] += from->errors[i];
    }
    if (from->last_byte_at > into->last_byte_at) {
        into->last_byte_at = from->last_byte_at;
    }
    tlr_load_histogram_merge(&into->latency, &from->latency);
}

uint64_t tlr_load_tally_failed(const struct tlr_load_tally *tally)
{
    uint64_t failed = 0;
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        failed += tally->errors[i];
    }
    return failed;
}
