/* SPDX-License-Identifier: MIT */
/* A process's limits. For programs; any thread, best before others exist. */
#ifndef TLR_CLI_LIMITS_H
#define TLR_CLI_LIMITS_H

#include <stdint.h>

/*
 * Raises the number of descriptors this process may open as far as it may do
 * so itself: many systems start a process with 1024, which is a limit for
 * select() and not for us. Returns the number in force, UINT64_MAX if there is
 * no limit or it is not known.
 */
uint64_t tlr_cli_raise_descriptor_limit(void);

#endif
