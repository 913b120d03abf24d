/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>

void tlr_cli_ignore_sigpipe(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* fails only for a signal unknown */
}

unsigned tlr_cli_stop_signals(int signums[TLR_CLI_SIGNALS_MAX])
{
    signums[0] = SIGINT;
    signums[1] = SIGTERM;
    return 2;
}

/* Blocked, and not ignored: libuv sets the action when it stops to watch. Other
 * threads are gone by then. */
void tlr_cli_ignore_stop_signals(void)
{
    int signums[TLR_CLI_SIGNALS_MAX];
    unsigned count = tlr_cli_stop_signals(signums);
    sigset_t set;

    (void)sigemptyset(&set); /* these fail for a signal unknown */
    while (count-- > 0) {
        (void)sigaddset(&set, signums[count]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}
