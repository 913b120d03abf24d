/* SPDX-License-Identifier: MIT */
/*
 * Who may come in: networks that may and networks that may not, and of those
 * that an address is within the smallest decides.
 *
 * Part of a server's door. Made when the server is created, does not change
 * after that, and so any thread may look.
 */
#ifndef TLR_ACCESS_H
#define TLR_ACCESS_H

#include <stdbool.h>

#include "memory.h"

/* An address as a number; IPv4 as ::ffff:a.b.c.d, which it is on IPv6 sockets. */
struct tlr_number {
    uint64_t high;
    uint64_t low;
};

/* From here to where the next one begins it is so. */
struct tlr_access_span {
    struct tlr_number first;
    bool allow;
};

struct tlr_access {
    struct tlr_access_span *spans; /* in order, the first from 0 on */
    size_t count;                  /* 0: everybody may */
};

/* Fills in one that is all zeroes. Borrows nothing. UV_ENOMEM. */
int tlr_access_init(struct tlr_access *access,
                    const struct tlr_allocator *allocator,
                    const struct tlr_access_rule *rules, size_t count);

void tlr_access_close(struct tlr_access *access,
                      const struct tlr_allocator *allocator);

bool tlr_access_allows(const struct tlr_access *access,
                       struct tlr_number address);

/* False: neither IPv4 nor IPv6. */
bool tlr_number_of(const struct sockaddr *address, struct tlr_number *number);

/* Whether that is IPv4. */
bool tlr_number_is_ipv4(struct tlr_number number);

/* The bits from number `prefix` on (0 to 128, of all 128) set to 0. */
struct tlr_number tlr_number_network(struct tlr_number number,
                                     unsigned prefix);

#endif
