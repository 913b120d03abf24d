/* SPDX-License-Identifier: MIT */
/* See inherit.h. */
#include "inherit.h"

#include <string.h>

#include "cli/address.h"

#define PATIENCE 30000 /* milliseconds; somebody else may be taking over */

static void add_error(struct tlr_cli_text *complaint, int err)
{
    tlr_cli_text_add(complaint, "%s (%s)", uv_strerror(err), uv_err_name(err));
}

static void complain(struct tlr_cli_text *complaint, const char *path,
                     int err)
{
    if (err == UV_ENOTSUP) {
        tlr_cli_text_add(complaint,
                         "--takeover needs Linux or another Unix");
        return;
    }
    tlr_cli_text_add(complaint, "cannot take over at %s: ", path);
    switch (err) {
    case UV_EPERM:
    case UV_EACCES:
        tlr_cli_text_add(complaint, "the process there is another user's; "
                                    "start as that user, or as root");
        break;
    case UV_ENAMETOOLONG:
        tlr_cli_text_add(complaint, "the path has more than %d bytes",
                         TLR_TAKEOVER_PATH_MOST);
        break;
    case UV_ECONNRESET:
        tlr_cli_text_add(complaint, "the process there has ended, or another "
                                    "one was faster; start again");
        break;
    case UV_EPROTO:
    case UV_EPROTONOSUPPORT:
        tlr_cli_text_add(complaint, "who answers there is no teller-echo of "
                                    "this version; stop it and start this "
                                    "one, or use another path");
        break;
    case UV_EMFILE:
        tlr_cli_text_add(complaint, "its sockets are more than this process "
                                    "may have descriptors (ulimit -n)");
        break;
    default:
        add_error(complaint, err);
        break;
    }
}

int tlr_echo_take_over(struct tlr_server *server, const char *path,
                       int64_t *pid, struct tlr_cli_text *complaint)
{
    int err = tlr_server_take_over(server, path, PATIENCE, pid);

    if (err == UV_ENOENT || err == UV_ECONNREFUSED) {
        *pid = 0;
        return 0;
    }
    if (err != 0) {
        complain(complaint, path, err);
    }
    return err;
}

int tlr_echo_offer(struct tlr_server *server, const char *path,
                   uint64_t drain,
                   void (*taken)(struct tlr_server *server, int64_t pid),
                   struct tlr_cli_text *complaint)
{
    struct tlr_offer offer;
    int err;

    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    offer.deadline = drain;
    offer.on_taken_over = taken;
    err = tlr_server_offer(server, &offer);
    if (err == UV_EEXIST) {
        tlr_cli_text_add(complaint,
                         "--takeover: %s is there already, and no socket",
                         path);
    } else if (err == UV_ENOENT) {
        tlr_cli_text_add(complaint,
                         "--takeover: the folder of %s is not there", path);
    } else if (err != 0) {
        tlr_cli_text_add(complaint, "--takeover: cannot offer at %s: ", path);
        add_error(complaint, err);
    }
    return err;
}

/* ---- systemd --------------------------------------------------------- */

static bool has_address(const struct tlr_server *server,
                        const struct sockaddr_storage *address)
{
    char wanted[TLR_CLI_ADDRESS_LENGTH];
    char text[TLR_CLI_ADDRESS_LENGTH];
    struct sockaddr_storage there;
    unsigned i;

    (void)tlr_cli_format_address((const struct sockaddr *)address, wanted);
    for (i = 0; tlr_server_address(server, i, &there) == 0; i++) {
        (void)tlr_cli_format_address((struct sockaddr *)&there, text);
        if (strcmp(text, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* What was taken over is another name of the same socket, or takes its place. */
int tlr_echo_listen_inherited(struct tlr_server *server,
                              const struct tlr_cli_systemd *systemd,
                              struct tlr_cli_text *complaint)
{
    bool fresh = tlr_server_addresses(server) == 0;
    struct sockaddr_storage address;
    unsigned i;
    int err = 0;

    for (i = 0; i < systemd->sockets && err == 0; i++) {
        err = tlr_cli_systemd_address(i, &address);
        if (err == 0 && !fresh &&
            (address.ss_family == AF_INET || address.ss_family == AF_INET6) &&
            has_address(server, &address)) {
            tlr_cli_systemd_close(i);
        } else if (err == 0) {
            err = tlr_server_listen_socket(server, tlr_cli_systemd_socket(i));
        }
    }
    if (err == UV_ENOTSUP || err == UV_EINVAL || err == UV_ENOTSOCK) {
        tlr_cli_text_add(complaint,
                         "socket %u of LISTEN_FDS is no listening TCP socket: "
                         "the socket unit wants ListenStream=, with an "
                         "address and a port, and Accept=no",
                         i - 1);
    } else if (err != 0) {
        tlr_cli_text_add(complaint, "cannot listen on socket %u of "
                                    "LISTEN_FDS: ", i - 1);
        add_error(complaint, err);
    }
    return err;
}
