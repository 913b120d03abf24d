/* SPDX-License-Identifier: MIT */
#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "parse.h"

#define FIRST 3          /* SD_LISTEN_FDS_START */
#define MOST_SOCKETS 4096

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* macOS, where there is no systemd either */
#endif

/* NOLINTBEGIN(concurrency-mt-unsafe): it is read before there are threads */

/* False if it is not there. UV_EINVAL in *err: it is, and is no number. */
static bool number(const char *name, uint64_t most, uint64_t *value,
                   int *err, struct tlr_cli_text *complaint)
{
    const char *text = getenv(name);

    if (text == NULL) {
        return false;
    }
    if (tlr_cli_parse_number(text, 0, most, value) != 0) {
        tlr_cli_text_add(complaint,
                         "the environment's %s should be a whole number from "
                         "0 to %llu, and is \"%s\"",
                         name, (unsigned long long)most, text);
        *err = UV_EINVAL;
        return false;
    }
    return true;
}

static int read_sockets(struct tlr_cli_systemd *systemd,
                        struct tlr_cli_text *complaint)
{
    uint64_t pid;
    uint64_t count;
    int err = 0;
    unsigned i;

    if (!number("LISTEN_PID", INT32_MAX, &pid, &err, complaint) ||
        pid != (uint64_t)getpid()) {
        return err; /* they are another process's */
    }
    if (!number("LISTEN_FDS", MOST_SOCKETS, &count, &err, complaint)) {
        return err;
    }
    for (i = 0; i < count; i++) {
        if (fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC) == -1) {
            tlr_cli_text_add(complaint,
                             "the environment's LISTEN_FDS promises %u "
                             "sockets, and descriptor %u is not open",
                             (unsigned)count, FIRST + i);
            return UV_EINVAL;
        }
    }
    systemd->sockets = (unsigned)count;
    return 0;
}

static int read_watchdog(struct tlr_cli_systemd *systemd,
                         struct tlr_cli_text *complaint)
{
    uint64_t pid;
    uint64_t microseconds;
    int err = 0;

    if (number("WATCHDOG_PID", INT32_MAX, &pid, &err, complaint) &&
        pid != (uint64_t)getpid()) {
        return 0;
    }
    if (err == 0 && number("WATCHDOG_USEC", UINT64_MAX, &microseconds, &err,
                           complaint)) {
        systemd->watchdog = microseconds / 1000;
    }
    return err;
}

static int read_notify(struct tlr_cli_systemd *systemd,
                       struct tlr_cli_text *complaint)
{
    const char *text = getenv("NOTIFY_SOCKET");

    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if ((text[0] != '/' && text[0] != '@') || text[1] == '\0' ||
        strlen(text) >= sizeof(systemd->notify)) {
        tlr_cli_text_add(complaint,
                         "the environment's NOTIFY_SOCKET should be a path, "
                         "or @ and a name, and is \"%s\"",
                         text);
        return UV_EINVAL;
    }
    systemd->sock = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (systemd->sock == -1) {
        int err = uv_translate_sys_error(errno);

        tlr_cli_text_add(complaint,
                         "cannot open a socket for the environment's "
                         "NOTIFY_SOCKET: %s (%s)",
                         uv_strerror(err), uv_err_name(err));
        return err;
    }
    /* SOCK_CLOEXEC is not everywhere, and there are no threads yet. */
    (void)fcntl(systemd->sock, F_SETFD, FD_CLOEXEC); /* fails for no open one */
    memcpy(systemd->notify, text, strlen(text) + 1);
    return 0;
}

int tlr_cli_systemd_read(struct tlr_cli_systemd *systemd,
                         struct tlr_cli_text *complaint)
{
    static const char *const names[] = {
        "LISTEN_PID",   "LISTEN_FDS",   "LISTEN_FDNAMES",
        "WATCHDOG_PID", "WATCHDOG_USEC", "NOTIFY_SOCKET"};
    size_t i;
    int err;

    memset(systemd, 0, sizeof(*systemd));
    err = read_sockets(systemd, complaint);
    if (err == 0) {
        err = read_watchdog(systemd, complaint);
    }
    if (err == 0) {
        err = read_notify(systemd, complaint); /* last: it opens something */
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unsetenv(names[i]); /* fails for names with '=' only */
    }
    return err;
}

/* NOLINTEND(concurrency-mt-unsafe) */

uv_os_sock_t tlr_cli_systemd_socket(unsigned index)
{
    return FIRST + (int)index;
}

int tlr_cli_systemd_address(unsigned index, struct sockaddr_storage *address)
{
    socklen_t length = sizeof(*address);

    memset(address, 0, sizeof(*address));
    return getsockname(FIRST + (int)index, (struct sockaddr *)address,
                       &length) == 0
               ? 0
               : uv_translate_sys_error(errno);
}

void tlr_cli_systemd_close(unsigned index)
{
    (void)close(FIRST + (int)index);
}

/* Not connected: a manager that begins anew at the same path is heard again. */
int tlr_cli_systemd_notify(const struct tlr_cli_systemd *systemd,
                           const char *lines)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(systemd->notify);

    if (length == 0) {
        return 0;
    }
    if (length >= sizeof(address.sun_path)) {
        return UV_ENAMETOOLONG;
    }
    memcpy(address.sun_path, systemd->notify, length);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0'; /* abstract: all of its bytes are the name */
    }
    return sendto(systemd->sock, lines, strlen(lines),
                  MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                              length)) == -1
               ? uv_translate_sys_error(errno)
               : 0;
}

void tlr_cli_systemd_free(struct tlr_cli_systemd *systemd)
{
    if (systemd->notify[0] != '\0') {
        systemd->notify[0] = '\0';
        (void)close(systemd->sock);
    }
}
