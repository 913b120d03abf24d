/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"
#include "echo/echo.h"

/* ---- memory --------------------------------------------------------- */

/*
 * In front of each block: its size. As long as malloc() aligns (MSVC's C has no
 * max_align_t).
 */
union header {
    size_t size;
    char room[16];
};

static bool fails(struct memory *memory)
{
    unsigned number = atomic_fetch_add(&memory->allocations, 1) + 1;

    unsigned from = atomic_load(&memory->fail_from);

    return from != 0 && number >= from &&
           number <= atomic_load(&memory->fail_to);
}

static void count(struct memory *memory, size_t size)
{
    size_t bytes = atomic_fetch_add(&memory->bytes, size) + size;
    size_t most = atomic_load(&memory->most);

    atomic_fetch_add(&memory->live, 1);
    while (bytes > most &&
           !atomic_compare_exchange_weak(&memory->most, &most, bytes)) {
    }
}

static void *counted_malloc(size_t size, void *user)
{
    union header *header;

    if (fails(user)) {
        return NULL;
    }
    header = malloc(sizeof(*header) + size);
    if (header == NULL) {
        return NULL;
    }
    header->size = size;
    count(user, size);
    return header + 1;
}

static void *counted_calloc(size_t n, size_t size, void *user)
{
    void *block = counted_malloc(n * size, user);

    if (block != NULL) {
        memset(block, 0, n * size);
    }
    return block;
}

static void counted_free(void *block, void *user)
{
    struct memory *memory = user;
    union header *header = (union header *)block - 1;

    if (block == NULL) {
        return;
    }
    atomic_fetch_sub(&memory->live, 1);
    atomic_fetch_sub(&memory->bytes, header->size);
    free(header);
}

static void *counted_realloc(void *block, size_t size, void *user)
{
    size_t old = block == NULL ? 0 : ((union header *)block - 1)->size;
    void *larger = counted_malloc(size, user);

    if (larger != NULL && block != NULL) {
        memcpy(larger, block, old < size ? old : size);
        counted_free(block, user);
    }
    return larger;
}

void memory_init(struct memory *memory)
{
    memset(memory, 0, sizeof(*memory));
    memory->allocator.malloc = counted_malloc;
    memory->allocator.calloc = counted_calloc;
    memory->allocator.realloc = counted_realloc;
    memory->allocator.free = counted_free;
    memory->allocator.user = memory;
}

/* ---- waiting -------------------------------------------------------- */

/* Wakes the loop now and then, for conditions that no event of it tells. */
static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void start_ticking(uv_loop_t *loop, uv_timer_t *timer)
{
    assert_int_equal(uv_timer_init(loop, timer), 0);
    assert_int_equal(uv_timer_start(timer, on_tick, 2, 2), 0);
}

static void stop_ticking(uv_loop_t *loop, uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* one turn, and it is gone */
}

void run_until(uv_loop_t *loop, condition_cb holds, void *data)
{
    uint64_t end = uv_hrtime() + (uint64_t)DEADLINE * 1000000;
    uv_timer_t timer;
    bool held;

    start_ticking(loop, &timer);
    while (!(held = holds(data)) && uv_hrtime() < end) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    stop_ticking(loop, &timer);
    assert_true(held);
}

void run_for(uv_loop_t *loop, uint64_t milliseconds)
{
    uint64_t end = uv_hrtime() + milliseconds * 1000000;
    uv_timer_t timer;

    start_ticking(loop, &timer);
    while (uv_hrtime() < end) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    stop_ticking(loop, &timer);
}

double cpu_seconds(void)
{
    uv_rusage_t usage;

    assert_int_equal(uv_getrusage(&usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

bool is_stopped(void *fixture)
{
    return ((struct fixture *)fixture)->stopped > 0;
}

struct figure {
    const struct fixture *f;
    uint64_t value;
};

static bool is_open(void *data)
{
    const struct figure *figure = data;

    return counters_of(figure->f, TLR_ALL_WORKERS).open == figure->value;
}

static bool is_accepted(void *data)
{
    const struct figure *figure = data;

    return counters_of(figure->f, TLR_ALL_WORKERS).accepted == figure->value;
}

struct least {
    const struct fixture *f;
    size_t offset;
    uint64_t value;
};

static bool is_at_least(void *data)
{
    const struct least *least = data;
    struct tlr_counters counters = counters_of(least->f, TLR_ALL_WORKERS);

    return *(const uint64_t *)((const char *)&counters + least->offset) >=
           least->value;
}

void wait_counter(struct fixture *f, size_t offset, uint64_t value)
{
    struct least least = {f, offset, value};

    run_until(&f->loop, is_at_least, &least);
}

void wait_open(struct fixture *f, uint64_t open)
{
    struct figure figure = {f, open};

    run_until(&f->loop, is_open, &figure);
}

void wait_accepted(struct fixture *f, uint64_t accepted)
{
    struct figure figure = {f, accepted};

    run_until(&f->loop, is_accepted, &figure);
}

/* ---- the server ----------------------------------------------------- */

static void on_stopped(struct tlr_server *server)
{
    struct fixture *f = tlr_server_user(server);

    f->stopped++;
}

/* What libuv opens once for the whole process is no leak of a test. */
static void warm_up(void)
{
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int setup(void **state)
{
    const struct mode *mode = *state;
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    warm_up();
    f->descriptors = count_descriptors();
    assert_int_equal(uv_loop_init(&f->loop), 0);
    memory_init(&f->memory);
    tlr_options_init(&f->options, sizeof(f->options));
    tlr_echo_handler(&f->options.handler);
    f->options.loops = mode == NULL ? 2 : mode->loops;
    f->options.balance = mode == NULL ? TLR_BALANCE_LEAST : mode->balance;
    f->options.allocator = f->memory.allocator;
    f->options.user = f;
    f->options.on_stopped = on_stopped;
    *state = f;
    return 0;
}

static bool is_done(void *loop)
{
    /* The timer of run_until() is all that may be left. */
    return ((uv_loop_t *)loop)->active_handles <= 1;
}

int teardown(void **state)
{
    struct fixture *f = *state;

    (void)limit_descriptors(SIZE_MAX);
    if (f->started) {
        tlr_server_stop(f->server);
        run_until(&f->loop, is_stopped, f);
        assert_int_equal(counters_of(f, TLR_ALL_WORKERS).emulated, 0);
    }
    tlr_server_destroy(f->server);
    run_until(&f->loop, is_done, &f->loop);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(atomic_load(&f->memory.live), 0);
    assert_int_equal(atomic_load(&f->memory.bytes), 0);
    if (f->descriptors != 0) {
        assert_int_equal(count_descriptors(), f->descriptors);
    }
    free(f);
    return 0;
}

void create_server(struct fixture *f)
{
    assert_int_equal(tlr_server_create(&f->server, &f->loop, &f->options), 0);
}

void listen_on(struct fixture *f, const char *ip, unsigned flags)
{
    struct sockaddr_storage address;

    memset(&address, 0, sizeof(address));
    if (strchr(ip, ':') != NULL) {
        assert_int_equal(
            uv_ip6_addr(ip, 0, (struct sockaddr_in6 *)&address), 0);
    } else {
        assert_int_equal(uv_ip4_addr(ip, 0, (struct sockaddr_in *)&address),
                         0);
    }
    assert_int_equal(
        tlr_server_listen(f->server, (struct sockaddr *)&address, flags), 0);
    assert_int_equal(tlr_server_address(f->server, 0, &f->address), 0);
}

void start_created(struct fixture *f)
{
    assert_int_equal(tlr_server_start(f->server), 0);
    f->started = true;
}

void start_server(struct fixture *f)
{
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    start_created(f);
}

void drain_server(struct fixture *f, uint64_t deadline)
{
    tlr_server_drain(f->server, deadline);
    run_until(&f->loop, is_stopped, f);
}

struct tlr_counters counters_of(const struct fixture *f, unsigned worker)
{
    struct tlr_counters counters;

    assert_int_equal(tlr_server_counters(f->server, worker, &counters,
                                         sizeof(counters)),
                     0);
    return counters;
}

/* ---- clients -------------------------------------------------------- */

bool under_valgrind(void)
{
    return getenv("TELLER_VALGRIND") != NULL;
}

char pattern_at(uint64_t position)
{
    uint64_t mixed = (position + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return (char)(mixed >> 56);
}

/*
 * Eight at a time in a variable: a sanitizer looks at each access to memory, and
 * with one for each byte the tests would mostly do this.
 */
static void pattern_fill(char *data, size_t size, uint64_t position)
{
    size_t at;
    size_t i;

    for (at = 0; at < size; at += 8) {
        char bytes[8];

        for (i = 0; i < sizeof(bytes); i++) {
            bytes[i] = pattern_at(position + at + i);
        }
        memcpy(data + at, bytes, size - at < 8 ? size - at : 8);
    }
}

static bool pattern_is(const char *data, size_t size, uint64_t position)
{
    bool same = true;
    size_t at;
    size_t i;

    for (at = 0; at < size; at += 8) {
        size_t piece = size - at < 8 ? size - at : 8;
        char bytes[8];

        memcpy(bytes, data + at, piece);
        for (i = 0; i < piece; i++) {
            same = same && bytes[i] == pattern_at(position + at + i);
        }
    }
    return same;
}

static void remember(struct client *client, int err)
{
    if (client->error == 0) {
        client->error = err;
    }
}

static void keep(struct client *client, const char *data, size_t size)
{
    size_t needed = (size_t)client->received + size;

    if (needed > client->room) {
        client->room = needed * 2;
        client->kept = realloc(client->kept, client->room);
        assert_non_null(client->kept);
    }
    memcpy(client->kept + client->received, data, size);
}

static void check(struct client *client, const char *data, size_t size)
{
    if (!pattern_is(data, size, client->received)) {
        client->wrong = true;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    /* Read and used before the next one is. */
    static _Thread_local char buffer[65536];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(buffer, sizeof(buffer));
}

static void on_data(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *client = stream->data;

    if (nread == UV_EOF) {
        int err = tlr_handoff_pending_error(&client->tcp); /* see there */

        client->ended = err == 0;
        remember(client, err);
    } else if (nread < 0) {
        remember(client, (int)nread);
        (void)uv_read_stop(stream); /* libuv would go on, to the end */
    } else if (nread > 0) {
        if (client->checking) {
            check(client, buf->base, (size_t)nread);
        } else {
            keep(client, buf->base, (size_t)nread);
        }
        client->received += (uint64_t)nread;
        if (client->sipping) {
            (void)uv_read_stop(stream);
        }
    }
}

void client_read(struct client *client)
{
    assert_int_equal(
        uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_data), 0);
}

void client_sip(struct fixture *f, struct client *client,
                uint64_t milliseconds)
{
    client->sipping = true;
    client_read(client);
    run_for(&f->loop, milliseconds);
    client->sipping = false;
    (void)uv_read_stop((uv_stream_t *)&client->tcp);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct client *client = req->data;

    if (status != 0) {
        remember(client, status);
        return;
    }
    client->connected = true;
    if (!client->patient) {
        client_read(client);
    }
}

static void dial(struct fixture *f, struct client *client,
                 const struct sockaddr_storage *address)
{
    int err;

    assert_int_equal(uv_tcp_init(&f->loop, &client->tcp), 0);
    client->tcp.data = client;
    client->connect.data = client;
    err = uv_tcp_connect(&client->connect, &client->tcp,
                         (const struct sockaddr *)address, on_connected);
    if (err != 0) {
        remember(client, err);
    }
}

void client_dial_to(struct fixture *f, struct client *client,
                    const struct sockaddr_storage *address)
{
    memset(client, 0, sizeof(*client));
    dial(f, client, address);
}

void client_dial(struct fixture *f, struct client *client)
{
    client_dial_to(f, client, &f->address);
}

static bool is_dialled(void *data)
{
    const struct client *client = data;

    return client->connected || client->error != 0;
}

void client_wait_dialled(struct fixture *f, struct client *client)
{
    run_until(&f->loop, is_dialled, client);
}

void client_wait_connected(struct fixture *f, struct client *client)
{
    client_wait_dialled(f, client);
    assert_int_equal(client->error, 0);
}

void client_connect_as(struct fixture *f, struct client *client,
                       unsigned flags)
{
    memset(client, 0, sizeof(*client));
    client->patient = (flags & CLIENT_PATIENT) != 0;
    client->checking = (flags & CLIENT_CHECKING) != 0;
    dial(f, client, &f->address);
    client_wait_connected(f, client);
}

void client_connect(struct fixture *f, struct client *client)
{
    client_connect_as(f, client, 0);
}

struct sending {
    uv_write_t req;
    size_t size;
    char data[];
};

static void on_sent(uv_write_t *req, int status)
{
    struct client *client = req->handle->data;
    struct sending *sending = (struct sending *)req;

    if (status == 0) {
        client->sent += sending->size;
    } else {
        remember(client, status);
    }
    free(sending);
}

static struct sending *new_sending(size_t size)
{
    struct sending *sending = malloc(sizeof(*sending) + size);

    assert_non_null(sending);
    sending->size = size;
    return sending;
}

static void submit(struct client *client, struct sending *sending)
{
    uv_buf_t buf = uv_buf_init(sending->data, (unsigned)sending->size);
    int err = uv_write(&sending->req, (uv_stream_t *)&client->tcp, &buf, 1,
                       on_sent);

    if (err != 0) {
        remember(client, err);
        free(sending);
    }
}

void client_send(struct client *client, const void *data, size_t size)
{
    struct sending *sending = new_sending(size);

    memcpy(sending->data, data, size);
    submit(client, sending);
}

void client_send_pattern(struct client *client, uint64_t position,
                         size_t size)
{
    struct sending *sending = new_sending(size);

    pattern_fill(sending->data, size, position);
    submit(client, sending);
}

static void on_half_closed(uv_shutdown_t *req, int status)
{
    struct client *client = req->data;

    if (status != 0 && status != UV_ECANCELED) {
        remember(client, status);
    }
}

void client_half_close(struct client *client)
{
    client->shutdown.data = client;
    assert_int_equal(uv_shutdown(&client->shutdown,
                                 (uv_stream_t *)&client->tcp, on_half_closed),
                     0);
}

static bool has_wanted(void *data)
{
    const struct client *client = data;

    return client->received >= client->wanted || client->ended ||
           client->error != 0;
}

void client_wait(struct fixture *f, struct client *client, uint64_t bytes)
{
    client->wanted = bytes;
    run_until(&f->loop, has_wanted, client);
    assert_int_equal(client->error, 0);
    assert_int_equal(client->received, bytes);
}

void client_exchange(struct fixture *f, struct client *client)
{
    client_wait_connected(f, client);
    client_send(client, "x", 1);
    client_wait(f, client, client->received + 1);
}

static bool has_ended(void *data)
{
    const struct client *client = data;

    return client->ended || client->error != 0;
}

void client_wait_end(struct fixture *f, struct client *client)
{
    run_until(&f->loop, has_ended, client);
    assert_int_equal(client->error, 0);
    assert_true(client->ended);
}

void client_wait_reset(struct fixture *f, struct client *client)
{
    run_until(&f->loop, has_ended, client);
    if (late_resets_are_told()) {
        assert_int_equal(client->error, UV_ECONNRESET);
    }
}

static size_t queued_in(const struct client *clients, size_t count)
{
    size_t queued = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        queued += uv_stream_get_write_queue_size(
            (const uv_stream_t *)&clients[i].tcp);
    }
    return queued;
}

void client_wait_stalled(struct fixture *f, const struct client *clients,
                         size_t count)
{
    size_t before;

    do {
        before = queued_in(clients, count);
        run_for(&f->loop, 100);
    } while (queued_in(clients, count) != before);
}

void client_wait_over(struct fixture *f, struct client *client)
{
    run_until(&f->loop, has_ended, client);
}

static bool is_closed(void *data)
{
    return ((struct client *)data)->closed;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    client->closed = true;
    free(client->kept);
    client->kept = NULL;
}

void client_hang_up(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp)) {
        uv_close((uv_handle_t *)&client->tcp, on_closed);
    }
}

void client_close(struct fixture *f, struct client *client)
{
    if (!client->closed) {
        client_hang_up(client);
        run_until(&f->loop, is_closed, client);
    }
}

void clients_dial(struct fixture *f, struct client *clients, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        client_dial(f, &clients[i]);
    }
}

void clients_close(struct fixture *f, struct client *clients, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        client_hang_up(&clients[i]);
    }
    for (i = 0; i < count; i++) {
        client_close(f, &clients[i]);
    }
}

void client_reset(struct fixture *f, struct client *client)
{
    assert_int_equal(uv_tcp_close_reset(&client->tcp, on_closed), 0);
    run_until(&f->loop, is_closed, client);
}
