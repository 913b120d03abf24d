/* SPDX-License-Identifier: MIT */
/* Which of its addresses a run has reached: a name may have several. Pure. */
#ifndef TLR_LOAD_REACHED_H
#define TLR_LOAD_REACHED_H

#include "cli/text.h"
#include "run.h"

/* The first to which a connection was made; if there was none, that was tried. */
const struct sockaddr *tlr_load_reached_first(
    const struct tlr_load_result *result);

/* Appends all of these, "127.0.0.1:7007, [::1]:7007"; if there was none, all that
 * were tried. */
void tlr_load_reached_add(
    const struct tlr_load_result *result, struct tlr_cli_text *text);

#endif
