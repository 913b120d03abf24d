/* SPDX-License-Identifier: MIT */
/*
 * An echo server on libev, in its usual idiom: an ev_io for each connection,
 * which reads, writes at once, and waits to write what the kernel did not take
 * before it reads again. Port 0 of 127.0.0.1 or argv[1]; ends by SIGTERM.
 */
#define _GNU_SOURCE /* accept4() */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

struct conn {
    struct ev_io io;
    size_t begin; /* of what is to be written still */
    size_t end;
    char *rest; /* it, or NULL */
};

static char buffer[65536];

static void drop(struct ev_loop *loop, struct conn *conn)
{
    ev_io_stop(loop, &conn->io);
    close(conn->io.fd);
    free(conn->rest);
    free(conn);
}

static void wait_for(struct ev_loop *loop, struct conn *conn, int events)
{
    ev_io_stop(loop, &conn->io);
    ev_io_set(&conn->io, conn->io.fd, events);
    ev_io_start(loop, &conn->io);
}

/* Returns how much was written, or -1: the connection has failed. */
static ssize_t some(struct conn *conn, const char *bytes, size_t size)
{
    ssize_t done = write(conn->io.fd, bytes, size);

    if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
        done = 0;
    }
    return done;
}

static void keep(struct ev_loop *loop, struct conn *conn, const char *bytes,
                 size_t size)
{
    conn->rest = malloc(size);
    if (conn->rest == NULL) {
        drop(loop, conn);
        return;
    }
    memcpy(conn->rest, bytes, size);
    conn->begin = 0;
    conn->end = size;
    wait_for(loop, conn, EV_WRITE);
}

static void on_readable(struct ev_loop *loop, struct conn *conn)
{
    ssize_t size = read(conn->io.fd, buffer, sizeof(buffer));
    ssize_t done = 0;

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size > 0) {
        done = some(conn, buffer, (size_t)size);
    }
    if (size <= 0 || done < 0) {
        drop(loop, conn);
    } else if (done < size) {
        keep(loop, conn, buffer + done, (size_t)(size - done));
    }
}

static void on_writable(struct ev_loop *loop, struct conn *conn)
{
    ssize_t done =
        some(conn, conn->rest + conn->begin, conn->end - conn->begin);

    if (done < 0) {
        drop(loop, conn);
        return;
    }
    conn->begin += (size_t)done;
    if (conn->begin == conn->end) {
        free(conn->rest);
        conn->rest = NULL;
        wait_for(loop, conn, EV_READ);
    }
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
    (events & EV_WRITE ? on_writable : on_readable)(loop, (struct conn *)io);
}

static void on_accept(struct ev_loop *loop, struct ev_io *io, int events)
{
    int sock;

    (void)events;
    while ((sock = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct conn *conn = calloc(1, sizeof(*conn));

        if (conn == NULL) {
            close(sock);
            return;
        }
        ev_io_init(&conn->io, on_ready, sock, EV_READ);
        ev_io_start(loop, &conn->io);
    }
}

static void on_signal(struct ev_loop *loop, struct ev_signal *term, int events)
{
    (void)term;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    struct ev_signal term;
    struct ev_io io;

    signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(listener, F_SETFL, O_NONBLOCK);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, SOMAXCONN) != 0) {
        perror("bind");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &length);
    ev_io_init(&io, on_accept, listener, EV_READ);
    ev_io_start(loop, &io);
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_start(loop, &term);
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    ev_run(loop, 0);
    return 0;
}
