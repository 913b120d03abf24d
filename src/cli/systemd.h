/* SPDX-License-Identifier: MIT */
/*
 * What a service manager such as systemd says by the environment, and is told:
 * sockets that it has opened, readiness, and that the program is alive. Without
 * a library, by what sd_listen_fds(3) and sd_notify(3) say of the protocol.
 *
 * For programs. The variables are removed once read, so that no child takes them
 * for its own: read them first thing in main(), before there are threads. Where
 * there is no such manager nothing is said, and nothing happens.
 */
#ifndef TLR_CLI_SYSTEMD_H
#define TLR_CLI_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "text.h"

struct tlr_cli_systemd {
    unsigned sockets;  /* LISTEN_FDS, if they are for this process */
    uint64_t watchdog; /* milliseconds in which it wants a sign; 0: none */
    char notify[108];  /* where; "": nowhere. '@' first: an abstract name */
    uv_os_sock_t sock; /* notices go by it; ours, open unless `notify` is "" */
};

/*
 * Reads the environment, and opens the socket for notices, which is kept: they
 * are to go out when there are no descriptors left, too. Give what was read to
 * tlr_cli_systemd_free(). UV_EINVAL, and words, if a variable is nonsense: then
 * the program has not been started as somebody thinks. Or what socket() says,
 * with words. After an error nothing is open.
 */
int tlr_cli_systemd_read(struct tlr_cli_systemd *systemd,
                         struct tlr_cli_text *complaint);

/* The socket number `index`, from 0, and the address that it is bound to. */
uv_os_sock_t tlr_cli_systemd_socket(unsigned index);
int tlr_cli_systemd_address(unsigned index, struct sockaddr_storage *address);

/* It is not needed. */
void tlr_cli_systemd_close(unsigned index);

/*
 * Says something: lines as in "READY=1". Never blocks. UV_EAGAIN, UV_ENOBUFS:
 * there is no room for it now. Other errors are those of sendto(), and there is
 * not much to be done about them.
 */
int tlr_cli_systemd_notify(const struct tlr_cli_systemd *systemd,
                           const char *lines);

/*
 * Closes the socket for notices; nothing is said any more. For a struct of all
 * zeroes, too, and for one that is closed.
 */
void tlr_cli_systemd_free(struct tlr_cli_systemd *systemd);

#endif
