/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

enum { HOST_LENGTH = 256 };

static int no_address(struct tlr_cli_text *complaint, const char *text)
{
    tlr_cli_text_add(complaint,
        "\"%s\" is no address; write HOST:PORT, [IPV6]:PORT or PORT", text);
    return UV_EINVAL;
}

/* Splits into host and port; the host stays "" when there is none. */
static int split(const char *text, char host[HOST_LENGTH], const char **port)
{
    const char *begin = text;
    const char *colon = strrchr(text, ':');
    const char *end = colon;
    if (colon == NULL) {
        host[0] = '\0';
        *port = text;
        return 0;
    }
    if (*text == '[') {
        begin = text + 1;
        end = strchr(text, ']');
        if (end == NULL || end + 1 != colon) {
            return UV_EINVAL;
        }
    } else if (memchr(text, ':', (size_t)(colon - text)) != NULL) {
        return UV_EINVAL; /* ::1:7007 can be read in two ways */
    }
    size_t length = (size_t)(end - begin);
    if (length >= HOST_LENGTH || (*text == '[' && length == 0)) {
        return UV_EINVAL;
    }
    memcpy(host, begin, length);
    host[length] = '\0';
    *port = colon + 1;
    return 0;
}

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    }
}

/* Takes the IPv4 and IPv6 addresses of the resolver's list. */
static int copy_all(
    const struct addrinfo *list, struct tlr_cli_addresses *addresses)
{
    size_t count = 0;
    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
        count++;
    }
    if (count == 0) {
        return UV_EAI_NONAME;
    }
    addresses->items = calloc(count, sizeof(*addresses->items));
    if (addresses->items == NULL) {
        return UV_ENOMEM;
    }
    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
        if (i->ai_family == AF_INET || i->ai_family == AF_INET6) {
            memcpy(&addresses->items[addresses->count++], i->ai_addr,
                (size_t)i->ai_addrlen);
        }
    }
    return 0;
}

/* Nothing else runs yet when a program reads its options, so the lookup has a
 * loop of its own and blocks. */
static int look_up(const char *host, struct tlr_cli_addresses *addresses)
{
    uv_loop_t loop;
    uv_getaddrinfo_t request;
    struct addrinfo hints;
    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    int err = uv_loop_init(&loop);
    if (err != 0) {
        return err;
    }
    err = uv_getaddrinfo(&loop, &request, NULL, host, NULL, &hints);
    if (err == 0) {
        err = copy_all(request.addrinfo, addresses);
        uv_freeaddrinfo(request.addrinfo);
    }
    (void)uv_loop_close(&loop); /* no handle was made on it */
    return err;
}

static int take_numeric(const char *host, struct tlr_cli_addresses *addresses)
{
    struct sockaddr_storage address;
    memset(&address, 0, sizeof(address));
    if (uv_ip4_addr(host, 0, (struct sockaddr_in *)&address) != 0 &&
        uv_ip6_addr(host, 0, (struct sockaddr_in6 *)&address) != 0) {
        return UV_EINVAL;
    }
    addresses->items = malloc(sizeof(address));
    if (addresses->items == NULL) {
        return UV_ENOMEM;
    }
    addresses->items[0] = address;
    addresses->count = 1;
    return 0;
}

int tlr_cli_resolve(const char *text, const char *default_host,
    struct tlr_cli_addresses *addresses, struct tlr_cli_text *complaint)
{
    char host[HOST_LENGTH];
    const char *port_text;
    uint64_t port;
    memset(addresses, 0, sizeof(*addresses));
    if (*text == '\0' || split(text, host, &port_text) != 0) {
        return no_address(complaint, text);
    }
    if (tlr_cli_parse_number(port_text, 0, 65535, &port) != 0) {
        tlr_cli_text_add(complaint,
            "\"%s\" is no port; write HOST:PORT with a port up to 65535",
            port_text);
        return UV_EINVAL;
    }
    addresses->every = strcmp(host, "*") == 0;
    const char *wanted = host[0] == '\0'    ? default_host
                         : addresses->every ? "::"
                                            : host;
    int err = take_numeric(wanted, addresses);
    if (err == UV_EINVAL) {
        err = look_up(wanted, addresses);
    }
    if (err != 0) {
        tlr_cli_text_add(complaint,
            "cannot look up \"%s\" (%s); check the name, or write a numeric "
            "address",
            wanted, uv_strerror(err));
        return err;
    }
    for (size_t i = 0; i < addresses->count; i++) {
        set_port(&addresses->items[i], (unsigned)port);
    }
    return 0;
}

void tlr_cli_addresses_free(struct tlr_cli_addresses *addresses)
{
    free(addresses->items);
    memset(addresses, 0, sizeof(*addresses));
}

unsigned tlr_cli_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    }
    if (address->sa_family == AF_INET) {
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    }
    return 0;
}

const char *tlr_cli_format_address(
    const struct sockaddr *address, char text[TLR_CLI_ADDRESS_LENGTH])
{
    char host[64] = "?";
    bool six = address->sa_family == AF_INET6;
    /* Both fail only for lack of room, and 64 is more than INET6_ADDRSTRLEN. */
    if (six) {
        (void)uv_ip6_name((const struct sockaddr_in6 *)address, host, 64);
    } else if (address->sa_family == AF_INET) {
        (void)uv_ip4_name((const struct sockaddr_in *)address, host, 64);
    }
    (void)snprintf(text, TLR_CLI_ADDRESS_LENGTH, six ? "[%s]:%u" : "%s:%u",
        host, tlr_cli_port(address)); /* always fits */
    return text;
}
