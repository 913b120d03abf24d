/* SPDX-License-Identifier: MIT */
/*
 * poll on one thread: the kernel is asked which of all the sockets are ready,
 * and these are served, without blocking, one after the other.
 *
 * Serves well: some dozens of connections, or hundreds that are all busy, on
 * every Unix; no thread waits for another, and nothing has to be locked. Ends:
 * with many that are open and few that are busy, since each call hands the whole
 * table over and looks through all of it; and with a handler that blocks, for
 * which everybody waits.
 */
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct model model = {
    .name = "model_poll",
    .summary = "An echo server on one thread that waits with poll.",
};

struct conn {
    unsigned delay;
    struct model_rest rest;
};

/* The first places of the table; then come the connections. */
enum { LISTENER, WOKEN, FIRST };

static struct pollfd *polled;
static struct conn *conns; /* of the same index in `polled` */
static size_t count = FIRST;
static size_t room;
static struct model_pause pause_of_accept;
static int woken; /* an eventfd, never read: it stays readable */

static void wake(void)
{
    uint64_t one = 1;
    ssize_t written = write(woken, &one, sizeof(one));
    (void)written; /* its count is not full */
}

/* ---- a connection ---- */

/* One read, answered at once. Returns false if the connection is over: at the
 * peer's end nothing is owed, or we would not have read. */
static bool on_readable(struct conn *conn, int sock)
{
    static char buffer[MODEL_BUFFER];
    ssize_t size = read(sock, buffer, sizeof(buffer));
    if (size < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (size == 0) {
        return false;
    }
    model_work(conn->delay);
    return model_write(sock, buffer, (size_t)size, &conn->rest);
}

/* Who is owed something waits to be written to, and is not read from. */
static bool on_ready(struct conn *conn, struct pollfd *entry)
{
    bool open = conn->rest.bytes != NULL
                    ? model_write_rest(entry->fd, &conn->rest)
                    : on_readable(conn, entry->fd);
    entry->events = conn->rest.bytes != NULL ? POLLOUT : POLLIN;
    return open;
}

/* ---- the table ---- */

static bool make_room(void)
{
    if (count < room) {
        return true;
    }
    size_t more = room > 0 ? 2 * room : 64;
    struct pollfd *more_polled = realloc(polled, more * sizeof(*polled));
    if (more_polled == NULL) {
        return false;
    }
    polled = more_polled;
    struct conn *more_conns = realloc(conns, more * sizeof(*conns));
    if (more_conns == NULL) {
        return false;
    }
    conns = more_conns;
    room = more;
    return true;
}

/* The last one takes its place. */
static void drop(size_t index)
{
    (void)close(polled[index].fd);
    free(conns[index].rest.bytes);
    count--;
    polled[index] = polled[count];
    conns[index] = conns[count];
}

static void accept_all(int listener, const struct model_options *options)
{
    for (;;) {
        int sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (sock >= 0 && make_room()) {
            polled[count] = (struct pollfd){.fd = sock, .events = POLLIN};
            conns[count] = (struct conn){.delay = model_delay(options)};
            count++;
        } else if (sock >= 0) {
            (void)close(sock);
        } else if (errno == EAGAIN) {
            return;
        } else if (!model_accept_again(errno)) {
            polled[LISTENER].fd = -1; /* poll passes over it */
            model_pause_begin(&pause_of_accept);
            return;
        }
    }
}

static int serve(int listener, const struct model_options *options)
{
    while (!model_stopping()) {
        int ready = poll(polled, (nfds_t)count,
            model_pause_timeout(&pause_of_accept));
        if (ready < 0 && errno != EINTR) {
            return model_fail("poll", uv_translate_sys_error(errno));
        }
        for (size_t i = FIRST; ready > 0 && i < count;) {
            if (polled[i].revents == 0 || on_ready(&conns[i], &polled[i])) {
                i++;
            } else {
                drop(i); /* another one is there now */
            }
        }
        if (model_pause_over(&pause_of_accept)) {
            polled[LISTENER].fd = listener;
        }
        if (ready > 0 && polled[LISTENER].revents != 0) {
            accept_all(listener, options);
        }
    }
    return TLR_CLI_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct model_options options;
    int listener;
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    if (!model_listen(&options, MODEL_NONBLOCKING, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (woken < 0 || !make_room()) {
        return model_fail("cannot start", uv_translate_sys_error(errno));
    }
    polled[LISTENER] = (struct pollfd){.fd = listener, .events = POLLIN};
    polled[WOKEN] = (struct pollfd){.fd = woken, .events = POLLIN};
    model_on_stop(wake);
    model_announce(&options);
    status = serve(listener, &options);
    while (count > FIRST) {
        drop(count - 1);
    }
    free(polled);
    free(conns);
    (void)close(woken);
    (void)close(listener);
    return status == TLR_CLI_STATUS_OK ? model_end() : status;
}
