/* SPDX-License-Identifier: MIT */
/*
 * An echo server on libevent, in its usual idiom: a listener and a bufferevent
 * for each connection, input moved to output; the connection is freed at its
 * end or at an error. Port 0 of 127.0.0.1 or argv[1]; ends by SIGTERM.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static void on_read(struct bufferevent *conn, void *arg)
{
    (void)arg;
    (void)evbuffer_add_buffer(bufferevent_get_output(conn),
                              bufferevent_get_input(conn));
}

static void on_event(struct bufferevent *conn, short what, void *arg)
{
    (void)arg;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        bufferevent_free(conn);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t sock,
                      struct sockaddr *address, int length, void *base)
{
    struct bufferevent *conn =
        bufferevent_socket_new(base, sock, BEV_OPT_CLOSE_ON_FREE);
    int on = 1;

    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)listener;
    (void)address;
    (void)length;
    if (conn == NULL) {
        evutil_closesocket(sock);
        return;
    }
    bufferevent_setcb(conn, on_read, NULL, on_event, NULL);
    bufferevent_enable(conn, EV_READ | EV_WRITE);
}

static void on_signal(evutil_socket_t sig, short what, void *base)
{
    (void)sig;
    (void)what;
    event_base_loopexit(base, NULL);
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct evconnlistener *listener;
    struct event *term;
    socklen_t length = sizeof(address);

    signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    listener = evconnlistener_new_bind(
        base, on_accept, base, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
        SOMAXCONN, (struct sockaddr *)&address, sizeof(address));
    if (listener == NULL) {
        perror("bind");
        return 1;
    }
    term = evsignal_new(base, SIGTERM, on_signal, base);
    evsignal_add(term, NULL);
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address,
                &length);
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    event_base_dispatch(base);
    evconnlistener_free(listener);
    event_free(term);
    event_base_free(base);
    return 0;
}
