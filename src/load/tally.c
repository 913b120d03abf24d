/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include <string.h>

const char *tlr_load_cause_name(enum tlr_load_cause cause)
{
    static const char *const names[TLR_LOAD_CAUSES] = {
        [TLR_LOAD_REFUSED] = "refused",
        [TLR_LOAD_UNCONNECTED] = "connect",
        [TLR_LOAD_RESET] = "reset",
        [TLR_LOAD_EARLY] = "closed_early",
        [TLR_LOAD_WRONG] = "wrong_byte",
        [TLR_LOAD_SURPLUS] = "too_many_bytes",
        [TLR_LOAD_TIMEOUT] = "timed_out",
        [TLR_LOAD_MACHINE] = "machine",
        [TLR_LOAD_OTHER] = "other",
    };
    return names[cause];
}

uint64_t tlr_load_tally_reached(size_t index)
{
    return UINT64_C(1) << (index < 63 ? index : 63);
}

void tlr_load_tally_init(struct tlr_load_tally *tally)
{
    memset(tally, 0, sizeof(*tally));
}

void tlr_load_tally_merge(
    struct tlr_load_tally *into, const struct tlr_load_tally *from)
{
    into->connected += from->connected;
    into->whole += from->whole;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
    into->bytes_verified += from->bytes_verified;
    into->unsent += from->unsent;
    into->reached |= from->reached;
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        into->errors[i] += from->errors[i];
    }
    if (from->last_byte_at > into->last_byte_at) {
        into->last_byte_at = from->last_byte_at;
    }
}

uint64_t tlr_load_tally_failed(const struct tlr_load_tally *tally)
{
    uint64_t failed = 0;
    for (unsigned i = 0; i < TLR_LOAD_CAUSES; i++) {
        failed += tally->errors[i];
    }
    return failed;
}
