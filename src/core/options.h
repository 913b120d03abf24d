/* SPDX-License-Identifier: MIT */
/* The options of a server, checked and with the defaults filled in. */
#ifndef TLR_OPTIONS_H
#define TLR_OPTIONS_H

#include "teller.h"

/* UV_EINVAL, UV_ENOTSUP: as for tlr_server_create(). */
int tlr_options_read(const struct tlr_options *from, struct tlr_options *to);

/*
 * UV_EINVAL: a callback is missing that is required; UV_E2BIG: there are some
 * that we do not know, since the program was compiled for a later version.
 */
int tlr_options_check_handler(const struct tlr_handler *handler);

/* How many workers they ask for. */
unsigned tlr_options_workers(const struct tlr_options *options);

#endif
