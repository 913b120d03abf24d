/* SPDX-License-Identifier: MIT */
/*
 * What tlr_options.on_warning is told: from any thread it is noted, on the
 * host's it is told, each kind once a second at most.
 *
 * Part of a server. The timer, on the host's loop, only runs while something is
 * held back, and keeps no loop alive.
 */
#ifndef TLR_WARNINGS_H
#define TLR_WARNINGS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "teller.h"

struct tlr_warnings;

struct tlr_warnings_callbacks {
    /* On any thread: tlr_warnings_tell() is to be called on the host's. */
    void (*wake)(struct tlr_warnings *warnings);
    /* On the host's. It may close us. */
    void (*told)(struct tlr_warnings *warnings,
                 const struct tlr_warning *warning);
};

struct tlr_warnings {
    const struct tlr_warnings_callbacks *callbacks; /* NULL: nobody asks */
    uv_timer_t timer;
    uint64_t told[TLR_WARNINGS]; /* uv_hrtime() of the last; 0: never */
    _Atomic uint64_t times[TLR_WARNINGS];
    _Atomic int errors[TLR_WARNINGS];
};

/* Puts the timer on the host's loop, in one that is all zeroes. */
void tlr_warnings_init(struct tlr_warnings *warnings, uv_loop_t *loop,
                       const struct tlr_warnings_callbacks *callbacks);

/*
 * From any thread: it has happened once more. Does nothing before
 * tlr_warnings_init(), or without. error: a UV_E* code, or 0.
 */
void tlr_warnings_note(struct tlr_warnings *warnings,
                       enum tlr_warning_kind kind, int error);

/* On the host's: tells what may be told now. */
void tlr_warnings_tell(struct tlr_warnings *warnings);

/* Harmless if the host has closed it: then cb is not called. */
void tlr_warnings_close(struct tlr_warnings *warnings, uv_close_cb cb);

#endif
