/* SPDX-License-Identifier: MIT */
/* What the server does with a connection: it sends back what comes. */
#ifndef TLR_ECHO_ECHO_H
#define TLR_ECHO_ECHO_H

#include "core/teller.h"

/* The functions have no state: any number of servers may share them. */
void tlr_echo_handler(struct tlr_handler *handler);

#endif
