/* SPDX-License-Identifier: MIT */
/*
 * struct tlr_options as a program may fill it in, of this version or another:
 * a server is made or an error is told, and nothing is left.
 */
#include "require.h"

#include "core/teller.h"

static void on_open(struct tlr_conn *conn)
{
    (void)conn;
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)conn;
    (void)nread;
    (void)data;
}

/* As if this were all there is: options may ask for GiB. */
static void *some_malloc(size_t size, void *user)
{
    (void)user;
    return size <= 1 << 20 ? malloc(size) : NULL;
}

static void *some_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return size == 0 || count <= (1 << 20) / size ? calloc(count, size) : NULL;
}

static void *some_realloc(void *memory, size_t size, void *user)
{
    (void)user;
    return size <= 1 << 20 ? realloc(memory, size) : NULL;
}

static void some_free(void *memory, void *user)
{
    (void)user;
    free(memory);
}

/* The numbers of teller.h; each is set by two bytes: which, and to what. */
static void set_one(struct tlr_options *options, uint8_t which, uint8_t to)
{
    static const uint64_t values[] = {
        0, 1, 2, 3, 100, 1024, 1025, 65536, 65537, 1 << 24, (1 << 24) + 1,
        1 << 30, (1u << 30) + 1, UINT32_MAX, UINT64_MAX, UINT64_MAX - 1};
    uint64_t value = values[to % 16];

    switch (which % 24) {
    case 0: options->loops = (int)value; break;
    case 1: options->borrowed = (unsigned)value; break;
    case 2: options->balance = (enum tlr_balance)(value % 5); break;
    case 3: options->backlog = (int)value; break;
    case 4: options->max_connections = (unsigned)value; break;
    case 5: options->read_buffer = (size_t)value; break;
    case 6: options->conn_data_size = (size_t)value; break;
    case 7: options->worker_data_size = (size_t)value; break;
    case 8: options->mailbox = (unsigned)value; break;
    case 9: options->send_queue = (size_t)value; break;
    case 10: options->low_water = (size_t)value; break;
    case 11: options->high_water = (size_t)value; break;
    case 12: options->stack_size = (size_t)value; break;
    case 13: options->max_per_worker = (unsigned)value; break;
    case 14: options->max_per_peer = (unsigned)value; break;
    case 15: options->peer_prefix_ipv4 = (unsigned)value; break;
    case 16: options->peer_prefix_ipv6 = (unsigned)value; break;
    case 17: options->accept_rate = (unsigned)value; break;
    case 18: options->accept_burst = (unsigned)value; break;
    case 19: options->at_limit = (enum tlr_at_limit)(value % 4); break;
    case 20: options->max_queued = (size_t)value; break;
    case 21: options->jitter = (unsigned)value; break;
    case 22: options->stall_time = (unsigned)value; break;
    default: options->size = (size_t)value % 2000; break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tlr_options *options = calloc(1, sizeof(*options));
    struct tlr_server *server = NULL;
    uv_loop_t loop;
    size_t i;
    int err;

    REQUIRE(options != NULL && uv_loop_init(&loop) == 0);
    tlr_options_init(options, sizeof(*options));
    options->handler.on_open = on_open;
    options->handler.on_read = on_read;
    options->allocator.malloc = some_malloc;
    options->allocator.calloc = some_calloc;
    options->allocator.realloc = some_realloc;
    options->allocator.free = some_free;
    options->loops = 2;
    for (i = 0; i + 1 < size && i < 16; i += 2) {
        set_one(options, data[i], data[i + 1]);
    }
    /* What a later version's program brings lies behind; there is none. */
    if (options->size > sizeof(*options)) {
        options->size = sizeof(*options);
    }
    err = tlr_server_create(&server, &loop, options);
    free(options);
    REQUIRE(err == 0 || err == UV_EINVAL || err == UV_ENOMEM ||
            err == UV_ENOTSUP || err == UV_E2BIG);
    REQUIRE(err != 0 || tlr_server_workers(server) >= 1);
    if (err == 0) {
        tlr_server_destroy(server);
    }
    REQUIRE(uv_loop_close(&loop) == 0);
    return 0;
}
