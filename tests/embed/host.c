/* SPDX-License-Identifier: MIT */
/*
 * A program that has a life of its own, and a teller in it: its loop has a timer
 * and 200 clients; each sends 40,000 random bytes to an echo server on two
 * workers and checks every byte that comes back. Then the server stops, and
 * nothing of it may be left: no handle on the loop, no thread, no descriptor.
 * Prints a line and returns 0, or says what was wrong.
 *
 * It is built against an installed tree, so it includes nothing else of ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <teller.h>

#define CLIENTS 200
#define BYTES 40000
#define LIMIT_MS 60000

struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    size_t verified;
    char sent[BYTES];
    char chunk[65536];
};

static uv_loop_t loop;
static uv_timer_t tick; /* what the program would do without us */
static uv_timer_t watchdog;
static struct tlr_server *server;
static struct client *clients;
static unsigned ticks, open_clients, stopped;

static void require(int condition, const char *what)
{
    if (!condition) {
        printf("failed: %s\n", what);
        exit(1);
    }
}

static void succeed(int err, const char *what)
{
    if (err < 0) {
        printf("failed: %s: %s\n", what, uv_strerror(err));
        exit(1);
    }
}

/* --- the server ----------------------------------------------------------- */

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn); /* cannot fail on a new connection */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* Runs on the host's loop: what is left there is the program's own. */
static void on_stopped(struct tlr_server *which)
{
    require(which == server, "on_stopped is told its server");
    stopped++;
    uv_close((uv_handle_t *)&tick, NULL);
    uv_close((uv_handle_t *)&watchdog, NULL);
}

static void check_counters(void)
{
    struct tlr_counters counters;
    unsigned i;

    for (i = 0; i < 2; i++) {
        succeed(tlr_server_counters(server, i, &counters, sizeof(counters)), "counters");
        require(counters.accepted > 0, "each worker got connections");
    }
    succeed(tlr_server_counters(server, TLR_ALL_WORKERS, &counters,
                                sizeof(counters)),
            "counters");
    require(counters.accepted == CLIENTS, "200 connections were accepted");
    require(counters.open == 0, "none of them is left open");
    require(counters.bytes_in == (uint64_t)CLIENTS * BYTES, "bytes read");
    require(counters.bytes_out == (uint64_t)CLIENTS * BYTES, "bytes written");
    require(counters.emulated == 0, "no socket on an emulated port");
}

static void start_server(void)
{
    struct tlr_options options;
    struct sockaddr_in address;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    options.loops = 2;
    options.on_stopped = on_stopped;
    succeed(uv_ip4_addr("127.0.0.1", 0, &address), "address");
    succeed(tlr_server_create(&server, &loop, &options), "create");
    succeed(tlr_server_listen(server, (struct sockaddr *)&address, 0),
            "listen");
    succeed(tlr_server_start(server), "start");
}

/* --- the clients ---------------------------------------------------------- */

static void on_client_close(uv_handle_t *handle)
{
    (void)handle;
    if (--open_clients == 0) {
        tlr_server_drain(server, 10000); /* the last to leave */
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct client *client = handle->data;

    (void)size;
    *buffer = uv_buf_init(client->chunk, sizeof(client->chunk));
}

static void on_client_read(uv_stream_t *stream, ssize_t nread,
                           const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    succeed((int)nread, "a client's read");
    require(client->verified + (size_t)nread <= BYTES, "no byte too many");
    require(memcmp(buffer->base, client->sent + client->verified,
                   (size_t)nread) == 0,
            "each byte comes back as it was sent");
    client->verified += (size_t)nread;
    if (client->verified == BYTES) {
        uv_close((uv_handle_t *)stream, on_client_close);
    }
}

static void on_client_write(uv_write_t *request, int status)
{
    (void)request;
    succeed(status, "a client's write");
}

static void on_connect(uv_connect_t *request, int status)
{
    struct client *client = request->handle->data;
    uv_buf_t buffer = uv_buf_init(client->sent, BYTES);

    succeed(status, "connect");
    succeed(uv_read_start(request->handle, on_alloc, on_client_read), "read");
    succeed(uv_write(&client->write, request->handle, &buffer, 1,
                     on_client_write),
            "write");
}

static void start_client(struct client *client,
                         const struct sockaddr_storage *address)
{
    succeed(uv_random(NULL, NULL, client->sent, BYTES, 0, NULL), "random");
    succeed(uv_tcp_init(&loop, &client->tcp), "tcp");
    client->tcp.data = client;
    succeed(uv_tcp_connect(&client->connect, &client->tcp,
                           (const struct sockaddr *)address, on_connect),
            "connect");
    open_clients++;
}

/* --- the program ---------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    ticks++;
}

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    require(0, "done within a minute");
}

/* How many entries a folder has; 0 where it is not there. */
static int entries(const char *folder)
{
    uv_fs_t request;
    int count = uv_fs_scandir(NULL, &request, folder, 0, NULL);

    uv_fs_req_cleanup(&request);
    return count < 0 ? 0 : count;
}

/* libuv opens two descriptors at the first loop and keeps them. */
static void warm_up(void)
{
    succeed(uv_loop_init(&loop), "loop");
    succeed(uv_loop_close(&loop), "an empty loop closes");
}

static void run(void)
{
    struct sockaddr_storage address;
    size_t i;

    succeed(uv_loop_init(&loop), "loop");
    succeed(uv_timer_init(&loop, &tick), "timer");
    succeed(uv_timer_start(&tick, on_tick, 1, 1), "timer");
    succeed(uv_timer_init(&loop, &watchdog), "timer");
    succeed(uv_timer_start(&watchdog, on_limit, LIMIT_MS, 0), "timer");
    start_server();
    succeed(tlr_server_address(server, 0, &address), "address");
    for (i = 0; i < CLIENTS; i++) {
        start_client(&clients[i], &address);
    }
    succeed(uv_run(&loop, UV_RUN_DEFAULT), "run");
    require(stopped == 1, "on_stopped came once");
    require(ticks > 0, "the program's own timer ran");
    check_counters();
    tlr_server_destroy(server);
    require(uv_loop_close(&loop) == 0, "the loop closes");
}

/* One that has been joined may be seen for a moment still. */
static int threads_at_last(int wanted)
{
    int i;

    for (i = 0; i < 1000 && entries("/proc/self/task") != wanted; i++) {
        uv_sleep(1);
    }
    return entries("/proc/self/task");
}

int main(void)
{
    int threads = entries("/proc/self/task");
    int descriptors;

    setvbuf(stdout, NULL, _IONBF, 0);
    clients = calloc(CLIENTS, sizeof(*clients));
    require(clients != NULL, "memory");
    warm_up();
    descriptors = entries("/proc/self/fd");
    run();
    require(threads_at_last(threads) == threads, "no thread is left");
    require(entries("/proc/self/fd") == descriptors,
            "no descriptor is left");
    free(clients);
    require(tlr_version() == TLR_VERSION_HEX, "header and library agree");
    printf("%d connections x %d bytes verified, stopped cleanly; teller "
           "%d.%d.%d, libuv %s\n",
           CLIENTS, BYTES, TLR_VERSION_MAJOR, TLR_VERSION_MINOR,
           TLR_VERSION_PATCH, uv_version_string());
    return 0;
}
