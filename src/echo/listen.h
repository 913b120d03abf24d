/* SPDX-License-Identifier: MIT */
/* From --listen to listening sockets, with words for what goes wrong. */
#ifndef TLR_ECHO_LISTEN_H
#define TLR_ECHO_LISTEN_H

#include "cli/text.h"
#include "core/teller.h"

/*
 * Listens on all that `text` stands for: a name may have several addresses,
 * and of these one that this machine lacks is passed over. Returns 0 or the
 * error, for which `complaint` gets a line that says how to mend it.
 */
int tlr_echo_listen(struct tlr_server *server, const char *text,
                    struct tlr_cli_text *complaint);

#endif
