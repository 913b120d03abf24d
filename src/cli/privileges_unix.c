/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "parse.h"

#define NAME_SIZE 256
#define ID_MOST (UINT32_MAX - 1) /* -1 stands for "no change" */

struct identity {
    char name[NAME_SIZE];
    uid_t user;
    gid_t group;
    bool listed; /* the other groups are those that the system lists */
};

static int split(const char *text, struct identity *identity,
                 const char **group)
{
    const char *colon = strchr(text, ':');
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);

    *group = colon == NULL ? NULL : colon + 1;
    if (length == 0 || length >= sizeof(identity->name) ||
        (*group != NULL && **group == '\0')) {
        return UV_EINVAL;
    }
    memcpy(identity->name, text, length);
    identity->name[length] = '\0';
    return 0;
}

/* NOLINTBEGIN(concurrency-mt-unsafe): before there are threads */
static int find_user(struct identity *identity)
{
    const struct passwd *entry = getpwnam(identity->name);
    uint64_t number;

    if (entry == NULL &&
        tlr_cli_parse_number(identity->name, 0, ID_MOST, &number) == 0) {
        entry = getpwuid((uid_t)number);
        identity->user = (uid_t)number;
        identity->group = (gid_t)number;
    } else if (entry == NULL) {
        return UV_ENOENT;
    }
    identity->listed = entry != NULL;
    if (entry != NULL) {
        if (strlen(entry->pw_name) >= sizeof(identity->name)) {
            return UV_ENAMETOOLONG;
        }
        /* It may have been a number: the groups are listed by the name. */
        memcpy(identity->name, entry->pw_name, strlen(entry->pw_name) + 1);
        identity->user = entry->pw_uid;
        identity->group = entry->pw_gid;
    }
    return 0;
}

static int find_group(const char *name, gid_t *group)
{
    const struct group *entry = getgrnam(name);
    uint64_t number;

    if (entry != NULL) {
        *group = entry->gr_gid;
        return 0;
    }
    if (tlr_cli_parse_number(name, 0, ID_MOST, &number) != 0) {
        return UV_ENOENT;
    }
    *group = (gid_t)number;
    return 0;
}
/* NOLINTEND(concurrency-mt-unsafe) */

static int find(const char *text, struct identity *identity,
                struct tlr_cli_text *complaint)
{
    const char *group;
    int err = split(text, identity, &group);

    if (err != 0) {
        tlr_cli_text_add(complaint,
                         "--user wants NAME or NAME:GROUP, not \"%s\"", text);
        return err;
    }
    err = find_user(identity);
    if (err != 0) {
        tlr_cli_text_add(complaint, "--user: there is no user \"%s\"",
                         identity->name);
        return err;
    }
    if (group != NULL) {
        identity->listed = false; /* that group, and no other */
        err = find_group(group, &identity->group);
    }
    if (err != 0) {
        tlr_cli_text_add(complaint, "--user: there is no group \"%s\"",
                         group);
    }
    return err;
}

static int failed(const char *what, struct tlr_cli_text *complaint)
{
    int err = uv_translate_sys_error(errno);

    tlr_cli_text_add(complaint, "--user: %s: %s (%s)", what, uv_strerror(err),
                     uv_err_name(err));
    return err;
}

/* Of a process that had secrets to read, and now has strangers' bytes. */
static int leave_no_core(struct tlr_cli_text *complaint)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return failed("cannot forbid core dumps", complaint);
    }
#if defined(__linux__)
    /* After setuid(), which sets it anew; it keeps a core from a pipe, too. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failed("cannot forbid new privileges", complaint);
    }
#endif
    return 0;
}

/* The groups come before the user: afterwards none of it is allowed. */
static int change(const struct identity *identity,
                  struct tlr_cli_text *complaint)
{
    int err = identity->listed ? initgroups(identity->name, identity->group)
                               : setgroups(1, &identity->group);

    if (err != 0) {
        return failed("cannot set the groups", complaint);
    }
    if (setgid(identity->group) != 0) {
        return failed("cannot set the group", complaint);
    }
    if (setuid(identity->user) != 0) {
        return failed("cannot set the user", complaint);
    }
    return 0;
}

/* setuid() of a process that is not quite root leaves a way back. */
static int check(const struct identity *identity,
                 struct tlr_cli_text *complaint)
{
    if (getuid() != identity->user || geteuid() != identity->user ||
        getgid() != identity->group || getegid() != identity->group ||
        (identity->user != 0 && (setuid(0) == 0 || seteuid(0) == 0))) {
        tlr_cli_text_add(complaint, "--user: the privileges are still there");
        return UV_EPERM;
    }
    return 0;
}

int tlr_cli_become(const char *user, struct tlr_cli_text *complaint)
{
    struct identity identity;
    int err = find(user, &identity, complaint);

    if (err == 0 && geteuid() != 0) {
        tlr_cli_text_add(complaint, "--user: only root can become another "
                                    "user: start as root, or leave it out");
        return UV_EPERM;
    }
    if (err == 0) {
        err = change(&identity, complaint);
    }
    if (err == 0) {
        err = check(&identity, complaint);
    }
    return err == 0 ? leave_no_core(complaint) : err;
}
