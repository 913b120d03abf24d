/* SPDX-License-Identifier: MIT */
/* See door.h. */
#include "door.h"

#include "tally.h"

int tlr_door_init(struct tlr_door *door, const struct tlr_allocator *allocator,
                  const struct tlr_options *options)
{
    int err = tlr_access_init(&door->access, allocator, options->access,
                              options->access_count);

    if (err != 0) {
        return err;
    }
    err = tlr_peers_init(&door->peers, allocator);
    if (err != 0) {
        tlr_access_close(&door->access, allocator);
        return err;
    }
    door->peers.prefix_ipv4 = options->peer_prefix_ipv4;
    door->peers.prefix_ipv6 = options->peer_prefix_ipv6;
    tlr_bucket_init(&door->bucket, options->accept_rate,
                    options->accept_burst);
    door->at_limit = options->at_limit;
    return 0;
}

void tlr_door_close(struct tlr_door *door,
                    const struct tlr_allocator *allocator)
{
    tlr_peers_close(&door->peers);
    tlr_access_close(&door->access, allocator);
}

/* ---- before accept() ------------------------------------------------ */

/* At a limit: it waits in the kernel's queue, or is to be accepted and closed. */
static enum tlr_admission at_limit(struct tlr_door *door,
                                   struct tlr_ticket *ticket,
                                   enum tlr_refusal why,
                                   _Atomic uint64_t *waited)
{
    ticket->worker = NULL;
    ticket->why = (uint8_t)why;
    if (door->at_limit == TLR_AT_LIMIT_CLOSE) {
        return TLR_ADMIT_ONE;
    }
    tlr_tally_add(waited, 1);
    if (why == TLR_REFUSED_LIMIT) {
        tlr_warnings_note(&door->warnings, TLR_WARNING_CONNECTIONS, 0);
        return TLR_ADMIT_NONE;
    }
    tlr_warnings_note(&door->warnings, TLR_WARNING_RATE, 0);
    return TLR_ADMIT_LATER;
}

enum tlr_admission tlr_door_admit(struct tlr_door *door,
                                  struct tlr_door_tally *tally,
                                  struct tlr_ticket *ticket, bool emptying)
{
    if (ticket->worker == NULL) {
        return at_limit(door, ticket, TLR_REFUSED_LIMIT,
                        &tally->waited_limit);
    }
    if (emptying || door->bucket.interval == 0) {
        return TLR_ADMIT_ONE;
    }
    ticket->wait = tlr_bucket_take(&door->bucket, uv_hrtime());
    if (ticket->wait > 0) {
        return at_limit(door, ticket, TLR_REFUSED_RATE, &tally->waited_rate);
    }
    ticket->token = true;
    return TLR_ADMIT_ONE;
}

void tlr_door_dismiss(struct tlr_door *door, const struct tlr_ticket *ticket)
{
    if (ticket->token) {
        tlr_bucket_give_back(&door->bucket);
    }
}

/* ---- after it ------------------------------------------------------- */

/* An address that is neither IPv4 nor IPv6 is nobody's: as IPv6's `::`. */
static struct tlr_number number_of(const struct sockaddr_storage *address)
{
    struct tlr_number number = {0, 0};

    (void)tlr_number_of((const struct sockaddr *)address, &number);
    return number;
}

/* Whoever does not come in takes nothing of the rate from those who do. */
static bool refuse(struct tlr_door *door, struct tlr_door_tally *tally,
                   const struct tlr_ticket *ticket, uv_os_sock_t sock,
                   enum tlr_refusal why)
{
    tlr_door_dismiss(door, ticket);
    tlr_tally_add(&tally->refused[why], 1);
    tlr_handoff_reset(sock); /* whoever sees that finds it counted */
    switch (why) {
    case TLR_REFUSED_PEER:
        tlr_warnings_note(&door->warnings, TLR_WARNING_PEER, 0);
        break;
    case TLR_REFUSED_LIMIT:
        tlr_warnings_note(&door->warnings, TLR_WARNING_CONNECTIONS, 0);
        break;
    case TLR_REFUSED_RATE:
        tlr_warnings_note(&door->warnings, TLR_WARNING_RATE, 0);
        break;
    case TLR_REFUSED_MEMORY:
        tlr_warnings_note(&door->warnings, TLR_WARNING_MEMORY, UV_ENOMEM);
        break;
    default: /* as was asked for: nobody has to be told */
        break;
    }
    return false;
}

bool tlr_door_enter(struct tlr_door *door, struct tlr_door_tally *tally,
                    const struct tlr_ticket *ticket, uv_os_sock_t sock,
                    const struct sockaddr_storage *address,
                    struct tlr_peer **peer)
{
    struct tlr_number number = number_of(address);
    int err;

    if (!tlr_access_allows(&door->access, number)) {
        return refuse(door, tally, ticket, sock, TLR_REFUSED_ACCESS);
    }
    if (ticket->worker == NULL) {
        return refuse(door, tally, ticket, sock,
                      (enum tlr_refusal)ticket->why);
    }
    err = tlr_peers_add(&door->peers, number, peer);
    if (err != 0) {
        return refuse(door, tally, ticket, sock,
                      err == UV_ENOMEM ? TLR_REFUSED_MEMORY
                                       : TLR_REFUSED_PEER);
    }
    return true;
}

int tlr_door_adopt(struct tlr_door *door,
                   const struct sockaddr_storage *address,
                   struct tlr_peer **peer)
{
    return tlr_peers_add(&door->peers, number_of(address), peer);
}

/* ---- what is counted ------------------------------------------------ */

void tlr_door_trouble(struct tlr_door *door, struct tlr_door_tally *tally,
                      enum tlr_accept_result result, int err)
{
    switch (result) {
    case TLR_ACCEPT_DESCRIPTORS:
        tlr_tally_add(&tally->out_of_descriptors, 1);
        tlr_warnings_note(&door->warnings, TLR_WARNING_DESCRIPTORS, err);
        break;
    case TLR_ACCEPT_MEMORY:
        tlr_tally_add(&tally->out_of_memory, 1);
        tlr_warnings_note(&door->warnings, TLR_WARNING_MEMORY, err);
        break;
    default:
        tlr_tally_add(&tally->accept_errors, 1);
        tlr_warnings_note(&door->warnings, TLR_WARNING_ACCEPT, err);
        break;
    }
}

void tlr_door_tally_read(const struct tlr_door_tally *tally,
                         struct tlr_counters *counters)
{
    uint64_t refused[TLR_REFUSALS] = {0};
    int i;

    for (i = 0; i < TLR_REFUSALS; i++) {
        refused[i] = tlr_tally_get(&tally->refused[i]);
        counters->refused += refused[i];
    }
    counters->refused_access += refused[TLR_REFUSED_ACCESS];
    counters->refused_peer += refused[TLR_REFUSED_PEER];
    counters->refused_limit += refused[TLR_REFUSED_LIMIT];
    counters->refused_rate += refused[TLR_REFUSED_RATE];
    counters->refused_memory += refused[TLR_REFUSED_MEMORY];
    counters->accept_errors += tlr_tally_get(&tally->accept_errors);
    counters->out_of_descriptors += tlr_tally_get(&tally->out_of_descriptors);
    counters->out_of_memory += tlr_tally_get(&tally->out_of_memory);
    counters->waited_limit += tlr_tally_get(&tally->waited_limit);
    counters->waited_rate += tlr_tally_get(&tally->waited_rate);
}
