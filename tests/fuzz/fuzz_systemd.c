/* SPDX-License-Identifier: MIT */
/*
 * What a service manager says by the environment: lines NAME=VALUE. "self" is
 * this process for LISTEN_PID and WATCHDOG_PID. What is taken holds, what is
 * not is complained of in one line, and nothing of it stays in the environment.
 */
#include "require.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/systemd.h"

static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS",
                                    "LISTEN_FDNAMES", "WATCHDOG_PID",
                                    "WATCHDOG_USEC", "NOTIFY_SOCKET"};

enum { NAMES = sizeof(names) / sizeof(names[0]), FIRST = 3 };

static void set(char *line)
{
    char *value = strchr(line, '=');
    char pid[16];
    size_t i;

    if (value == NULL) {
        return;
    }
    *value++ = '\0';
    if (strcmp(value, "self") == 0) {
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        value = pid;
    }
    for (i = 0; i < NAMES; i++) {
        if (strcmp(line, names[i]) == 0) {
            REQUIRE(setenv(line, value, 1) == 0);
        }
    }
}

static void check_taken(const struct tlr_cli_systemd *systemd,
                        const char *notify, const char *watchdog)
{
    unsigned i;

    for (i = 0; i < systemd->sockets; i++) {
        int flags = fcntl(FIRST + (int)i, F_GETFD);

        REQUIRE(flags != -1 && (flags & FD_CLOEXEC) != 0);
        REQUIRE(tlr_cli_systemd_socket(i) == FIRST + (int)i);
    }
    REQUIRE(strcmp(systemd->notify, notify == NULL ? "" : notify) == 0);
    if (systemd->notify[0] != '\0') {
        int flags = fcntl(systemd->sock, F_GETFD);

        REQUIRE(flags != -1 && (flags & FD_CLOEXEC) != 0);
    }
    if (systemd->watchdog != 0) {
        REQUIRE(watchdog != NULL);
        REQUIRE(strtoull(watchdog, NULL, 10) / 1000 == systemd->watchdog);
    }
}

static char *copy_of(const char *name)
{
    const char *value = getenv(name);
    char *copy = value == NULL ? NULL : strdup(value);

    REQUIRE(value == NULL || copy != NULL);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tlr_cli_text complaint = {0};
    struct tlr_cli_systemd systemd;
    char *text = text_of(data, size);
    char *words[WORDS_MOST + 2];
    int count = words_of(text, words);
    char *notify;
    char *watchdog;
    int err;
    int i;

    for (i = 1; i < count; i++) {
        set(words[i]);
    }
    notify = copy_of("NOTIFY_SOCKET");
    watchdog = copy_of("WATCHDOG_USEC");
    memset(&systemd, 0x5a, sizeof(systemd));
    err = tlr_cli_systemd_read(&systemd, &complaint);
    REQUIRE(err == 0 || err == UV_EINVAL);
    REQUIRE((err == 0) == (complaint.length == 0));
    if (err == 0) {
        check_taken(&systemd, notify, watchdog);
        tlr_cli_systemd_free(&systemd);
        tlr_cli_systemd_free(&systemd);
    }
    for (i = 0; i < NAMES; i++) {
        REQUIRE(getenv(names[i]) == NULL);
    }
    tlr_cli_text_free(&complaint);
    free(watchdog);
    free(notify);
    free(text);
    return 0;
}
