/* SPDX-License-Identifier: MIT */
/* See listen.h. */
#include "listen.h"

#include "cli/address.h"

static void complain(struct tlr_cli_text *complaint,
                     const struct sockaddr *address, int err)
{
    char text[TLR_CLI_ADDRESS_LENGTH];

    tlr_cli_text_add(complaint, "cannot listen on %s: ",
                     tlr_cli_format_address(address, text));
    switch (err) {
    case UV_EADDRINUSE:
        tlr_cli_text_add(complaint,
                         "the address is in use; end the program that has it, "
                         "or choose another port with --listen HOST:PORT "
                         "(0 is any free one)");
        break;
    case UV_EACCES:
        tlr_cli_text_add(complaint,
                         "permission denied; a port below 1024 takes root or "
                         "CAP_NET_BIND_SERVICE, so choose a higher one with "
                         "--listen HOST:PORT");
        break;
    case UV_EADDRNOTAVAIL:
        tlr_cli_text_add(complaint,
                         "this machine does not have that address; use one "
                         "that it has, or --listen '*:%u' for all of them",
                         tlr_cli_port(address));
        break;
    case UV_EAFNOSUPPORT:
        tlr_cli_text_add(complaint,
                         "this machine has no IPv6; use an IPv4 address, such "
                         "as --listen 0.0.0.0:%u",
                         tlr_cli_port(address));
        break;
    default:
        tlr_cli_text_add(complaint, "%s (%s)", uv_strerror(err),
                         uv_err_name(err));
        break;
    }
}

static bool missing_here(int err)
{
    return err == UV_EADDRNOTAVAIL || err == UV_EAFNOSUPPORT;
}

/* "*" where IPv6 is missing. */
static int listen_ipv4_only(struct tlr_server *server,
                            const struct sockaddr *every)
{
    struct sockaddr_in address;

    (void)uv_ip4_addr("0.0.0.0", (int)tlr_cli_port(every), &address);
    return tlr_server_listen(server, (struct sockaddr *)&address, 0);
}

static int listen_on(struct tlr_server *server,
                     const struct tlr_cli_addresses *addresses,
                     struct tlr_cli_text *complaint)
{
    const struct sockaddr *address = NULL;
    size_t listening = 0;
    size_t i;
    int err = 0;

    for (i = 0; i < addresses->count; i++) {
        address = (const struct sockaddr *)&addresses->items[i];
        err = tlr_server_listen(server, address, 0);
        if (err != 0 && addresses->every && missing_here(err)) {
            err = listen_ipv4_only(server, address);
        }
        listening += err == 0;
        if (err != 0 && !missing_here(err)) {
            break;
        }
    }
    if (err != 0 && (listening == 0 || !missing_here(err))) {
        complain(complaint, address, err);
        return err;
    }
    return 0;
}

int tlr_echo_listen(struct tlr_server *server, const char *text,
                    struct tlr_cli_text *complaint)
{
    struct tlr_cli_addresses addresses;
    int err = tlr_cli_resolve(text, "127.0.0.1", &addresses, complaint);

    if (err != 0) {
        return err;
    }
    err = listen_on(server, &addresses, complaint);
    tlr_cli_addresses_free(&addresses);
    return err;
}
