/* SPDX-License-Identifier: MIT */
/* What the models of Windows share beside model.h. */
#ifndef TLR_BENCH_MODEL_WIN_H
#define TLR_BENCH_MODEL_WIN_H

#include "model.h"

#include <mswsock.h>

/* Sends without delay: no listener hands that down here. For each socket that
 * was accepted. */
void model_nodelay(SOCKET sock);

/*
 * Ends all calls and operations on a connection, those that wait now
 * (WSA_OPERATION_ABORTED) and those to come (WSAESHUTDOWN), so that whoever
 * serves it leaves it and closes the socket. Any thread, while that one cannot
 * have closed it yet: a handle's number is given out again.
 */
void model_break(SOCKET sock);

/*
 * The connections of a model that serves them on several threads; the first
 * member of what it keeps of each. Any thread, but a connection leaves once,
 * and nobody uses it then.
 */
struct model_conn {
    SOCKET sock;
    unsigned delay;
    struct model_conn *next;
    struct model_conn **at; /* what points to it */
};

void model_enter(struct model_conn *conn);

/* Takes the connection, from malloc: closes its socket, which sends what is
 * left and then a FIN, and frees it. No operation may be under way: the system
 * writes to the memory of one that is. */
void model_leave(struct model_conn *conn);

/* For the end: model_break() for each that is there, and for each that still
 * comes. Waits until the last one has left. */
void model_break_all(void);

/* Of the error that WSAGetLastError() has. Returns TLR_CLI_STATUS_FAILURE. */
int model_fail_wsa(const char *what);

/*
 * Starts `count` threads into `threads`. False: it has said why, and some may
 * run; who is not serving yet may leave, and that ends them.
 */
bool model_threads_start(
    HANDLE *threads, unsigned count, unsigned(__stdcall *run)(void *));

/* Waits for their ends. */
void model_threads_join(HANDLE *threads, unsigned count);

/*
 * A socket that becomes readable by model_ring(), for a thread that waits for
 * sockets and for nothing else. False: it has said why.
 */
bool model_bell_create(SOCKET *bell);
void model_ring(SOCKET bell);

/* Accepting by AcceptEx(), one connection at a time. */
struct model_accept {
    OVERLAPPED overlapped; /* the first member; its event is the caller's */
    SOCKET sock;           /* for who comes next, while it is under way */
    char addresses[2 * (sizeof(struct sockaddr_storage) + 16)];
};

/* Finds AcceptEx as the listener's provider has it: called through mswsock.lib it
 * would be looked up each time. To be called first. False: it has said why. */
bool model_accept_init(SOCKET listener, int family);

/* Begins to accept, which completes later also if it is done at once. False: it
 * cannot just now, and nothing is under way. Any thread. */
bool model_accept_begin(SOCKET listener, struct model_accept *accept);

/* Gives the socket of one that has completed, with TCP_NODELAY; INVALID_SOCKET: it
 * did not succeed, or the peer has gone again. Any thread. */
SOCKET model_accept_end(SOCKET listener, SOCKET sock, bool succeeded);

#endif
