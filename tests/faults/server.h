/* SPDX-License-Identifier: MIT */
/*
 * The server of one case: a process with the shim in it, from its start until
 * it has ended and been looked at.
 */
#ifndef TLR_FAULTS_SERVER_H
#define TLR_FAULTS_SERVER_H

#include "faults.h"

#include <stdbool.h>
#include <sys/types.h>

/* How the server is set up. */
struct config {
    const char *name;
    const char *loops;   /* as its argument has it */
    const char *balance; /* likewise */
    bool echo;           /* it is teller-echo, else host.c */
    bool quick;          /* it is in a quick run */
};

struct server {
    const struct config *config;
    struct tlr_faults *faults; /* mapped in both */
    pid_t pid;
    int input;  /* orders go there, -1: none */
    int output; /* its lines come from there */
    int held;   /* the port of teller-echo, or -1 */
    int errors; /* a file that has what it said otherwise */
    int status; /* of waitpid(), once `ended` */
    double started; /* in seconds */
    bool ended;
    bool ready;
    unsigned ports[2]; /* plain echo, frames (0: none) */
    unsigned lost;     /* times that it gave up connecting */
    unsigned again;    /* times that it began again */
    char failed[32];   /* why it did not start */
    char line[256];    /* what has come of one */
    size_t length;
};

/*
 * Starts it. listener: where it connects to; adopted: a socket that it is given,
 * or -1, and closed here; limit: of its descriptors, 0: none.
 */
void server_start(struct server *server, const struct config *config,
                  const struct tlr_faults *plan, unsigned listener,
                  int adopted, unsigned limit);

/* Looks at what it has said, and whether it has ended. */
void server_look(struct server *server);

/* The first order drains, the second stops. */
void server_order(struct server *server, unsigned number);

/* Has it abort, for its stack, and then kills it. */
void server_kill(struct server *server);

/* Prints what it said on its standard error. */
void server_print_errors(const struct server *server);

void server_close(struct server *server);

#endif
