/* SPDX-License-Identifier: MIT */
/*
 * Addresses as people write them, and back: 127.0.0.1:7007, [::1]:7007,
 * localhost:7007, 7007 or :7007 (on the program's default host), *:7007 (every
 * address of the machine).
 */
#ifndef TLR_CLI_ADDRESS_H
#define TLR_CLI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "text.h"

enum { TLR_CLI_ADDRESS_LENGTH = 96 };

struct tlr_cli_addresses {
    struct sockaddr_storage *items; /* IPv4 and IPv6 only */
    size_t count;
    /* It was "*": items holds [::] alone, which is meant to take IPv4 too.
     * Where IPv6 is missing (UV_EAFNOSUPPORT), 0.0.0.0 is what is left. */
    bool every;
};

/*
 * Gives every address that `text` stands for, in the resolver's order; a name
 * is looked up, which blocks. A bare port is on `default_host`, e.g.
 * "127.0.0.1".
 * Returns 0 (release `addresses` with tlr_cli_addresses_free), UV_EINVAL if
 * `text` is no address, UV_ENOMEM, or the resolver's error. On an error
 * `complaint` gets what is wrong and what to do, without a full stop:
 * `"7007x" is no port; write HOST:PORT with a port up to 65535`.
 */
int tlr_cli_resolve(const char *text, const char *default_host,
    struct tlr_cli_addresses *addresses, struct tlr_cli_text *complaint);

void tlr_cli_addresses_free(struct tlr_cli_addresses *addresses);

/* Writes `address` as 127.0.0.1:7007 or [::1]:7007 and returns `text`. */
const char *tlr_cli_format_address(
    const struct sockaddr *address, char text[TLR_CLI_ADDRESS_LENGTH]);

/* The port of an IPv4 or IPv6 address, 0 of any other. */
unsigned tlr_cli_port(const struct sockaddr *address);

#endif
