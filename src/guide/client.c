/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    const char *say;
    const char *expect; /* what is still to come */
    void (*then)(void *argument);
    void *argument;
    char buffer[4096];
};

void must_hold(int holds, const char *what, const char *file, int line)
{
    if (!holds) {
        (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

struct sockaddr_in any_port(void)
{
    struct sockaddr_in address;

    must(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    return address;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    void (*then)(void *argument) = client->then;
    void *argument = client->argument;

    free(client);
    then(argument);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;

    (void)suggested;
    *buf = uv_buf_init(client->buffer, sizeof(client->buffer));
}

static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *client = stream->data;

    if (nread == UV_EOF) {
        must(client->expect[0] == '\0');
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    must(nread >= 0);
    must(strlen(client->expect) >= (size_t)nread);
    must(memcmp(client->expect, buf->base, (size_t)nread) == 0);
    client->expect += nread;
}

/* The server may be faster with its end. */
static void on_sent(uv_shutdown_t *request, int status)
{
    (void)request;
    must(status == 0 || status == UV_ENOTCONN || status == UV_ECANCELED);
}

static void on_written(uv_write_t *request, int status)
{
    (void)request;
    must(status == 0);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct client *client = request->handle->data;
    uv_buf_t say;

    must(status == 0);
    must(uv_read_start(request->handle, on_alloc, on_data) == 0);
    if (client->say[0] != '\0') {
        say = uv_buf_init((char *)client->say, (unsigned)strlen(client->say));
        must(uv_write(&client->write, request->handle, &say, 1, on_written) ==
             0);
    }
    must(uv_shutdown(&client->shutdown, request->handle, on_sent) == 0);
}

void client_talk(uv_loop_t *loop, const struct tlr_server *server,
                 const char *say, const char *expect,
                 void (*then)(void *argument), void *argument)
{
    struct client *client = calloc(1, sizeof(*client));
    struct sockaddr_storage address;

    must(client != NULL);
    client->say = say;
    client->expect = expect;
    client->then = then;
    client->argument = argument;
    must(tlr_server_address(server, 0, &address) == 0);
    must(uv_tcp_init(loop, &client->tcp) == 0);
    client->tcp.data = client;
    must(uv_tcp_connect(&client->connect, &client->tcp,
                        (const struct sockaddr *)&address,
                        on_connected) == 0);
}
