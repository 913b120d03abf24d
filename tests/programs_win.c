/* SPDX-License-Identifier: MIT */
/*
 * How a test presses Ctrl-C in a program. GenerateConsoleCtrlEvent reaches only
 * who shares the caller's console, and what reaches the program must not reach
 * the test. So a program is started with a console of its own that has no
 * window (UV_PROCESS_WINDOWS_HIDE), and a helper, interrupt_win.c, attaches to
 * that console and sends from there.
 *
 * Found out with Wine 8: the helper, too, must be started with
 * UV_PROCESS_WINDOWS_HIDE. Detached, it is in a process group of its own, and
 * Wine takes group 0 for the group of the caller instead of everybody on the
 * console, so nothing arrives. A program started in a group of its own
 * (CREATE_NEW_PROCESS_GROUP) ignores Ctrl-C, as on Windows. And Ctrl-Break
 * cannot be sent at all: whatever the group, it is ERROR_INVALID_HANDLE.
 */
#include "programs.h"

#include <stdio.h>
#include <string.h>

#include <windows.h>

#include "wine_win.h"

struct helper {
    uv_process_t process;
    bool exited;
    int64_t status;
};

const char *programs_cannot_ask(enum ask ask)
{
    return ask == ASK_OTHERWISE && is_wine()
               ? "Wine cannot send Ctrl-Break"
               : NULL;
}

static void on_exited(uv_process_t *process, int64_t status, int term_signal)
{
    struct helper *helper = process->data;
    (void)term_signal;
    helper->exited = true;
    helper->status = status;
    uv_close((uv_handle_t *)process, NULL);
}

static bool has_exited(const void *arg)
{
    const struct helper *helper = arg;
    return helper->exited;
}

/* Its GetProcessHandleCount says 0, but it tells all handles there are: so many,
 * and each with its process. The layout is not in the headers. */
struct wine_handle {
    USHORT process;
    USHORT unused;
    UCHAR type;
    UCHAR flags;
    USHORT value;
    void *object;
    ULONG access;
};

struct wine_handles {
    ULONG count;
    struct wine_handle handles[20000];
};

typedef LONG(NTAPI *query_cb)(
    int what, void *answer, ULONG size, ULONG *needed);

static unsigned count_in_wine(DWORD process)
{
    static struct wine_handles all;
    FARPROC found = GetProcAddress(
        GetModuleHandleA("ntdll.dll"), "NtQuerySystemInformation");
    query_cb query;
    unsigned count = 0;
    memcpy(&query, &found, sizeof(query));
    assert_int_equal(
        query(16 /* SystemHandleInformation */, &all, sizeof(all), NULL), 0);
    for (ULONG i = 0; i < all.count; i++) {
        count += all.handles[i].process == (USHORT)process;
    }
    return count;
}

unsigned programs_count_handles(const struct program *program)
{
    DWORD count = 0;
    HANDLE process = program->process.process_handle;
    if (is_wine()) {
        return count_in_wine(GetProcessId(process));
    }
    assert_true(GetProcessHandleCount(process, &count));
    return (unsigned)count;
}

/* Threads of the system's pool, and what Winsock opens once, or once for each
 * thread: Wine an event, when it first waits for a socket. */
unsigned programs_count_handles_slack(void)
{
    return 50;
}

/* With Wine 8, one CreateProcess in some thousands fails on a busy machine with
 * ERROR_INTERNAL_ERROR, which libuv has no name for. */
bool programs_may_start_after(int err)
{
    return err == UV_UNKNOWN && is_wine();
}

static int start_helper(struct helper *helper, uv_loop_t *loop, char **args)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .file = args[0],
        .args = args,
        .exit_cb = on_exited,
        .stdio = stdio,
        .stdio_count = 3,
        .flags = UV_PROCESS_WINDOWS_HIDE,
    };
    helper->process.data = helper;
    return uv_spawn(loop, &helper->process, &options);
}

int programs_send(struct program *program, enum ask ask)
{
    struct helper *helper;
    char pid[16];
    char event[16];
    char *args[] = {TELLER_INTERRUPT, pid, event, NULL};
    unsigned tries = 0;
    int err;
    (void)snprintf(pid, sizeof(pid), "%d", (int)program->process.pid);
    (void)snprintf(event, sizeof(event), "%d",
        ask == ASK_CTRL_C ? CTRL_C_EVENT : CTRL_BREAK_EVENT); /* both fit */
    do {
        helper = scene_alloc(program->scene, sizeof(*helper));
        err = start_helper(helper, &program->scene->loop, args);
        tries++;
    } while (tries < TRIES_MOST && programs_may_start_after(err));
    if (err != 0) {
        return err;
    }
    if (!run_until(program->scene, has_exited, helper)) {
        return UV_ETIMEDOUT;
    }
    if (helper->status != 0) {
        print_error("%s: exit status %d\n", args[0], (int)helper->status);
        return UV_EIO;
    }
    return 0;
}

bool programs_tell_every_reset(void)
{
    return false;
}

bool programs_write_behind_an_end(void)
{
    return !is_wine();
}

bool programs_have_takeover(void)
{
    return false;
}

unsigned programs_reserved_port(
    uv_process_options_t *options, const char **reason)
{
    (void)options;
    *reason = "Windows reserves no ports";
    return 0;
}

int programs_make_public_folder(char *path, size_t size)
{
    (void)path;
    (void)size;
    return UV_ENOTSUP;
}
