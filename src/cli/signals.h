/* SPDX-License-Identifier: MIT */
/*
 * "Please stop", from a terminal, a service manager or a closing console, on a
 * loop: SIGINT and SIGTERM, SIGHUP too on Windows (the console closes: about 5
 * seconds are left) and Ctrl-Break where there is one.
 *
 * For programs, not for the library. The caller owns the struct; all is on the
 * loop's thread, and the callback too. The handles do not keep the loop alive.
 */
#ifndef TLR_CLI_SIGNALS_H
#define TLR_CLI_SIGNALS_H

#include <uv.h>

enum { TLR_CLI_SIGNALS_MAX = 4 };

struct tlr_cli_signals;

/* `times` is how often it was asked by now: 1, 2, ... */
typedef void (*tlr_cli_stop_cb)(struct tlr_cli_signals *signals, unsigned times);
typedef void (*tlr_cli_signals_closed_cb)(struct tlr_cli_signals *signals);

struct tlr_cli_signals {
    void *data; /* the caller's */
    int signum; /* which one it was, for the callback to read */
    /* private */
    uv_signal_t handles[TLR_CLI_SIGNALS_MAX];
    unsigned open;  /* handles that are not closed yet */
    unsigned times; /* asked so far */
    tlr_cli_stop_cb cb;
    tlr_cli_signals_closed_cb closed_cb;
};

/*
 * Starts watching. Returns 0, or libuv's error; after an error too the struct
 * has to be closed with tlr_cli_signals_close. `data` is left alone.
 */
int tlr_cli_signals_init(
    struct tlr_cli_signals *signals, uv_loop_t *loop, tlr_cli_stop_cb cb);

/* Ends asynchronously; `closed_cb` (or NULL) comes when the memory is the
 * caller's again. May be called twice; the second `closed_cb` is ignored. For a
 * program that is about to end: who asks it once more is not heard. */
void tlr_cli_signals_close(
    struct tlr_cli_signals *signals, tlr_cli_signals_closed_cb closed_cb);

/*
 * Has a write to a connection that the peer has left fail with UV_EPIPE
 * instead of ending the process. Does nothing where there is no SIGPIPE. Call
 * it first thing in main().
 */
void tlr_cli_ignore_sigpipe(void);

/*
 * Contract of signals_unix.c and signals_win.c: the signals that ask to stop,
 * up to TLR_CLI_SIGNALS_MAX. Returns how many.
 */
unsigned tlr_cli_stop_signals(int signums[TLR_CLI_SIGNALS_MAX]);

/* Likewise: has these signals not end the process when nobody watches them any
 * more, for libuv leaves them to do so. */
void tlr_cli_ignore_stop_signals(void);

#endif
