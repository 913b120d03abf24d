/* SPDX-License-Identifier: MIT */
/*
 * Outbound connections: what tlr_connect() and tlr_connect_name() do on the
 * worker's thread, and how an answer of the program's resolver gets there.
 */
#ifndef TLR_CONNECT_H
#define TLR_CONNECT_H

#include "conns.h"

/* An answer; allocated by the server's allocator, and released with it. */
struct tlr_resolution {
    int status;
    size_t count;
    struct sockaddr_storage addresses[];
};

/* UV_EINVAL, UV_ENOMEM: as for tlr_resolved(). Any thread. */
int tlr_resolution_create(struct tlr_resolution **resolution,
                          const struct tlr_allocator *allocator, int status,
                          const struct sockaddr_storage *addresses,
                          size_t count);

/* Takes the resolution. conn: NULL: it has gone. */
void tlr_resolution_arrived(struct tlr_conns *conns, struct tlr_conn *conn,
                            struct tlr_resolution *resolution);

/* tlr_connect() and tlr_connect_name(). */
int tlr_conn_connect(struct tlr_conns *conns, const struct sockaddr *address,
                     const struct tlr_handler *handler,
                     struct tlr_conn **conn);
int tlr_conn_connect_name(struct tlr_conns *conns, const char *node,
                          const char *service,
                          const struct tlr_handler *handler,
                          struct tlr_conn **conn);

#endif
