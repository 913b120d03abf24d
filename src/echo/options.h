/* SPDX-License-Identifier: MIT */
/* The command line of teller-echo. */
#ifndef TLR_ECHO_OPTIONS_H
#define TLR_ECHO_OPTIONS_H

#include "cli/options.h"
#include "core/teller.h"

/* Who may connect. */
struct tlr_echo_rules {
    struct tlr_access_rule *items; /* see tlr_echo_options_free() */
    size_t count;
};

struct tlr_echo_options {
    struct tlr_cli_list listen; /* borrowed from argv; may be empty */
    const char *takeover;       /* likewise; NULL: it was not asked for */
    const char *user;           /* likewise */
    int loops;                  /* as tlr_options.loops */
    unsigned balance;           /* enum tlr_balance */
    uint64_t backlog;
    uint64_t max_connections;
    uint64_t max_per_worker;
    uint64_t max_per_peer;
    uint64_t accept_rate;
    uint64_t accept_burst;
    unsigned at_limit;   /* enum tlr_at_limit */
    struct tlr_echo_rules access;
    uint64_t max_queued; /* bytes; 0: the library's choice */
    uint64_t idle_timeout;  /* this and the next two: milliseconds */
    uint64_t write_timeout;
    uint64_t max_lifetime;
    uint64_t write_rate;    /* bytes a second */
    uint64_t read_buffer; /* bytes */
    uint64_t drain;       /* milliseconds */
    uint64_t stall_time;  /* milliseconds; 0: not watched */
    uint64_t stats;       /* milliseconds; 0: none */
    bool json;
    bool quiet;
};

/*
 * Reads the command line; `items` has room for argc pointers. False: what had
 * to be said has been printed, leave with *status. Either way they are for
 * tlr_echo_options_free().
 */
bool tlr_echo_options_read(struct tlr_echo_options *options,
                           const char **items, int argc, char *const *argv,
                           int *status);

/* Without a --listen: the address that there is then. */
void tlr_echo_options_default_listen(struct tlr_echo_options *options);

/* Releases what has been read; harmless for one that is all zeroes. */
void tlr_echo_options_free(struct tlr_echo_options *options);

#endif
