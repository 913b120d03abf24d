/* SPDX-License-Identifier: MIT */
/*
 * The server's callbacks: each is checked against what may come now, and then
 * does what the bytes say. Without more bytes it is an echo server.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static struct line *line_of(const struct tlr_conn *conn)
{
    return *(struct line **)tlr_conn_data((struct tlr_conn *)conn);
}

/* Around each callback on a worker. */
static void enter(unsigned worker)
{
    uv_mutex_lock(&world.lock);
    world.events++;
    REQUIRE(NULL, worker < WORKERS_MOST, "worker %u", worker);
    REQUIRE(NULL, !world.in_call, "a callback inside of a call");
    REQUIRE(NULL, world.callbacks[worker] == 0, "a callback inside another");
    REQUIRE(NULL, world.stopped == 0, "a callback after on_stopped");
    REQUIRE(NULL,
            !world.on_host || world.options.trampoline == NULL ||
                world.trampolines == 1,
            "a callback that the trampoline was not called for");
    world.callbacks[worker]++;
}

static void leave(unsigned worker)
{
    world.callbacks[worker]--;
    uv_mutex_unlock(&world.lock);
}

static struct line *enter_of(struct tlr_conn *conn, const char *name)
{
    struct line *line;

    enter(tlr_conn_worker(conn));
    line = line_of(conn);
    trace(line, "%s", name);
    REQUIRE(line, line != NULL && line->conn == conn && !line->closed,
            "%s of a connection that is not there", name);
    REQUIRE(line, line->opened, "%s before on_open", name);
    return line;
}

static void decide(struct line *line)
{
    if (line_is_open(line) && !world.finishing) {
        act(line, input_decide(&world.input));
    }
}

/* Unless the bytes say something else. */
static void decide_or(struct line *line, void (*usual)(struct line *line))
{
    uint8_t byte = world.finishing ? 0 : input_decide(&world.input);

    if (line->doomed && (byte == 0 || world.finishing)) {
        act_close(line);
    } else if (byte == 0) {
        usual(line);
    } else {
        act(line, byte);
    }
}

static void read_if_not(struct line *line)
{
    if (line->reading == READ_NONE) {
        act_read(line);
    }
}

static void nothing(struct line *line)
{
    (void)line;
}

/* ---- opening -------------------------------------------------------- */

static unsigned port_in(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static bool is_listening(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;

    return in->sin_port == world.listening.sin_port &&
           in->sin_addr.s_addr == world.listening.sin_addr.s_addr;
}

/*
 * Whose it is. Nobody can tell of one that was reset meanwhile. To two ports of
 * ours peers may come from one port: those that are adopted, and the others.
 */
static struct line *line_of_peer(struct tlr_conn *conn)
{
    struct sockaddr_storage here;
    struct sockaddr_storage there;
    struct line *line;

    if (tlr_conn_local(conn, &here) == 0 && tlr_conn_peer(conn, &there) == 0) {
        line = line_of_port(port_in(&there), is_listening(&here));
        REQUIRE(NULL, line != NULL, "a connection that nobody made");
        return line;
    }
    line = world.line_count < ROOM_MOST ? &world.lines[world.line_count++]
                                        : NULL;
    REQUIRE(line, line != NULL, "more connections than peers");
    line->ghost = true;
    return line;
}

static void open_line(struct line *line, struct tlr_conn *conn)
{
    REQUIRE(line, !line->opened && !line->closed, "opened twice");
    REQUIRE(line, !line->connecting, "opened before on_connect");
    line->conn = conn;
    line->opened = true;
    world.seen.opened++;
    world.seen.connected += line->outbound;
}

static void note_port(struct line *line)
{
    struct sockaddr_storage address;

    if (line->outbound && tlr_conn_local(line->conn, &address) == 0) {
        line->port = port_in(&address);
    }
}

static void on_open(struct tlr_conn *conn)
{
    struct line *line;

    enter(tlr_conn_worker(conn));
    line = line_of(conn);
    if (line == NULL) {
        line = line_of_peer(conn);
        *(struct line **)tlr_conn_data(conn) = line;
    }
    trace(line, "on_open");
    open_line(line, conn);
    note_port(line);
    decide_or(line, read_if_not);
    decide_or(line, nothing);
    leave(tlr_conn_worker(conn));
}

static void on_connect(struct tlr_conn *conn, int status)
{
    struct line *line;

    enter(tlr_conn_worker(conn));
    line = line_of(conn);
    REQUIRE(line, line != NULL && line->conn == conn && line->outbound,
            "on_connect of another connection");
    trace(line, "on_connect %d", status);
    REQUIRE(line, line->connecting, "connected twice");
    REQUIRE(line,
            status == 0 || line->gone || line->close_asked ||
                line->reset_asked || world.may_stop || world.drained,
            "could not connect: %s", uv_err_name(status));
    REQUIRE(line, status != 0 || !line->gone, "connected to nobody");
    line->connecting = false;
    if (status != 0) {
        line->refused = true;
    }
    leave(tlr_conn_worker(conn));
}

/* ---- reading -------------------------------------------------------- */

/* To this connection, and to others of its worker. */
static bool fan_out(struct line *line, const char *data, size_t size)
{
    unsigned worker = tlr_conn_worker(line->conn);
    unsigned count = 0;
    bool kept = false;
    unsigned i;

    for (i = 0; i < world.line_count && count < 3; i++) {
        struct line *other =
            &world.lines[(line_index(line) + i) % world.line_count];

        if (line_is_open(other) && !other->doomed &&
            tlr_conn_worker(other->conn) == worker) {
            kept = act_write_lent(other, data + size / 4,
                                  size - size / 4) ||
                   kept;
            count++;
        }
    }
    return kept;
}

static bool use_data(struct line *line, char *data, size_t size)
{
    switch (input_decide(&world.input) % 8) {
    case 0:
    case 1: /* echo */
        return act_write_lent(line, data, size);
    case 2: /* the inside of it */
        return act_write_lent(line, data + size / 3, size - size / 3 * 2);
    case 3:
        return fan_out(line, data, size);
    case 4:
        act_send(line, data, size);
        return false;
    case 5: /* it may be written to */
        memset(data, 'w', size);
        return act_write_lent(line, data, size);
    case 6: /* copy, and the buffer itself */
        act_send(line, data, size);
        return !line->doomed && act_write_lent(line, data, size);
    default:
        return false;
    }
}

static void finish_reading(struct line *line, ssize_t nread)
{
    bool goes_on = nread > 0 || nread == UV_EMSGSIZE || nread == UV_ENOBUFS;

    if (line->close_asked || line->reset_asked) {
        return;
    }
    if (goes_on && !line->doomed) {
        act_read(line);
    } else {
        act_close(line);
    }
}

/* Echo's next step, if the bytes have nothing else in mind. */
static void after_read(struct line *line, ssize_t nread)
{
    uint8_t byte = input_decide(&world.input);

    if (byte != 0) {
        act(line, byte);
    } else if (line->doomed || (nread < 0 && nread != UV_EMSGSIZE &&
                                nread != UV_ENOBUFS)) {
        act_close(line);
    } else if (!line->writing) {
        read_if_not(line);
    }
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    struct line *line = enter_of(conn, "on_read");

    trace(line, "read: %d", (int)nread);
    server_got(line, nread, data);
    if (world.finishing) {
        finish_reading(line, nread);
    } else {
        if (nread > 0 && !line->doomed &&
            !use_data(line, data, (size_t)nread)) {
            memset(data, 0xdd, (size_t)nread);
        }
        after_read(line, nread);
    }
    leave(tlr_conn_worker(conn));
}

/* ---- writing -------------------------------------------------------- */

static void check_status(struct line *line, int status, const char *what)
{
    if (status == UV_ECANCELED) {
        REQUIRE(line,
                line->reset_asked || line->close_asked || world.may_stop ||
                    line->doomed,
                "%s was cancelled", what);
    } else if (status == UV_ENOMEM && atomic_load(&world.starved) > 0) {
        line->doomed = true; /* for what a write needs while it waits */
    } else if (status != 0) {
        REQUIRE(line,
                line->gone || line->ghost || line->doomed ||
                    line->send_failed || world.may_stop ||
                    line->reset_asked,
                "%s: %s", what, uv_err_name(status));
        line->error_told = true;
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    struct line *line = enter_of(conn, "on_write");

    trace(line, "written: %d", status);
    /* Without a write it tells that what tlr_send() had queued is lost. */
    REQUIRE(line, line->writing || (status != 0 && line->sends > 0),
            "a write that nobody asked for: %d", status);
    check_status(line, status, "a write");
    line->write_failed |= status != 0;
    if (line->writing) {
        world.seen.writes += status == 0;
        line->writing = false;
        free(line->memory);
        line->memory = NULL;
    }
    decide_or(line, line->close_asked || line->reset_asked ? nothing
                                                           : read_if_not);
    leave(tlr_conn_worker(conn));
}

static void on_shutdown(struct tlr_conn *conn, int status)
{
    struct line *line = enter_of(conn, "on_shutdown");

    REQUIRE(line, line->shutting, "a shutdown that nobody asked for");
    REQUIRE(line, !line->writing || status != 0,
            "FIN was sent before a write was done");
    check_status(line, status, "a shutdown");
    line->shutting = false;
    decide_or(line, nothing);
    leave(tlr_conn_worker(conn));
}

static void on_mark(struct tlr_conn *conn, bool high, const char *name)
{
    struct line *line = enter_of(conn, name);

    REQUIRE(line, line->high != high, "%s twice", name);
    REQUIRE(line, !line->close_asked && !line->reset_asked,
            "%s after the close", name);
    line->high = high;
    decide(line);
    leave(tlr_conn_worker(conn));
}

static void on_high_water(struct tlr_conn *conn)
{
    on_mark(conn, true, "on_high_water");
}

static void on_low_water(struct tlr_conn *conn)
{
    on_mark(conn, false, "on_low_water");
}

/* ---- ending --------------------------------------------------------- */

static void on_drain(struct tlr_conn *conn)
{
    struct line *line = enter_of(conn, "on_drain");

    REQUIRE(line, world.drained, "on_drain, and nothing drains");
    REQUIRE(line, !line->drain_told, "on_drain twice");
    line->drain_told = true;
    decide_or(line, nothing);
    leave(tlr_conn_worker(conn));
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    struct line *line;
    struct sockaddr_storage address;
    unsigned worker = tlr_conn_worker(conn);

    enter(worker);
    line = line_of(conn);
    REQUIRE(line, line != NULL && line->conn == conn,
            "closed, and was not there");
    REQUIRE(line, line->opened || line->outbound, "closed before on_open");
    if (line->opened) {
        REQUIRE(line, tlr_read(conn) == UV_EBADF, "read in on_close");
        REQUIRE(line, tlr_write(conn, "x", 1) == UV_EBADF,
                "write in on_close");
        REQUIRE(line, tlr_send(conn, "x", 1) == UV_EBADF, "send in on_close");
        REQUIRE(line, tlr_shutdown(conn) == UV_EBADF, "shutdown in on_close");
    }
    REQUIRE(line, tlr_conn_peer(conn, &address) == UV_EBADF,
            "a peer in on_close");
    server_closed(line, cause);
    /* It is gone, for the line's memory: no more of this one. */
    leave(worker);
}

/* ---- the server ----------------------------------------------------- */

static void on_stopped(struct tlr_server *server)
{
    unsigned i;

    uv_mutex_lock(&world.lock);
    trace(NULL, "on_stopped");
    world.events++;
    REQUIRE(NULL, server == world.server && !world.in_call, "on_stopped");
    REQUIRE(NULL, world.stopped == 0, "stopped twice");
    REQUIRE(NULL, world.drained, "stopped, and nobody asked for it");
    REQUIRE(NULL,
            world.worker_ends == world.worker_starts, "a worker has not ended");
    for (i = 0; i <= WORKERS_MOST; i++) {
        REQUIRE(NULL, world.posts_waiting[i] == 0, "%u posts were not run",
                world.posts_waiting[i]);
    }
    for (i = 0; i < world.line_count; i++) {
        REQUIRE(&world.lines[i], world.lines[i].conn == NULL,
                "stopped before on_close");
    }
    world.stopped++;
    uv_mutex_unlock(&world.lock);
}

static void on_worker_start(struct tlr_server *server, unsigned worker)
{
    enter(worker);
    /* tlr_server_create() may not have given it to us yet. */
    REQUIRE(NULL, tlr_server_user(server) == &world, "on_worker_start");
    world.worker_starts++;
    leave(worker);
}

static void on_worker_end(struct tlr_server *server, unsigned worker)
{
    enter(worker);
    trace(NULL, "on_worker_end");
    REQUIRE(NULL, server == world.server, "on_worker_end");
    REQUIRE(NULL, world.posts_waiting[worker] == 0,
            "%u posts were not run before on_worker_end",
            world.posts_waiting[worker]);
    world.worker_ends++;
    leave(worker);
}

void handler_init(struct tlr_options *options)
{
    options->handler.on_open = on_open;
    options->handler.on_connect = on_connect;
    options->handler.on_read = on_read;
    options->handler.on_write = on_write;
    options->handler.on_shutdown = on_shutdown;
    options->handler.on_high_water = on_high_water;
    options->handler.on_low_water = on_low_water;
    options->handler.on_drain = on_drain;
    options->handler.on_close = on_close;
    options->on_stopped = on_stopped;
    options->on_worker_start = on_worker_start;
    options->on_worker_end = on_worker_end;
}
