/* SPDX-License-Identifier: MIT */
/*
 * The other ends of connections, on a test's loop: a client that knows what it
 * is owed, and an echo server that can lie. Nothing here blocks; functions that
 * wait use run_until and fail the test when it takes too long. The structs are
 * the scene's.
 */
#ifndef TLR_TESTS_PEERS_H
#define TLR_TESTS_PEERS_H

#include "scene.h"

/* What a client sends is a stream of bytes that follow from their positions, so
 * that each byte that comes back can be checked where it comes. */
struct client {
    struct scene *scene;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    bool connected;
    int end; /* why there is nothing more to come: UV_EOF or an error; or 0 */
    uint64_t sent;
    uint64_t received;
    uint64_t wrong; /* received, and not what was sent */
};

/* Begins to connect to `address`, "HOST:PORT" in numbers. */
struct client *client_start(struct scene *scene, const char *address);

/* Begins, and waits until it is connected. */
struct client *client_connect(struct scene *scene, const char *address);

/* Waits until it is connected or cannot be; returns 0 or the error. */
int client_wait_connected(struct client *client);

/* Sends the next `size` bytes, in the background. */
void client_send(struct client *client, size_t size);

/* Waits until all that was sent is back, right. */
void client_expect_all_back(struct client *client);

/* Sends and waits for that. */
void client_echo(struct client *client, size_t size);

/* Half-closes behind what was sent, and waits for the rest and UV_EOF. */
void client_finish(struct client *client);

/* Does not read from now on; and reads again. */
void client_stop_reading(struct client *client);
void client_read_on(struct client *client);

/* Waits until the other side has ended it; returns UV_EOF or the error. */
int client_wait_end(struct client *client);

void client_leave(struct client *client);

/* An echo server of one address. The lies are for every connection. */
struct liar {
    struct scene *scene;
    uv_tcp_t listener;
    char address[32]; /* where it listens, once it does */
    uint64_t flips;   /* the byte at this position comes back wrong */
    uint64_t keeps;   /* all from this position on never comes back */
    uint64_t hoards;  /* the first byte waits until so many are here */
    unsigned accepted;
    uint64_t received;
};

/* An honest one, on a free port. */
struct liar *liar_listen(struct scene *scene);

/* A free port at which nobody listens, and if it is kept nobody will until the
 * teardown. */
const char *nobodys_address(struct scene *scene, bool keep);

#endif
