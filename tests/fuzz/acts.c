/* SPDX-License-Identifier: MIT */
/*
 * Calls on a connection. Before each one it is worked out which results
 * teller.h allows in this state; any other is a fault.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAY_OK = 1 << 0,
    MAY_EBADF = 1 << 1,
    MAY_EPIPE = 1 << 2,
    MAY_EBUSY = 1 << 3,
    MAY_EINVAL = 1 << 4,
    MAY_ENOMEM = 1 << 5,
    MAY_ENOBUFS = 1 << 6,
    MAY_FAIL = 1 << 7 /* an error of the connection */
};

static unsigned bit_of(int result)
{
    switch (result) {
    case 0:
        return MAY_OK;
    case UV_EBADF:
        return MAY_EBADF;
    case UV_EPIPE:
        return MAY_EPIPE | MAY_FAIL;
    case UV_EBUSY:
        return MAY_EBUSY;
    case UV_EINVAL:
        return MAY_EINVAL;
    case UV_ENOMEM:
        return MAY_ENOMEM;
    case UV_ENOBUFS:
        return MAY_ENOBUFS;
    default:
        return MAY_FAIL;
    }
}

static void expect(const struct line *line, const char *call, int result,
                   unsigned may)
{
    trace(line, "%s: %d", call, result);
    REQUIRE(line, (bit_of(result) & may) != 0, "%s says %s; allowed: %#x",
            call, result == 0 ? "0" : uv_err_name(result), may);
}

/* Of any call that needs an open connection. */
static unsigned may_be_closed(const struct line *line)
{
    if (line->closed || line->close_asked || line->reset_asked) {
        return MAY_EBADF;
    }
    return world.may_stop ? MAY_EBADF | MAY_OK : MAY_OK;
}

/* An error takes the place of success. */
static unsigned also(unsigned may, unsigned error)
{
    return (may & ~(unsigned)MAY_OK) | error;
}

static unsigned may_starve(void)
{
    bool may = atomic_load(&world.starved) > 0 ||
               atomic_load(&world.fail_in) > 0; /* in the call to come */

    return may ? MAY_ENOMEM : 0;
}

/* A run ends in reasonable time, with a read for each byte, too. */
static size_t within(size_t size)
{
    size_t most = world.options.read_buffer * 500;

    if (most > VOLUME_MOST) {
        most = VOLUME_MOST;
    }
    return world.volume + size <= most ? size : 1;
}

size_t size_from(uint8_t byte)
{
    static const size_t sizes[] = {1,    2,     3,     7,     16,     63,
                                   64,   255,   1000,  1460,  4096,   5000,
                                   16384, 65536, 65537, 100000};

    /* Small ones are most of them, and the last one is large. */
    if (byte == 255) {
        return within(400000);
    }
    return within(sizes[byte % 16] + (byte >> 7));
}

/* ---- reading -------------------------------------------------------- */

static unsigned may_read(const struct line *line)
{
    unsigned may = may_be_closed(line);

    return line->reading != READ_NONE ? also(may, MAY_EBUSY) : may;
}

void act_read(struct line *line)
{
    unsigned may = may_read(line);
    int result;

    world.in_call = true;
    result = tlr_read(line->conn);
    world.in_call = false;
    expect(line, "tlr_read", result, may);
    if (result == 0) {
        line->reading = READ_SOME;
    }
}

static size_t odd_size(uint8_t byte)
{
    return byte == 254 ? 0 : byte == 253 ? TLR_READ_MOST + 1 : size_from(byte);
}

static void want(struct line *line, enum reading reading, size_t size)
{
    line->reading = reading;
    line->wanted = size;
    if (size > line->largest) {
        line->largest = size;
    }
}

static void read_exactly(struct line *line)
{
    size_t size = odd_size(input_decide(&world.input));
    unsigned may = may_read(line) | may_starve();
    int result;

    if (size == 0 || size > TLR_READ_MOST) {
        may = also(may, MAY_EINVAL);
    }
    world.in_call = true;
    result = tlr_read_exactly(line->conn, size);
    world.in_call = false;
    expect(line, "tlr_read_exactly", result, may);
    if (result == 0) {
        want(line, READ_EXACTLY, size);
    }
}

static void read_until(struct line *line)
{
    static const char *const delimiters[] = {"\n", "\n\n", "\r\n", "a\n",
                                             "0123456789abcdef!"};
    const char *delimiter = delimiters[input_decide(&world.input) % 5];
    size_t length = strlen(delimiter);
    size_t most = odd_size(input_decide(&world.input));
    unsigned may = may_read(line) | may_starve();
    int result;

    if (length > TLR_DELIMITER_MOST || most < length || most > TLR_READ_MOST) {
        may = also(may, MAY_EINVAL);
    }
    world.in_call = true;
    result = tlr_read_until(line->conn, delimiter, length, most);
    world.in_call = false;
    expect(line, "tlr_read_until", result, may);
    if (result == 0) {
        want(line, READ_UNTIL, most);
        memcpy(line->delimiter, delimiter, length);
        line->delimiter_length = length;
    }
}

/* ---- writing -------------------------------------------------------- */

static unsigned may_write(const struct line *line)
{
    unsigned may = may_be_closed(line);

    if (line->fin_asked || line->write_failed) {
        may = also(may, MAY_EPIPE);
    } else if ((line->writing || line->sends > 0) &&
               (line->gone || line->ghost || line->outbound ||
                world.may_stop || may_starve() != 0)) {
        may |= MAY_EPIPE; /* it failed, and on_write is to come */
    }
    return may;
}

static unsigned may_begin_write(const struct line *line)
{
    unsigned may = may_write(line);

    if (line->sends > 0) {
        may |= may_starve();
    }
    return line->writing ? also(may, MAY_EBUSY) : may;
}

static void begin_write(struct line *line, const void *data, size_t size)
{
    line->writing = true;
    stream_append(&line->down, data, size);
}

bool act_write_lent(struct line *line, const char *data, size_t size)
{
    unsigned may = may_begin_write(line);
    int result;

    /* Before the call: what it takes is ours to look at no more. */
    stream_append_maybe(&line->down, data, size);
    line->down.maybe -= size;
    world.in_call = true;
    result = tlr_write(line->conn, data, size);
    world.in_call = false;
    expect(line, "tlr_write, lent", result, may);
    if (result == 0) {
        line->writing = true;
        line->down.length += size;
    }
    return result == 0;
}

/* In memory of its own, that is freed as soon as it may be. */
static void write_own(struct line *line, size_t size)
{
    uint8_t *memory = malloc(size == 0 ? 1 : size);
    unsigned may = may_begin_write(line);
    int result;

    REQUIRE(line, memory != NULL, "no memory for the fuzzer");
    stream_make(memory, size, line_index(line) + 32, line->down.length);
    world.in_call = true;
    result = tlr_write(line->conn, memory, size);
    world.in_call = false;
    expect(line, "tlr_write", result, may);
    if (result == 0) {
        begin_write(line, memory, size);
        line->memory = memory;
    } else {
        free(memory);
    }
}

static void write_several(struct line *line)
{
    enum { MOST = 40 };
    unsigned count = input_decide(&world.input) % MOST;
    size_t piece = size_from(input_decide(&world.input) & 127) / 8;
    size_t size = count * piece;
    uint8_t *memory = malloc(size == 0 ? 1 : size);
    unsigned may = may_begin_write(line);
    uv_buf_t buffers[MOST];
    unsigned i;
    int result;

    REQUIRE(line, memory != NULL, "no memory for the fuzzer");
    stream_make(memory, size, line_index(line) + 32, line->down.length);
    for (i = 0; i < count; i++) { /* in other places than the order says */
        buffers[i] = uv_buf_init((char *)memory + i * piece, (unsigned)piece);
    }
    world.in_call = true;
    result = tlr_writev(line->conn, buffers, count);
    world.in_call = false;
    memset(buffers, 0xdd, sizeof(buffers)); /* borrowed until it returns */
    expect(line, "tlr_writev", result, may);
    if (result == 0) {
        begin_write(line, memory, size);
        line->memory = memory;
    } else {
        free(memory);
    }
}

static void write_too_much(struct line *line)
{
    unsigned may = also(may_begin_write(line), MAY_EINVAL);
    int result;

    if ((uint64_t)SIZE_MAX <= TLR_WRITE_MOST) {
        return;
    }
    world.in_call = true;
    result = tlr_write(line->conn, "", (size_t)TLR_WRITE_MOST + 1);
    world.in_call = false;
    expect(line, "tlr_write, too much", result, may);
}

void act_send(struct line *line, const void *data, size_t size)
{
    unsigned may = may_write(line) | may_starve();
    size_t queued = tlr_conn_queued(line->conn);
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    int result;

    REQUIRE(line, copy != NULL, "no memory for the fuzzer");
    memcpy(copy, data, size);
    if (queued > 0 && queued + size > world.options.send_queue) {
        may = also(may, MAY_ENOBUFS);
    }
    if (line->gone || line->ghost || world.may_stop || line->outbound) {
        may |= MAY_FAIL;
    }
    world.in_call = true;
    result = tlr_send(line->conn, copy, size);
    world.in_call = false;
    expect(line, "tlr_send", result, may);
    if (result == 0) {
        line->sends++;
        world.seen.sends++;
        stream_append(&line->down, copy, size);
    } else if (result == UV_ENOMEM || (bit_of(result) & MAY_FAIL) != 0) {
        if (result != UV_EPIPE || !line->fin_asked) {
            line->send_failed = true;
            line->doomed = true;
            stream_append_maybe(&line->down, copy, size);
        }
    }
    memset(copy, 0xdd, size);
    free(copy);
}

static void send_own(struct line *line, size_t size)
{
    uint8_t *memory = malloc(size == 0 ? 1 : size);

    REQUIRE(line, memory != NULL, "no memory for the fuzzer");
    stream_make(memory, size, line_index(line) + 32, line->down.length);
    act_send(line, memory, size);
    free(memory);
}

/* ---- ending --------------------------------------------------------- */

static void shut_down(struct line *line)
{
    unsigned may = may_write(line);
    int result;

    world.in_call = true;
    result = tlr_shutdown(line->conn);
    world.in_call = false;
    expect(line, "tlr_shutdown", result, may);
    if (result == 0) {
        line->fin_asked = true;
        line->shutting = true;
    }
}

static void note_close(struct line *line)
{
    if (!line->close_asked && !line->reset_asked) {
        line->close_time = uv_hrtime();
        line->close_turn = world.turns;
    }
}

void act_close(struct line *line)
{
    trace(line, "tlr_close");
    note_close(line);
    line->close_first |= !line->reset_asked;
    line->close_asked = true;
    world.in_call = true;
    tlr_close(line->conn);
    world.in_call = false;
}

void act_reset(struct line *line)
{
    trace(line, "tlr_reset");
    note_close(line);
    line->reset_asked = true;
    world.in_call = true;
    tlr_reset(line->conn);
    world.in_call = false;
}

/* ---- looking -------------------------------------------------------- */

static void name_it(struct line *line)
{
    struct tlr_conn *found = NULL;
    struct tlr_id id;
    unsigned i;
    int result = tlr_conn_id(line->conn, &id);

    expect(line, "tlr_conn_id", result,
           line->named ? MAY_OK : MAY_OK | may_starve());
    if (result != 0) {
        return;
    }
    for (i = 0; i < world.line_count; i++) {
        const struct line *other = &world.lines[i];

        REQUIRE(line,
                !other->named ||
                    !!tlr_id_equal(id, other->id) == (other == line),
                "an id like that of line %u", i);
    }
    line->id = id;
    line->named = true;
    result = tlr_server_find(world.server, id, &found);
    REQUIRE(line, result == 0 && found == line->conn, "not found: %d",
            result);
}

static void look(struct line *line)
{
    struct sockaddr_storage address;
    struct tlr_conn *conn = line->conn;
    int result;

    REQUIRE(line, tlr_conn_server(conn) == world.server, "another server");
    REQUIRE(line, tlr_conn_user(conn) == &world, "another user");
    REQUIRE(line, tlr_conn_worker(conn) < tlr_server_workers(world.server),
            "no such worker");
    REQUIRE(line,
            tlr_conn_loop(conn) ==
                tlr_server_loop(world.server, tlr_conn_worker(conn)),
            "another loop");
    /* What the peer has got the kernel has taken. */
    REQUIRE(line,
            line->ghost || tlr_conn_queued(conn) + line->down.taken <=
                               line->down.length + line->down.maybe,
            "%zu queued", tlr_conn_queued(conn));
    result = tlr_conn_peer(conn, &address);
    REQUIRE(line,
            result == 0 || line->connecting || line->gone || line->ghost ||
                line->close_asked || line->reset_asked || world.may_stop ||
                line->outbound,
            "tlr_conn_peer: %d", result);
    result = tlr_conn_local(conn, &address);
    REQUIRE(line, result == 0 || line->connecting || line->reset_asked ||
                      line->close_asked || world.may_stop || line->outbound,
            "tlr_conn_local: %d", result);
}

static void set_option(struct line *line)
{
    uint8_t byte = input_decide(&world.input);
    enum tlr_socket_option option = (enum tlr_socket_option)(byte & 3);
    int value = byte >> 2;
    bool invalid = option == TLR_NODELAY ? value > 1
                                         : option >= TLR_SEND_BUFFER &&
                                               value == 0;
    int result;

    if (option >= TLR_SEND_BUFFER) {
        value = value == 0 ? 0 : 32768 + value * 1024; /* see make_small() */
    }
    result = tlr_conn_set(line->conn, option, value);
    trace(line, "tlr_conn_set: %d", result);
    REQUIRE(line, !invalid || result != 0, "an impossible value was set");
    REQUIRE(line,
            invalid || result == 0 || line->connecting || line->gone ||
                line->ghost || line->close_asked || line->reset_asked ||
                world.may_stop || line->outbound,
            "tlr_conn_set: %d", result);
    (void)tlr_conn_get(line->conn, option, &value); /* as far as there is one */
}

/* ---- from other threads --------------------------------------------- */

struct post {
    unsigned target; /* index of world.posts_... */
    uint64_t serial;
    struct line *line; /* or NULL */
    uint8_t byte;
};

static unsigned index_of(unsigned worker)
{
    return worker == TLR_HOST ? WORKERS_MOST : worker;
}

static struct post *post_new(unsigned target, struct line *line, uint8_t byte)
{
    struct post *post = malloc(sizeof(*post));

    REQUIRE(line, post != NULL, "no memory for the fuzzer");
    post->target = target;
    post->serial = ++world.posts_made[target];
    post->line = line;
    post->byte = byte;
    world.posts_waiting[target]++;
    return post;
}

static void post_failed(struct post *post, int result)
{
    trace(post->line, "post: %s", uv_err_name(result));
    world.posts_waiting[post->target]--;
    REQUIRE(post->line,
            result != UV_ENOBUFS ||
                world.posts_waiting[post->target] >= world.options.mailbox,
            "ENOBUFS, and %u posts wait",
            world.posts_waiting[post->target]);
    REQUIRE(post->line, result != UV_ENOMEM || may_starve() != 0, "ENOMEM");
    REQUIRE(post->line, result != UV_ECANCELED || world.drained,
            "ECANCELED, and nothing was stopped");
    REQUIRE(post->line, result != UV_EAGAIN || !world.started, "EAGAIN");
    REQUIRE(post->line,
            result == UV_ENOBUFS || result == UV_ENOMEM ||
                result == UV_ECANCELED || result == UV_EAGAIN,
            "a post failed: %d", result);
    free(post);
}

static uint8_t post_runs(struct post *post, struct line **line)
{
    uint8_t byte = post->byte;

    world.events++;
    world.seen.posts += post->target != WORKERS_MOST; /* the host is none */
    REQUIRE(post->line, world.stopped == 0, "a post after on_stopped");
    REQUIRE(post->line, post->serial > world.posts_run[post->target],
            "posts out of order");
    world.posts_run[post->target] = post->serial;
    world.posts_waiting[post->target]--;
    *line = post->line;
    free(post);
    return byte;
}

static struct line *some_line_of(unsigned worker, uint8_t byte)
{
    struct line *line = &world.lines[byte % LINES_MOST];

    return line->conn != NULL && line_is_open(line) &&
                   (world.on_host || tlr_conn_worker(line->conn) == worker)
               ? line
               : NULL;
}

static void on_post(struct tlr_server *server, unsigned worker, void *data)
{
    struct line *line;
    uint8_t byte;

    uv_mutex_lock(&world.lock);
    REQUIRE(NULL, server == world.server, "another server");
    REQUIRE(NULL, !world.in_call, "a post inside of a call");
    REQUIRE(NULL, index_of(worker) == ((struct post *)data)->target,
            "on another worker");
    byte = post_runs(data, &line);
    trace(NULL, "post on %u", worker);
    if (!world.finishing && worker != TLR_HOST) {
        line = some_line_of(worker, byte >> 3);
        if (line != NULL) {
            act(line, byte);
        }
    }
    uv_mutex_unlock(&world.lock);
}

static void on_post_conn(struct tlr_conn *conn, int status, void *data)
{
    struct line *line;
    uint8_t byte;

    uv_mutex_lock(&world.lock);
    REQUIRE(NULL, !world.in_call, "a post inside of a call");
    byte = post_runs(data, &line);
    trace(line, "post to it: %d", status);
    REQUIRE(line, status == 0 || status == UV_ENOTCONN, "status %d", status);
    REQUIRE(line, (status == 0) == !line->closed && conn == line->conn,
            "status %d", status);
    /* Not between an on_connect() that failed and on_close(). */
    if (status == 0 && line->opened && !world.finishing) {
        act(line, byte);
    }
    uv_mutex_unlock(&world.lock);
}

void act_post(unsigned worker, uint8_t byte)
{
    struct post *post = post_new(index_of(worker), NULL, byte);
    int result;

    world.in_call = world.on_host;
    result = tlr_post(world.server, worker, on_post, post);
    world.in_call = false;
    if (result != 0) {
        post_failed(post, result);
    }
}

void act_post_conn(struct line *line, uint8_t byte)
{
    struct tlr_id none;
    struct post *post;
    int result;

    if (!line->named) {
        memset(&none, 0, sizeof(none));
        result = tlr_post_conn(world.server, none, on_post_conn, NULL);
        REQUIRE(line, result == UV_EINVAL, "an id of zeroes: %d", result);
        return;
    }
    post = post_new(line->id.worker < WORKERS_MOST ? line->id.worker : 0,
                    line, byte);
    world.in_call = world.on_host;
    result = tlr_post_conn(world.server, line->id, on_post_conn, post);
    world.in_call = false;
    if (result != 0) {
        post_failed(post, result);
    }
}

/* ---- connecting ----------------------------------------------------- */

void act_connect(unsigned worker, bool nobody)
{
    struct sockaddr_in address = world.listening;
    struct tlr_conn *conn = NULL;
    struct line *line = line_new();
    int result;

    if (line == NULL) {
        return;
    }
    line->outbound = true;
    line->connecting = true;
    if (nobody) { /* a port for the system's own services, which has none */
        address.sin_port = htons(1);
        line->gone = true;
    }
    world.in_call = world.on_host;
    result = tlr_connect(world.server, worker, (struct sockaddr *)&address,
                         input_decide(&world.input) % 2 == 0
                             ? NULL
                             : &world.options.handler,
                         &conn);
    world.in_call = false;
    trace(line, "tlr_connect: %d", result);
    REQUIRE(line,
            result == 0 || (result == UV_EAGAIN && !world.started) ||
                (result == UV_ENOMEM && may_starve() != 0) ||
                (result == UV_ECANCELED && world.drained) ||
                (result == UV_EAGAIN && world.drained),
            "tlr_connect: %d", result);
    if (result != 0) {
        line->connecting = false;
        line->refused = true;
        return;
    }
    line->conn = conn;
    *(struct line **)tlr_conn_data(conn) = line;
    if (input_decide(&world.input) % 4 == 3) {
        name_it(line);
    }
    look(line);
}

/* ---- any of them ---------------------------------------------------- */

static void act_doomed(struct line *line, uint8_t byte)
{
    if (byte % 2 == 0) {
        act_close(line);
    } else {
        act_reset(line);
    }
}

void act(struct line *line, uint8_t byte)
{
    if (line->doomed || line->connecting) {
        act_doomed(line, byte);
        return;
    }
    switch (byte % 20) {
    case 0:
        act_read(line);
        break;
    case 1:
        write_own(line, size_from(input_decide(&world.input)));
        break;
    case 2:
        send_own(line, size_from(input_decide(&world.input)));
        break;
    case 3:
        read_exactly(line);
        break;
    case 4:
        read_until(line);
        break;
    case 5:
        write_several(line);
        break;
    case 6:
        shut_down(line);
        break;
    case 7:
        act_close(line);
        break;
    case 8:
        act_reset(line);
        break;
    case 9:
        set_option(line);
        break;
    case 10:
        look(line);
        break;
    case 11:
        name_it(line);
        break;
    case 12:
        act_post_conn(&world.lines[input_decide(&world.input) % LINES_MOST],
                      input_decide(&world.input));
        break;
    case 13:
        send_own(line, within(100000));
        break;
    case 14:
        write_own(line, within(250000));
        break;
    case 15:
        write_own(line, 0);
        break;
    case 16:
        write_too_much(line);
        break;
    case 17:
        act_post(tlr_conn_worker(line->conn), input_decide(&world.input));
        break;
    case 18:
        act_connect(tlr_conn_worker(line->conn),
                    input_decide(&world.input) % 4 == 3);
        break;
    default:
        break;
    }
}
