/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A write with its bytes. */
struct outgoing {
    uv_write_t request;
    uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* what does not come back shows it */
    free(request);
}

static void write_or_free(uv_tcp_t *tcp, struct outgoing *outgoing, size_t size)
{
    uv_buf_t buf = uv_buf_init((char *)outgoing->bytes, (unsigned)size);
    if (uv_write(&outgoing->request, (uv_stream_t *)tcp, &buf, 1,
            on_written) != 0) {
        free(outgoing);
    }
}

static struct outgoing *outgoing_of(size_t size)
{
    struct outgoing *outgoing = malloc(sizeof(*outgoing) + size);
    assert_non_null(outgoing);
    return outgoing;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536]; /* is read right after this */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void close_tcp(uv_tcp_t *tcp)
{
    if (!uv_is_closing((uv_handle_t *)tcp)) {
        uv_close((uv_handle_t *)tcp, NULL);
    }
}

/* ---- the client ---- */

static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 7 + (position >> 8) * 13 + (position >> 16));
}

static void on_client_read(
    uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    for (ssize_t i = 0; i < nread; i++) {
        client->wrong +=
            (uint8_t)buf->base[i] != byte_at(client->received + (uint64_t)i);
    }
    if (nread > 0) {
        client->received += (uint64_t)nread;
    } else if (nread < 0) {
        client->end = (int)nread;
        close_tcp(&client->tcp);
    }
}

void client_stop_reading(struct client *client)
{
    (void)uv_read_stop((uv_stream_t *)&client->tcp); /* always 0 */
}

void client_read_on(struct client *client)
{
    assert_int_equal(uv_read_start((uv_stream_t *)&client->tcp, on_alloc,
        on_client_read), 0);
}

/* One may be connected to oneself, by a port that is free and was chosen for
 * our side too: that is nobody listening. */
static bool is_self(const uv_tcp_t *tcp)
{
    struct sockaddr_storage here;
    struct sockaddr_storage there;
    int length = sizeof(here);
    memset(&here, 0, sizeof(here));
    memset(&there, 0, sizeof(there));
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&here, &length) != 0) {
        return false;
    }
    length = sizeof(there);
    return uv_tcp_getpeername(tcp, (struct sockaddr *)&there, &length) == 0 &&
           memcmp(&here, &there, sizeof(here)) == 0;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct client *client = request->data;
    if (status == 0 && is_self(&client->tcp)) {
        status = UV_ECONNREFUSED;
    }
    if (status == 0) {
        status = uv_read_start(
            (uv_stream_t *)&client->tcp, on_alloc, on_client_read);
    }
    client->connected = status == 0;
    if (status != 0) {
        client->end = status;
        close_tcp(&client->tcp);
    }
}

static void parse_address(const char *text, struct sockaddr_storage *address)
{
    char host[64] = "";
    const char *colon = strrchr(text, ':');
    memset(address, 0, sizeof(*address));
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host)) {
        fail_msg("\"%s\" is no address", text);
        return;
    }
    int port = atoi(colon + 1);
    if (*text == '[') {
        memcpy(host, text + 1, (size_t)(colon - text) - 2);
        assert_int_equal(
            uv_ip6_addr(host, port, (struct sockaddr_in6 *)address), 0);
    } else {
        memcpy(host, text, (size_t)(colon - text));
        assert_int_equal(
            uv_ip4_addr(host, port, (struct sockaddr_in *)address), 0);
    }
}

struct client *client_start(struct scene *scene, const char *text)
{
    struct client *client = scene_alloc(scene, sizeof(*client));
    struct sockaddr_storage address;
    parse_address(text, &address);
    client->scene = scene;
    client->connect.data = client;
    assert_int_equal(uv_tcp_init(&scene->loop, &client->tcp), 0);
    client->tcp.data = client;
    int err = uv_tcp_connect(&client->connect, &client->tcp,
        (struct sockaddr *)&address, on_connected);
    if (err != 0) {
        client->end = err;
        close_tcp(&client->tcp);
    }
    return client;
}

static bool is_connected_or_not(const void *arg)
{
    const struct client *client = arg;
    return client->connected || client->end != 0;
}

int client_wait_connected(struct client *client)
{
    assert_true(run_until(client->scene, is_connected_or_not, client));
    return client->connected ? 0 : client->end;
}

struct client *client_connect(struct scene *scene, const char *address)
{
    struct client *client = client_start(scene, address);
    int err = client_wait_connected(client);
    if (err != 0) {
        fail_msg("cannot connect to %s: %s", address, uv_strerror(err));
    }
    return client;
}

void client_send(struct client *client, size_t size)
{
    struct outgoing *outgoing = outgoing_of(size);
    for (size_t i = 0; i < size; i++) {
        outgoing->bytes[i] = byte_at(client->sent + i);
    }
    client->sent += size;
    write_or_free(&client->tcp, outgoing, size);
}

static bool is_all_back(const void *arg)
{
    const struct client *client = arg;
    return client->received >= client->sent || client->end != 0;
}

static void expect_right(const struct client *client)
{
    if (client->received != client->sent || client->wrong != 0) {
        fail_msg("%u of %u bytes are back, %u of them wrong (%s)",
            (unsigned)client->received, (unsigned)client->sent,
            (unsigned)client->wrong,
            client->end == 0 ? "open" : uv_strerror(client->end));
    }
}

void client_expect_all_back(struct client *client)
{
    (void)run_until(client->scene, is_all_back, client);
    expect_right(client);
}

void client_echo(struct client *client, size_t size)
{
    client_send(client, size);
    client_expect_all_back(client);
}

static bool has_ended(const void *arg)
{
    const struct client *client = arg;
    return client->end != 0;
}

int client_wait_end(struct client *client)
{
    if (!run_until(client->scene, has_ended, client)) {
        fail_msg("the other side has not ended the connection");
    }
    return client->end;
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* what does not come back shows it */
}

void client_finish(struct client *client)
{
    assert_int_equal(uv_shutdown(&client->shutdown,
        (uv_stream_t *)&client->tcp, on_shut_down), 0);
    assert_int_equal(client_wait_end(client), UV_EOF);
    expect_right(client);
}

void client_leave(struct client *client)
{
    close_tcp(&client->tcp);
}

/* ---- the server ---- */

struct victim {
    struct liar *liar;
    uv_tcp_t tcp;
    uv_shutdown_t shutdown;
    uint64_t received;
    uint64_t answered;
    uint8_t hoard[65536];
};

static void answer(struct victim *victim, const uint8_t *bytes, size_t size)
{
    const struct liar *liar = victim->liar;
    uint64_t room = liar->keeps - victim->answered;
    size = size < room ? size : (size_t)room;
    if (size == 0) {
        return;
    }
    struct outgoing *outgoing = outgoing_of(size);
    memcpy(outgoing->bytes, bytes, size);
    if (liar->flips >= victim->answered &&
        liar->flips - victim->answered < size) {
        outgoing->bytes[liar->flips - victim->answered] ^= 0x04;
    }
    victim->answered += size;
    write_or_free(&victim->tcp, outgoing, size);
}

static void receive(struct victim *victim, const uint8_t *bytes, size_t size)
{
    uint64_t before = victim->received;
    victim->received += size;
    victim->liar->received += size;
    if (before >= victim->liar->hoards) {
        answer(victim, bytes, size);
        return;
    }
    assert_true(victim->received <= sizeof(victim->hoard));
    memcpy(victim->hoard + before, bytes, size);
    if (victim->received >= victim->liar->hoards) {
        answer(victim, victim->hoard, (size_t)victim->received);
    }
}

static void on_victim_shut_down(uv_shutdown_t *request, int status)
{
    struct victim *victim = request->data;
    (void)status; /* closed either way */
    close_tcp(&victim->tcp);
}

static void on_victim_read(
    uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct victim *victim = stream->data;
    if (nread > 0) {
        receive(victim, (const uint8_t *)buf->base, (size_t)nread);
    } else if (nread < 0 &&
               (nread != UV_EOF || uv_shutdown(&victim->shutdown, stream,
                                       on_victim_shut_down) != 0)) {
        close_tcp(&victim->tcp);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct liar *liar = listener->data;
    struct victim *victim = scene_alloc(liar->scene, sizeof(*victim));
    assert_int_equal(status, 0);
    victim->liar = liar;
    victim->tcp.data = victim;
    victim->shutdown.data = victim;
    liar->accepted++;
    assert_int_equal(uv_tcp_init(listener->loop, &victim->tcp), 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&victim->tcp), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&victim->tcp, on_alloc,
        on_victim_read), 0);
}

static void bind_somewhere(
    struct scene *scene, uv_tcp_t *tcp, char *text, size_t size)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_init(&scene->loop, tcp), 0);
    assert_int_equal(uv_tcp_bind(tcp, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(
        uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(text, size, "127.0.0.1:%u",
        (unsigned)ntohs(address.sin_port)); /* it fits */
}

struct liar *liar_listen(struct scene *scene)
{
    struct liar *liar = scene_alloc(scene, sizeof(*liar));
    liar->scene = scene;
    liar->flips = UINT64_MAX;
    liar->keeps = UINT64_MAX;
    bind_somewhere(
        scene, &liar->listener, liar->address, sizeof(liar->address));
    liar->listener.data = liar;
    assert_int_equal(
        uv_listen((uv_stream_t *)&liar->listener, 128, on_connection), 0);
    return liar;
}

const char *nobodys_address(struct scene *scene, bool keep)
{
    uv_tcp_t *tcp = scene_alloc(scene, sizeof(*tcp));
    char *text = scene_alloc(scene, 32);
    bind_somewhere(scene, tcp, text, 32);
    if (!keep) {
        close_tcp(tcp);
    }
    return text;
}
