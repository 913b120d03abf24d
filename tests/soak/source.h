/* SPDX-License-Identifier: MIT */
/* Contract of source_unix.c and source_win.c. */
#ifndef TLR_TESTS_SOURCE_H
#define TLR_TESTS_SOURCE_H

#include <uv.h>

/*
 * Has `tcp`, which was made for the family of `source`, connect from there. The
 * port is chosen when it connects, where the system can do that: then it has to
 * differ from those with the same target only, and many thousands of sockets
 * get theirs without a search (100,000 took 60 s with the search).
 * Returns 0 or an error.
 */
int source_bind(uv_tcp_t *tcp, const struct sockaddr *source);

#endif
