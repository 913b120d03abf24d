/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <windows.h>

void tlr_cli_ignore_sigpipe(void)
{
}

/* SIGTERM is not among them: nothing delivers it on Windows. */
unsigned tlr_cli_stop_signals(int signums[TLR_CLI_SIGNALS_MAX])
{
    signums[0] = SIGINT;
    signums[1] = SIGBREAK;
    signums[2] = SIGHUP;
    return 3;
}

static BOOL WINAPI is_heard(DWORD type)
{
    return type == CTRL_C_EVENT || type == CTRL_BREAK_EVENT;
}

void tlr_cli_ignore_stop_signals(void)
{
    (void)SetConsoleCtrlHandler(is_heard, TRUE); /* else it ends at once */
}
