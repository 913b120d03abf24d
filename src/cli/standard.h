/* SPDX-License-Identifier: MIT */
/* The standard streams. For programs, before anything else. */
#ifndef TLR_CLI_STANDARD_H
#define TLR_CLI_STANDARD_H

/*
 * Opens those of the descriptors 0, 1 and 2 that are closed, on the null device.
 * Else the next file or socket would get such a number: what is printed would go
 * there, and libuv aborts when it closes one.
 */
void tlr_cli_open_standard(void);

#endif
