/* SPDX-License-Identifier: MIT */
/* See listen.h. */
#include "listen.h"

#include <stdlib.h>
#include <string.h>

#include "cli/address.h"

/* What each of the texts stands for. */
struct wanted {
    struct tlr_cli_addresses *lists;
    size_t count;
};

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

/* ---- [::] beside IPv4 ----------------------------------------------- */

static bool is_any_ipv6(const struct sockaddr *address)
{
    static const struct in6_addr any; /* all zeroes */

    return address->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)address)->sin6_addr, &any,
                  sizeof(any)) == 0;
}

/* Any IPv4 address will do, or only 0.0.0.0. */
static bool has_ipv4(const struct tlr_cli_addresses *list, unsigned port,
                     bool any)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        const struct sockaddr *address =
            (const struct sockaddr *)&list->items[i];

        if (address->sa_family == AF_INET && tlr_cli_port(address) == port &&
            (!any || ((const struct sockaddr_in *)address)->sin_addr.s_addr ==
                         0)) {
            return true;
        }
    }
    return false;
}

/*
 * [::] takes IPv4 too, and where an IPv4 address is listed with the same port
 * one of the two would be in use, by ourselves. "*" stays every address, unless
 * 0.0.0.0 has those of IPv4.
 */
static unsigned choose_flags(const struct wanted *wanted,
                             const struct tlr_cli_addresses *list,
                             const struct sockaddr *address)
{
    unsigned port = tlr_cli_port(address);
    size_t i;

    for (i = 0; i < wanted->count && port != 0 && is_any_ipv6(address); i++) {
        if (has_ipv4(&wanted->lists[i], port, list->every)) {
            return TLR_LISTEN_IPV6_ONLY;
        }
    }
    return 0;
}

/* ---- listening ------------------------------------------------------ */

/* "*" where IPv6 is missing; other is there: so is 0.0.0.0, in the list. */
static int listen_ipv4_only(struct tlr_server *server,
                            const struct sockaddr *every, bool other)
{
    struct sockaddr_in address;

    if (other) {
        return 0;
    }
    (void)uv_ip4_addr("0.0.0.0", (int)tlr_cli_port(every), &address);
    return tlr_server_listen(server, (struct sockaddr *)&address, 0);
}

static int listen_on(struct tlr_server *server, const struct wanted *wanted,
                     const struct tlr_cli_addresses *list,
                     struct tlr_cli_text *complaint)
{
    const struct sockaddr *address = NULL;
    size_t listening = 0;
    size_t i;
    int err = 0;

    for (i = 0; i < list->count; i++) {
        address = (const struct sockaddr *)&list->items[i];
        unsigned flags = choose_flags(wanted, list, address);

        err = tlr_server_listen(server, address, flags);
        if (err != 0 && list->every && missing_here(err)) {
            err = listen_ipv4_only(server, address, flags != 0);
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

static int resolve(struct wanted *wanted, const char *const *texts,
                   size_t count, struct tlr_cli_text *complaint)
{
    int err = 0;

    wanted->count = 0;
    wanted->lists = calloc(count + 1, sizeof(*wanted->lists)); /* never 0 */
    if (wanted->lists == NULL) {
        tlr_cli_text_add(complaint, "out of memory");
        return UV_ENOMEM;
    }
    while (wanted->count < count && err == 0) {
        err = tlr_cli_resolve(texts[wanted->count], "127.0.0.1",
                              &wanted->lists[wanted->count], complaint);
        wanted->count += err == 0;
    }
    return err;
}

static void release(struct wanted *wanted)
{
    while (wanted->count > 0) {
        tlr_cli_addresses_free(&wanted->lists[--wanted->count]);
    }
    free(wanted->lists);
}

int tlr_echo_listen(struct tlr_server *server, const char *const *texts,
                    size_t count, struct tlr_cli_text *complaint)
{
    struct wanted wanted;
    int err = resolve(&wanted, texts, count, complaint);
    size_t i;

    for (i = 0; i < wanted.count && err == 0; i++) {
        err = listen_on(server, &wanted, &wanted.lists[i], complaint);
    }
    release(&wanted);
    return err;
}
