/* SPDX-License-Identifier: MIT */
/*
 * epoll_load PORT CONNECTIONS SIZE SECONDS: what teller-load is measured against.
 * The same duties on epoll itself, without libuv: each connection sends a message
 * of its stream when the last one is back, every byte is compared with the
 * pattern, and each latency goes to a histogram (both are teller-load's, so that
 * only the way to the sockets differs). Prints round trips per second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load/histogram.h"
#include "load/pattern.h"

enum { CHUNK = 64 * 1024, EVENTS = 1024 };

struct conn {
    int fd;
    uint32_t number;
    uint64_t sent;     /* bytes of its stream */
    uint64_t received; /* right ones */
    uint64_t end;      /* of the message that is on the way */
    uint64_t begun;    /* ns: when it was sent */
    int wants;         /* events that are watched */
};

static uint8_t out[CHUNK];
static uint8_t in[CHUNK];
static struct tlr_load_histogram latency;
static uint64_t size;
static uint64_t trips;
static int poller;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void watch(struct conn *conn, int events)
{
    struct epoll_event event = {.events = (uint32_t)events, .data.ptr = conn};
    if (conn->wants == events) {
        return;
    }
    if (epoll_ctl(poller, conn->wants == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
            conn->fd, &event) != 0) {
        die("epoll_ctl");
    }
    conn->wants = events;
}

static void send_more(struct conn *conn)
{
    while (conn->sent < conn->end) {
        uint64_t left = conn->end - conn->sent;
        size_t length = left < CHUNK ? (size_t)left : CHUNK;
        tlr_load_pattern_fill(conn->number, conn->sent, out, length);
        ssize_t done = send(conn->fd, out, length, MSG_NOSIGNAL);
        if (done < 0 && errno == EAGAIN) {
            watch(conn, EPOLLIN | EPOLLOUT);
            return;
        }
        if (done < 0) {
            die("send");
        }
        conn->sent += (uint64_t)done;
    }
    watch(conn, EPOLLIN);
}

static void begin(struct conn *conn)
{
    conn->begun = now();
    conn->end += size;
    send_more(conn);
}

static void receive(struct conn *conn, int goes_on)
{
    ssize_t length = recv(conn->fd, in, CHUNK, 0);
    if (length < 0 && errno == EAGAIN) {
        return;
    }
    if (length <= 0) {
        die("recv");
    }
    if (tlr_load_pattern_verify(conn->number, conn->received, in,
            (size_t)length) != (size_t)length) {
        (void)fprintf(stderr, "a wrong byte\n");
        exit(1);
    }
    conn->received += (uint64_t)length;
    if (conn->received == conn->end) {
        tlr_load_histogram_add(&latency, now() - conn->begun);
        trips++;
        if (goes_on) {
            begin(conn);
        }
    }
}

static void open_conn(struct conn *conn, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (conn->fd < 0 ||
        connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        die("connect");
    }
    int one = fcntl(conn->fd, F_GETFL);
    if (one < 0 || fcntl(conn->fd, F_SETFL, one | O_NONBLOCK) != 0) {
        die("fcntl");
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: epoll_load PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    unsigned count = (unsigned)atoi(argv[2]);
    double seconds = atof(argv[4]);
    struct conn *conns = calloc(count, sizeof(*conns));
    struct epoll_event events[EVENTS];
    size = strtoull(argv[3], NULL, 10);
    poller = epoll_create1(0);
    if (conns == NULL || poller < 0) {
        die("start");
    }
    tlr_load_histogram_init(&latency);
    for (unsigned i = 0; i < count; i++) {
        conns[i].number = i;
        open_conn(&conns[i], (uint16_t)atoi(argv[1]));
    }
    uint64_t from = now();
    uint64_t until = from + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < count; i++) {
        begin(&conns[i]);
    }
    uint64_t at = from;
    while (at < until) {
        int ready = epoll_wait(poller, events, EVENTS, 100);
        at = now();
        for (int i = 0; i < ready; i++) {
            struct conn *conn = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                send_more(conn);
            }
            if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
                receive(conn, at < until);
            }
        }
    }
    printf("%.1f\n", (double)trips / ((double)(at - from) / 1e9));
    return 0; /* the system closes what is open */
}
