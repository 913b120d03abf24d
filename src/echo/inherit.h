/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that others have opened: a teller-echo before this one, and
 * systemd. With words for what goes wrong.
 */
#ifndef TLR_ECHO_INHERIT_H
#define TLR_ECHO_INHERIT_H

#include "cli/systemd.h"
#include "cli/text.h"
#include "core/teller.h"

/*
 * Takes over from whoever offers at `path`, and offers there from the start on.
 * *pid: of the other one, 0 if nobody is there. `drain`: how long this one's
 * connections may take once it is taken over itself, in milliseconds.
 */
int tlr_echo_take_over(struct tlr_server *server, const char *path,
                       int64_t *pid, struct tlr_cli_text *complaint);
int tlr_echo_offer(struct tlr_server *server, const char *path,
                   uint64_t drain,
                   void (*taken)(struct tlr_server *server, int64_t pid),
                   struct tlr_cli_text *complaint);

/* Listens on systemd's sockets, but for addresses that have been taken over. */
int tlr_echo_listen_inherited(struct tlr_server *server,
                              const struct tlr_cli_systemd *systemd,
                              struct tlr_cli_text *complaint);

#endif
