/* SPDX-License-Identifier: MIT */
/* The command line of teller-load. The caller owns the struct; main thread. */
#ifndef TLR_LOAD_SETTINGS_H
#define TLR_LOAD_SETTINGS_H

#include <stdbool.h>

#include "cli/address.h"
#include "cli/options.h"
#include "plan.h"
#include "require.h"

enum { TLR_LOAD_SOURCES = 256 };

struct tlr_load_settings {
    const char *address; /* as it was given */
    bool json;
    bool csv;
    bool quiet;
    uint64_t repeat;       /* runs, from 1 */
    const char *histogram; /* files to write; NULL: none */
    const char *log;
    const char *report;
    struct tlr_load_requirements require;
    struct tlr_cli_addresses addresses;
    struct sockaddr_storage sources[TLR_LOAD_SOURCES];
    struct tlr_load_sizes sizes;
    struct tlr_load_plan plan; /* borrows all of these */
};

/* Reads the command line and looks the address up. True: run, and release with
 * tlr_load_settings_free. False: all is said; leave with *status. */
bool tlr_load_settings_read(
    struct tlr_load_settings *settings, int argc, char **argv, int *status);

/* Leaves out the addresses that none of the plan's sources, if it has some, can
 * connect to. */
void tlr_load_settings_fit(
    const struct tlr_load_plan *plan, struct tlr_cli_addresses *addresses);

void tlr_load_settings_free(struct tlr_load_settings *settings);

#endif
