/* SPDX-License-Identifier: MIT */
/* From --listen to listening sockets, with words for what goes wrong. */
#ifndef TLR_ECHO_LISTEN_H
#define TLR_ECHO_LISTEN_H

#include "cli/text.h"
#include "core/teller.h"

/*
 * Listens on all that the texts stand for: a name may have several addresses,
 * and of these one that this machine lacks is passed over. [::] is for IPv6 only
 * where they have IPv4 with the same port. Returns 0 or the error, for which
 * `complaint` gets a line that says how to mend it.
 */
int tlr_echo_listen(struct tlr_server *server, const char *const *texts,
                    size_t count, struct tlr_cli_text *complaint);

#endif
