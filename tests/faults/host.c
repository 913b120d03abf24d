/* SPDX-License-Identifier: MIT */
/*
 * A server for the sweep, which uses more of the library than teller-echo does.
 *
 *     host LOOPS BALANCE CONNECT_PORT ADOPTED_FD
 *
 * LOOPS: a number, "host", or "borrowed": on one of its own. BALANCE: least, rr, reuseport. It
 * listens on two ports of 127.0.0.1, connects twice to CONNECT_PORT (0: not at
 * all) and adopts the socket ADOPTED_FD (-1: none). Then it prints
 *
 *     ready PORT PORT
 *
 * ("again" and "lost" tell of connecting that failed)
 * and echoes: on the first port as teller-echo does, on the second frames, read
 * and written by the other functions. Each letter on its standard input is an
 * order: d, drain; s, stop. At the end everything has to be gone.
 *
 * Status 0: it has served; 3: "failed: UV_...", the start did, in order; 4:
 * something was left on the loop.
 */
#include "faults.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <teller.h>

#include "echo/echo.h"

#define FAILED 3
#define LEFT 4
#define HEADER 4 /* bytes before a frame: its length */
#define FRAME_MOST (1024 * 1024)
#define OUTBOUND 2

static tlr_faults_hit_fn hit;
static tlr_faults_pause_fn pause_faults;

/* ---- memory ---------------------------------------------------------- */

static int no_memory(void)
{
    return hit != NULL && hit(TLR_FAULT_ALLOCATOR);
}

static void *take(size_t size, void *user)
{
    (void)user;
    return no_memory() ? NULL : malloc(size);
}

static void *take_cleared(size_t count, size_t size, void *user)
{
    (void)user;
    return no_memory() ? NULL : calloc(count, size);
}

static void *resize(void *memory, size_t size, void *user)
{
    (void)user;
    return no_memory() ? NULL : realloc(memory, size);
}

static void give_back(void *memory, void *user)
{
    (void)user;
    free(memory);
}

/* ---- the frames -------------------------------------------------------- */

struct data {
    int framed;      /* else it is plain echo */
    uint32_t length; /* of the frame that is read; 0: its header is */
    uint32_t number; /* of frames so far */
};

static void read_header(struct tlr_conn *conn)
{
    struct data *frames = tlr_conn_data(conn);

    frames->length = 0;
    if (tlr_read_exactly(conn, HEADER) != 0) {
        tlr_close(conn);
    }
}

static void got_header(struct tlr_conn *conn, const char *data)
{
    struct data *frames = tlr_conn_data(conn);

    memcpy(&frames->length, data, HEADER);
    if (frames->length == 0 || frames->length > FRAME_MOST ||
        tlr_send(conn, data, HEADER) != 0 ||
        tlr_read_exactly(conn, frames->length) != 0) {
        tlr_close(conn);
    }
}

/* In six pieces: libuv has room for four without memory of its own. */
static int write_pieces(struct tlr_conn *conn, char *data, size_t size)
{
    uv_buf_t pieces[6];
    size_t each = size / 6;
    unsigned i;

    for (i = 0; i < 6; i++) {
        pieces[i] = uv_buf_init(data + i * each,
                                (unsigned)(i < 5 ? each : size - 5 * each));
    }
    return tlr_writev(conn, pieces, 6);
}

/* On its worker, from wherever. */
static void go_on(struct tlr_conn *conn, int status, void *data)
{
    (void)data;
    if (status == 0) {
        read_header(conn);
    }
}

/* By way of the mailbox; without memory for that, at once. */
static void next_frame(struct tlr_conn *conn)
{
    struct tlr_id id;

    if (tlr_conn_id(conn, &id) != 0 ||
        tlr_post_conn(tlr_conn_server(conn), id, go_on, NULL) != 0) {
        read_header(conn);
    }
}

/* Every other one is copied, the others are written from where they are. */
static void got_frame(struct tlr_conn *conn, char *data, size_t size)
{
    struct data *frames = tlr_conn_data(conn);

    if (frames->number++ % 2 == 0) {
        if (write_pieces(conn, data, size) != 0) {
            tlr_close(conn);
        }
    } else if (tlr_send(conn, data, size) != 0) {
        tlr_close(conn);
    } else {
        next_frame(conn);
    }
}

static void frames_on_open(struct tlr_conn *conn)
{
    read_header(conn);
}

static void frames_on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    const struct data *frames = tlr_conn_data(conn);

    if (nread < 0) {
        tlr_close(conn);
    } else if (frames->length == 0) {
        got_header(conn, data);
    } else {
        got_frame(conn, data, (size_t)nread);
    }
}

static void frames_on_write(struct tlr_conn *conn, int status)
{
    if (status != 0) {
        tlr_close(conn);
    } else {
        next_frame(conn);
    }
}

/* ---- which of the two -------------------------------------------------- */

static struct {
    struct tlr_handler echo;
    struct tlr_server *server; /* for orders; NULL: none */
    pthread_mutex_t mutex;     /* of that */
    in_port_t frames_port;     /* in network order */
    struct sockaddr_in out;
    int connects;
    int tries; /* to connect after one that failed */
} own = {.mutex = PTHREAD_MUTEX_INITIALIZER, .tries = 10};

/* Not counted, and in one piece. */
static void say(const char *what, int err)
{
    char line[80];
    char name[32]; /* uv_err_name() allocates if it does not know it */
    int length = snprintf(line, sizeof(line), "%s %s\n", what,
                          uv_err_name_r(err, name, sizeof(name)));

    (void)!syscall(SYS_write, 1, line, length);
}

/* With an address that cannot be had it is plain echo. */
static int has_frames(const struct tlr_conn *conn)
{
    struct sockaddr_storage peer;
    struct sockaddr_storage local;

    return tlr_conn_peer(conn, &peer) == 0 &&
           tlr_conn_local(conn, &local) == 0 &&
           ((struct sockaddr_in *)&local)->sin_port == own.frames_port;
}

static int is_framed(struct tlr_conn *conn)
{
    return ((struct data *)tlr_conn_data(conn))->framed;
}

static void on_open(struct tlr_conn *conn)
{
    struct data *data = tlr_conn_data(conn);

    data->framed = has_frames(conn);
    if (data->framed) {
        frames_on_open(conn);
    } else {
        own.echo.on_open(conn);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (is_framed(conn)) {
        frames_on_read(conn, nread, data);
    } else {
        own.echo.on_read(conn, nread, data);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (is_framed(conn)) {
        frames_on_write(conn, status);
    } else {
        own.echo.on_write(conn, status);
    }
}

/*
 * Tries again at once, so that there are as many in the end; but not for ever,
 * since there may be too few descriptors.
 */
static void connect_one(struct tlr_server *server)
{
    struct tlr_conn *conn;
    int err;

    do {
        err = tlr_connect(server, 0, (struct sockaddr *)&own.out, NULL, &conn);
    } while (err == UV_ENOMEM && own.tries-- > 0);
    if (err != 0) {
        say("lost", err);
    }
}

static void on_connect(struct tlr_conn *conn, int status)
{
    if (status != 0 && own.tries > 0) {
        own.tries--;
        say("again", status);
        connect_one(tlr_conn_server(conn));
    } else if (status != 0) {
        say("lost", status);
    }
}

static void on_worker_start(struct tlr_server *server, unsigned worker)
{
    int i;

    for (i = 0; worker == 0 && i < own.connects; i++) {
        connect_one(server);
    }
}

/* ---- orders ------------------------------------------------------------ */

static void order(char letter)
{
    pthread_mutex_lock(&own.mutex);
    if (own.server != NULL && letter == 'd') {
        tlr_server_drain(own.server, 20000);
    } else if (own.server != NULL && letter == 's') {
        tlr_server_stop(own.server);
    }
    pthread_mutex_unlock(&own.mutex);
}

static void pause_here(int on)
{
    if (pause_faults != NULL) {
        pause_faults(on);
    }
}

static void *take_orders(void *argument)
{
    char letter;

    pause_here(1);
    while (syscall(SYS_read, 0, &letter, 1) == 1) {
        pause_here(0);
        order(letter);
        pause_here(1);
    }
    return argument;
}

static void watch_orders(struct tlr_server *server)
{
    pthread_mutex_lock(&own.mutex);
    own.server = server;
    pthread_mutex_unlock(&own.mutex);
}

/* ---- the server --------------------------------------------------------- */

static void fill_options(struct tlr_options *options, char **argv)
{
    tlr_options_init(options, sizeof(*options));
    tlr_echo_handler(&own.echo);
    options->handler.on_open = on_open;
    options->handler.on_read = on_read;
    options->handler.on_write = on_write;
    options->handler.on_connect = on_connect;
    options->on_worker_start = on_worker_start;
    options->conn_data_size = sizeof(struct data);
    options->worker_data_size = 64;
    options->allocator.malloc = take;
    options->allocator.calloc = take_cleared;
    options->allocator.realloc = resize;
    options->allocator.free = give_back;
    options->loops = strcmp(argv[1], "host") == 0       ? TLR_LOOPS_HOST
                     : strcmp(argv[1], "borrowed") == 0 ? TLR_LOOPS_BORROWED
                                                        : atoi(argv[1]);
    options->borrowed = 1;
    options->balance = strcmp(argv[2], "reuseport") == 0
                           ? TLR_BALANCE_REUSEPORT
                           : TLR_BALANCE_LEAST;
}

static int port_of(struct tlr_server *server, unsigned index, in_port_t *port)
{
    struct sockaddr_storage address;
    int err = tlr_server_address(server, index, &address);

    *port = ((struct sockaddr_in *)&address)->sin_port;
    return err;
}

static int listen_and_start(struct tlr_server *server)
{
    struct sockaddr_in any;
    int err = uv_ip4_addr("127.0.0.1", 0, &any);
    int i;

    for (i = 0; i < 2 && err == 0; i++) {
        err = tlr_server_listen(server, (struct sockaddr *)&any, 0);
    }
    if (err == 0) {
        err = port_of(server, 1, &own.frames_port);
    }
    return err == 0 ? tlr_server_start(server) : err;
}

static void adopt(struct tlr_server *server, int fd)
{
    int err = fd < 0 ? 0 : tlr_adopt(server, TLR_NEXT_WORKER, fd);

    if (err != 0) {
        (void)syscall(SYS_close, fd); /* which tells the peer */
    }
}

static void say_ready(struct tlr_server *server)
{
    char line[80];
    in_port_t port;
    int length;

    (void)port_of(server, 0, &port); /* as it went before */
    length = snprintf(line, sizeof(line), "ready %u %u\n", ntohs(port),
                      ntohs(own.frames_port));
    (void)!syscall(SYS_write, 1, line, length);
}

/* What uv_loop_init() has failed on leaves that behind. */
static int open_loop(uv_loop_t *loop)
{
    int err = uv_loop_init(loop);

    if (err != 0) {
        (void)syscall(SYS_close, uv_backend_fd(loop));
    }
    return err;
}

/* ---- a borrowed loop ---------------------------------------------------- */

struct lender {
    struct tlr_server *server;
    pthread_t thread;
    atomic_int attached; /* 1: not yet; or what was said */
    int left;            /* its loop could not be closed */
};

static void *lend(void *argument)
{
    struct lender *lender = argument;
    uv_loop_t loop;
    int err = open_loop(&loop);

    if (err != 0) {
        atomic_store(&lender->attached, err);
        return NULL;
    }
    err = tlr_server_attach(lender->server, 0, &loop);
    atomic_store(&lender->attached, err);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    lender->left = uv_loop_close(&loop);
    return NULL;
}

static int lend_one(struct lender *lender, struct tlr_server *server)
{
    int err;

    lender->server = server;
    lender->attached = 1;
    pause_here(1);
    err = pthread_create(&lender->thread, NULL, lend, lender);
    pause_here(0);
    while (err == 0 && atomic_load(&lender->attached) == 1) {
        uv_sleep(1);
    }
    return err == 0 ? atomic_load(&lender->attached) : UV_EAGAIN;
}

static int serve(uv_loop_t *loop, char **argv)
{
    struct tlr_options options;
    struct tlr_server *server;
    struct lender lender = {.server = NULL};
    int fd = atoi(argv[4]);
    int err;

    fill_options(&options, argv);
    err = tlr_server_create(&server, loop, &options);
    if (err != 0) {
        (void)syscall(SYS_close, fd);
        return err;
    }
    err = listen_and_start(server);
    if (err == 0 && options.loops == TLR_LOOPS_BORROWED) {
        err = lend_one(&lender, server);
        if (err != 0) {
            tlr_server_stop(server);
        }
    }
    if (err == 0) {
        adopt(server, fd);
        watch_orders(server);
        say_ready(server);
    } else {
        (void)syscall(SYS_close, fd);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT); /* until all is closed */
    watch_orders(NULL);
    if (lender.server != NULL) {
        (void)pthread_join(lender.thread, NULL);
    }
    tlr_server_destroy(server);
    (void)uv_run(loop, UV_RUN_DEFAULT); /* a failed start's rest */
    if (lender.left != 0) {
        exit(LEFT);
    }
    return err;
}

int main(int argc, char **argv)
{
    static uv_loop_t loop;
    pthread_t thread;
    int err;

    if (argc != 5) {
        return 2;
    }
    *(void **)&hit = dlsym(RTLD_DEFAULT, "tlr_faults_hit");
    *(void **)&pause_faults = dlsym(RTLD_DEFAULT, "tlr_faults_pause");
    own.connects = atoi(argv[3]) == 0 ? 0 : OUTBOUND;
    (void)uv_ip4_addr("127.0.0.1", atoi(argv[3]), &own.out);
    pause_here(1);
    err = pthread_create(&thread, NULL, take_orders, NULL);
    pause_here(0);
    if (err != 0) {
        return 2;
    }
    err = open_loop(&loop);
    if (err == 0) {
        err = serve(&loop, argv);
        if (uv_loop_close(&loop) != 0) {
            return LEFT;
        }
    }
    uv_library_shutdown();
    if (err != 0) {
        say("failed", err);
        return FAILED;
    }
    return 0;
}
