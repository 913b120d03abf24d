/* SPDX-License-Identifier: MIT */
/*
 * The peers. What the kernel takes from one of them the server has to read;
 * what the server was told is written the peer has to get.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

void peer_dial(uint8_t byte)
{
    struct line *line = line_new();
    int err;

    if (line == NULL) {
        return;
    }
    line->late = world.drained;
    err = wire_dial((struct sockaddr_in *)&world.address, byte % 4 != 0,
                    &line->wire);
    line->wired = true;
    line->port = wire_port(line->wire);
    trace(line, "dial: %d", err);
    if (err != 0) {
        REQUIRE(line, line->late, "could not connect: %s", uv_err_name(err));
        line->refused = true;
        line->gone = true;
        line->wired = false;
        wire_close(line->wire);
    }
}

/* ---- adopting ------------------------------------------------------- */

static unsigned some_worker(uint8_t byte)
{
    return byte % 4 == 0 ? TLR_NEXT_WORKER
                         : byte % tlr_server_workers(world.server);
}

static void adopt_unfit(bool udp)
{
    uv_os_sock_t sock = wire_unfit(udp);
    int result = tlr_adopt(world.server, TLR_NEXT_WORKER, sock);

    REQUIRE(NULL,
            result == (udp ? UV_ENOTSUP : UV_ENOTCONN) ||
                result == UV_EAGAIN || result == UV_ECANCELED,
            "adopted what it cannot: %d", result);
    wire_close(sock); /* still ours */
}

static void adopt(struct line *line, uv_os_sock_t sock, uint8_t byte)
{
    int result;

    world.in_call = world.on_host;
    result = tlr_adopt(world.server, some_worker(byte), sock);
    world.in_call = false;
    trace(line, "tlr_adopt: %d", result);
    REQUIRE(line,
            result == 0 || (result == UV_EAGAIN && !world.started) ||
                (result == UV_ECANCELED && world.drained) ||
                (result == UV_ENOMEM && atomic_load(&world.starved) > 0) ||
                (result == UV_ENOBUFS && world.limited),
            "tlr_adopt: %d", result);
    if (result != 0) {
        line->refused = true;
        line->gone = true;
        line->wired = false;
        wire_close(line->wire);
        wire_close(sock);
    }
}

void peer_adopt(uint8_t byte)
{
    struct line *line;
    uv_os_sock_t sock;

    if (byte % 16 >= 14) {
        adopt_unfit(byte % 2 == 0);
        return;
    }
    line = line_new();
    if (line == NULL) {
        return;
    }
    line->late = world.drained;
    line->adopted = true;
    REQUIRE(line, wire_dial(&world.listening, byte % 4 != 0, &line->wire) == 0,
            "the fuzzer's own listener");
    line->wired = true;
    line->port = wire_port(line->wire);
    do { /* others may be waiting there: those of tlr_connect() */
        int err = wire_accept(world.listener, &sock);

        REQUIRE(line, err == 0, "the fuzzer's own accept: %d", err);
        if (wire_peer_port(sock) != line->port) {
            REQUIRE(line, world.guest_count < LINES_MOST, "guests");
            world.guests[world.guest_count].sock = sock;
            world.guests[world.guest_count++].port = wire_peer_port(sock);
            sock = line->wire;
        }
    } while (sock == line->wire);
    adopt(line, sock, byte);
}

/* ---- being connected to --------------------------------------------- */

static void welcome(void)
{
    uv_os_sock_t sock;

    while (world.guest_count < LINES_MOST &&
           wire_accept(world.listener, &sock) == 0) {
        world.guests[world.guest_count].sock = sock;
        world.guests[world.guest_count++].port = wire_peer_port(sock);
    }
}

static bool meet(struct line *line)
{
    unsigned i;

    for (i = 0; i < world.guest_count; i++) {
        if (world.guests[i].port == line->port) {
            line->wire = world.guests[i].sock;
            line->wired = true;
            world.guests[i] = world.guests[--world.guest_count];
            trace(line, "meets its peer");
            return true;
        }
    }
    return false;
}

void peers_meet(void)
{
    unsigned i;

    welcome();
    for (i = 0; i < world.line_count; i++) {
        struct line *line = &world.lines[i];

        if (line->outbound && line->opened && !line->wired && !line->gone &&
            line->port != 0 && !line->saw_end && !line->saw_reset) {
            (void)meet(line);
        }
    }
}

/* ---- what they do --------------------------------------------------- */

static bool can_act(const struct line *line)
{
    return line->wired && !line->gone;
}

void peer_send(struct line *line, size_t size)
{
    uint8_t *bytes;
    ssize_t sent;

    if (!can_act(line) || line->half_closed) {
        return;
    }
    bytes = malloc(size);
    REQUIRE(line, bytes != NULL, "no memory for the fuzzer");
    stream_make(bytes, size, line_index(line), line->up.length);
    sent = wire_send(line->wire, bytes, size);
    trace(line, "peer sends %d", (int)sent);
    if (sent >= 0) {
        stream_append(&line->up, bytes, (size_t)sent);
    } else if (sent != UV_EAGAIN) {
        /* It takes the error that a read would tell. */
        peer_got_error(line, (int)sent);
    }
    free(bytes);
}

void peer_half_close(struct line *line)
{
    if (can_act(line) && !line->half_closed) {
        trace(line, "peer half-closes");
        wire_half_close(line->wire);
        line->half_closed = true;
    }
}

void peer_close(struct line *line)
{
    if (can_act(line)) {
        trace(line, "peer closes");
        wire_close(line->wire);
        line->gone = true;
        line->wired = false;
    }
}

void peer_reset(struct line *line)
{
    if (can_act(line)) {
        trace(line, "peer resets");
        wire_reset(line->wire);
        line->gone = true;
        line->wired = false;
    }
}

bool peer_receive(struct line *line, size_t size)
{
    static uint8_t bytes[65536];
    ssize_t received;

    if (!can_act(line) || line->saw_end || line->saw_reset) {
        return false;
    }
    received = wire_receive(line->wire, bytes,
                            size < sizeof(bytes) ? size : sizeof(bytes));
    if (received == UV_EAGAIN) {
        return false;
    }
    if (received > 0) {
        trace(line, "peer got %d", (int)received);
        peer_got(line, bytes, (size_t)received);
    } else if (received == 0) {
        peer_got_end(line);
    } else {
        peer_got_error(line, (int)received);
    }
    return received > 0;
}

bool line_is_over(const struct line *line)
{
    bool peer_over = !line->wired || line->saw_end || line->saw_reset;
    bool server_over = line->conn == NULL;

    /* It can still be opened, unless it is known to have been refused. */
    if (!line->opened && !line->outbound && !line->ghost) {
        return peer_over;
    }
    return peer_over && server_over;
}
