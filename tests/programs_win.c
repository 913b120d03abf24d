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

#include <windows.h>

struct helper {
    uv_process_t process;
    bool exited;
    int64_t status;
};

static bool is_wine(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

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

int programs_send(struct program *program, enum ask ask)
{
    struct helper *helper = scene_alloc(program->scene, sizeof(*helper));
    char pid[16];
    char event[16];
    char *args[] = {TELLER_INTERRUPT, pid, event, NULL};
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
    (void)snprintf(pid, sizeof(pid), "%d", (int)program->process.pid);
    (void)snprintf(event, sizeof(event), "%d",
        ask == ASK_CTRL_C ? CTRL_C_EVENT : CTRL_BREAK_EVENT); /* both fit */
    helper->process.data = helper;
    int err = uv_spawn(&program->scene->loop, &helper->process, &options);
    if (err != 0) {
        return err;
    }
    if (!run_until(program->scene, has_exited, helper)) {
        return UV_ETIMEDOUT;
    }
    return helper->status == 0 ? 0 : UV_EIO;
}

bool programs_have_reuseport(void)
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
