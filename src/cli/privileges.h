/* SPDX-License-Identifier: MIT */
/* Giving up root, for programs that were started with it. */
#ifndef TLR_CLI_PRIVILEGES_H
#define TLR_CLI_PRIVILEGES_H

#include "text.h"

/*
 * Becomes the user of "NAME" with all of its groups, or of "NAME:GROUP" with
 * that group alone (names or numbers), for good: the groups, the group and the
 * user in this order, none to come back to, no program that is executed may gain
 * any (Linux), and no core dump that had other people's data in it. Call it when
 * the sockets are bound and before there are threads. Returns 0, or an error
 * with words; then the process may be halfway, and has to end. UV_ENOTSUP:
 * Windows.
 */
int tlr_cli_become(const char *user, struct tlr_cli_text *complaint);

#endif
