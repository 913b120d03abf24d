/* SPDX-License-Identifier: MIT */
/* What chat, proxy and kv have in common, and echo.c shows in one piece. */
#ifndef EXAMPLES_SERVE_H
#define EXAMPLES_SERVE_H

#include <teller.h>

/*
 * Serves on 127.0.0.1 and this port (0: the system chooses, and it is printed
 * which) until SIGINT or SIGTERM. Returns the exit status.
 */
int serve(const struct tlr_options *options, int port);

#endif
