/* SPDX-License-Identifier: MIT */
/* The command line of teller-load. The caller owns the struct; main thread. */
#ifndef TLR_LOAD_SETTINGS_H
#define TLR_LOAD_SETTINGS_H

#include <stdbool.h>

#include "cli/address.h"
#include "plan.h"

struct tlr_load_settings {
    const char *address; /* as it was given */
    bool json;
    bool quiet;
    struct tlr_cli_addresses addresses;
    struct tlr_load_plan plan; /* borrows `addresses` */
};

/* Reads the command line and looks the address up. True: run, and release with
 * tlr_load_settings_free. False: all is said; leave with *status. */
bool tlr_load_settings_read(
    struct tlr_load_settings *settings, int argc, char **argv, int *status);

void tlr_load_settings_free(struct tlr_load_settings *settings);

#endif
