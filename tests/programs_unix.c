/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *programs_cannot_ask(enum ask ask)
{
    (void)ask;
    return NULL;
}

int programs_send(struct program *program, enum ask ask)
{
    return uv_process_kill(
        &program->process, ask == ASK_CTRL_C ? SIGINT : SIGTERM);
}

unsigned programs_count_handles(const struct program *program)
{
    return programs_count_descriptors(program);
}

unsigned programs_count_handles_slack(void)
{
    return 0;
}

bool programs_may_start_after(int err)
{
    (void)err;
    return false;
}

bool programs_have_takeover(void)
{
    return true;
}

bool programs_tell_every_reset(void)
{
    return true;
}

bool programs_write_behind_an_end(void)
{
    return true;
}

/* Linux has it configured which ports these are; elsewhere it is not known. */
static bool is_reserved(unsigned port)
{
    unsigned first = 0;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
    if (file == NULL) {
        return false;
    }
    int read = fscanf(file, "%u", &first);
    (void)fclose(file); /* it was only read */
    return read == 1 && port < first;
}

unsigned programs_reserved_port(
    uv_process_options_t *options, const char **reason)
{
    const struct passwd *nobody = getpwnam("nobody");
    if (!is_reserved(1)) {
        *reason = "anybody may listen on any port here";
        return 0;
    }
    if (geteuid() != 0) {
        return 1;
    }
    if (nobody == NULL) {
        *reason = "run by root, and there is no user nobody";
        return 0;
    }
    options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
    options->uid = nobody->pw_uid;
    options->gid = nobody->pw_gid;
    return 1;
}

int programs_make_public_folder(char *path, size_t size)
{
    int length = snprintf(path, size, "/tmp/teller-XXXXXX");
    if (length < 0 || (size_t)length >= size) {
        return UV_ENAMETOOLONG;
    }
    if (mkdtemp(path) == NULL || chmod(path, 0755) != 0) {
        return UV_EIO;
    }
    return 0;
}
