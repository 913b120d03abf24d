/* SPDX-License-Identifier: MIT */
#include "signals.h"

static void on_signal(uv_signal_t *handle, int signum)
{
    struct tlr_cli_signals *signals = handle->data;
    signals->signum = signum;
    signals->times++;
    signals->cb(signals, signals->times);
}

int tlr_cli_signals_init(
    struct tlr_cli_signals *signals, uv_loop_t *loop, tlr_cli_stop_cb cb)
{
    int signums[TLR_CLI_SIGNALS_MAX];
    unsigned count = tlr_cli_stop_signals(signums);
    signals->open = 0;
    signals->times = 0;
    signals->cb = cb;
    signals->closed_cb = NULL;
    for (unsigned i = 0; i < count; i++) {
        uv_signal_t *handle = &signals->handles[i];
        int err = uv_signal_init(loop, handle);
        if (err != 0) {
            return err;
        }
        handle->data = signals;
        signals->open++;
        err = uv_signal_start(handle, on_signal, signums[i]);
        if (err != 0) {
            return err;
        }
        uv_unref((uv_handle_t *)handle);
    }
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct tlr_cli_signals *signals = handle->data;
    signals->open--;
    if (signals->open == 0 && signals->closed_cb != NULL) {
        signals->closed_cb(signals);
    }
}

void tlr_cli_signals_close(
    struct tlr_cli_signals *signals, tlr_cli_signals_closed_cb closed_cb)
{
    unsigned open = signals->open;
    if (open == 0 || uv_is_closing((uv_handle_t *)&signals->handles[0])) {
        return;
    }
    signals->closed_cb = closed_cb;
    tlr_cli_ignore_stop_signals();
    for (unsigned i = 0; i < open; i++) {
        uv_close((uv_handle_t *)&signals->handles[i], on_closed);
    }
}
