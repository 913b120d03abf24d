/* SPDX-License-Identifier: MIT */
/*
 * Runs of the load, each against an echo server of its own that is bad in some
 * way, all on one loop. A test fills in struct lies (all zero: honest), and a
 * plan, and looks at what the run has said.
 *
 * Most runs wait more than they do, so those of one test go side by side: each is
 * a trial with a number, and what is declared here is of the one that was turned
 * to last. The thread that waits for them blocks until all are done.
 */
#ifndef TLR_TESTS_LOADED_H
#define TLR_TESTS_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "load/run.h"

enum {
    LOADED_LINES = 5,
    LOADED_LINE = 512,
    LOADED_SOURCES = 8,
    LOADED_TRIALS = 16
};

/* What the server does to each connection, or as far as `only` says. Positions
 * are of the bytes of one connection. */
struct lies {
    bool spared;          /* only what is due to `only` is spoilt */
    uint32_t only;        /* by its stream: a connection that has sent bytes */
    uint64_t flip;        /* from 1: that byte comes back changed */
    uint64_t end_after;   /* from 1: ends its side behind so many, reads on */
    uint64_t silent_from; /* from 1: from that byte on none comes back */
    uint64_t closes_from; /* from 1: closes when so many are here */
    bool closes;          /* at once */
    bool never_ends;      /* its side, after the other one */
    bool deaf;            /* reads nothing */
    bool surplus;         /* some bytes more behind the other side's end */
    const char *hello;    /* says so at once */
    unsigned delay_ms;    /* to answer */
    unsigned delay_until; /* ms from the first connection on; 0: always */
    unsigned trickle;     /* answers so many bytes a millisecond; of one
                             connection only */
    bool takes_none;      /* connections stay in the listener's row, if at all */
    bool on_ipv6;         /* listens at ::1; where there is none, skips */
    unsigned stall_ms;    /* answers nothing for so long, in the middle of ... */
    unsigned every_ms;    /* ... each of these */
};

/* When to ask the run to stop, and to stop again. */
struct stops {
    unsigned after[2]; /* ms; 0: not */
    unsigned from;     /* when so many connections were there; 0: its start */
};

/* What it has seen. */
struct seen {
    unsigned accepted;
    uint64_t bytes;
    uint64_t first_at; /* uv_hrtime() of the first connection; and the last */
    uint64_t last_at;
    struct {
        char address[64];
        unsigned count;
    } sources[LOADED_SOURCES];
    unsigned source_count;
};

/* What the run has said. */
struct said {
    bool done;
    unsigned lines;
    char line[LOADED_LINES][LOADED_LINE];
    unsigned begun;
    unsigned intervals;
    struct tlr_load_tally total;
    struct tlr_load_figures *figures; /* a copy, until the next run */
    double seconds;
    double took; /* seconds, from the start until it was done */
    bool good;
    bool stopped_early;
    bool aborted;
    bool unmeasured;
    double gave_out;
    uint64_t interval_trips; /* sums over all intervals */
    uint64_t interval_errors;
    uint64_t open_most;
    double interval_seconds;
};

/* Of the trial that was turned to last. */
extern struct lies *lies;
extern struct seen *seen;
extern struct said *said;
extern struct stops *stops;

/* Clears all of the above, of all trials, and turns to the first one: a setup
 * function. */
int loaded_setup(void **state);

void loaded_turn_to(unsigned i);

/* A few connections on one thread. */
struct tlr_load_plan loaded_plan(enum tlr_load_mode mode);

/* Begins a run against a server, which listens at 127.0.0.1; of addresses in the
 * plan those of no family become the server's. */
void loaded_begin(const struct tlr_load_plan *plan);

/* Waits for all that have begun. */
void loaded_wait(void);

/* Both of these: a run alone. */
void loaded_run(const struct tlr_load_plan *plan);

/* The percentile of the main measure, in ms. */
double loaded_ms(const struct tlr_load_plan *plan, double percent);

/* Whether the machine has kept this process waiting in the last run for so long that
 * times of it mean nothing. */
bool loaded_was_starved(void);

/* Requires what is about times; skips the test if that is so and it does not hold. */
#define assert_in_time(c) loaded_in_time((c), #c, __FILE__, __LINE__)
void loaded_in_time(bool holds, const char *what, const char *file, int line);

/* Requires that some line has these words. */
void loaded_expect(const char *words);

/* A TCP port at which nobody listens. */
void loaded_nobody(struct sockaddr_storage *address);

#endif
