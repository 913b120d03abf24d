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
