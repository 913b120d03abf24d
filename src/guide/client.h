/* SPDX-License-Identifier: MIT */
/*
 * What the guide's programs check themselves with: a client on the host loop,
 * by libuv alone, and a way out when something is wrong.
 */
#ifndef GUIDE_CLIENT_H
#define GUIDE_CLIENT_H

#include <teller.h>

/* Ends the program, with a line of why, unless `holds`. */
#define must(holds) must_hold((holds), #holds, __FILE__, __LINE__)
void must_hold(int holds, const char *what, const char *file, int line);

/* 127.0.0.1, with a port that the system chooses. */
struct sockaddr_in any_port(void);

/*
 * Connects to the first address of the server, sends `say`, half-closes, and
 * must get `expect` and the end of the stream. Then calls `then`.
 */
void client_talk(uv_loop_t *loop, const struct tlr_server *server,
                 const char *say, const char *expect,
                 void (*then)(void *argument), void *argument);

#endif
