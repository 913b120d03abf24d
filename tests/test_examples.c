/* SPDX-License-Identifier: MIT */
/* The programs of src/examples, over real sockets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"
#include "programs.h"

#define MIB ((size_t)1 << 20)

/* ---- the other end: sends what it is told, and keeps what it gets ---- */

struct end {
    struct scene *scene;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    bool connected;
    int status; /* why nothing more comes: UV_EOF, an error; or 0 */
    char *text;
    size_t length;
    size_t room;
    size_t wanted; /* for the predicates */
    const char *last;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536]; /* is read right after this */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_end_read(
    uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct end *end = stream->data;
    if (nread > 0) {
        while (end->length + (size_t)nread >= end->room) {
            end->room = end->room == 0 ? 65536 : end->room * 2;
            end->text = realloc(end->text, end->room);
            assert_non_null(end->text);
        }
        memcpy(end->text + end->length, buf->base, (size_t)nread);
        end->length += (size_t)nread;
        end->text[end->length] = '\0';
    } else if (nread < 0) {
        end->status = (int)nread;
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void end_read(struct end *end)
{
    assert_int_equal(
        uv_read_start((uv_stream_t *)&end->tcp, on_alloc, on_end_read), 0);
}

static struct end *end_create(struct scene *scene)
{
    struct end *end = scene_alloc(scene, sizeof(*end));
    end->scene = scene;
    end->connect.data = end;
    assert_int_equal(uv_tcp_init(&scene->loop, &end->tcp), 0);
    end->tcp.data = end;
    return end;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct end *end = request->data;
    assert_int_equal(status, 0);
    end->connected = true;
}

static bool is_connected(const void *arg)
{
    return ((const struct end *)arg)->connected;
}

/* It does not read before end_read(). */
static struct end *end_connect(struct scene *scene, const char *address)
{
    struct end *end = end_create(scene);
    struct sockaddr_in to;
    assert_int_equal(
        uv_ip4_addr("127.0.0.1", atoi(strrchr(address, ':') + 1), &to), 0);
    assert_int_equal(uv_tcp_connect(&end->connect, &end->tcp,
        (struct sockaddr *)&to, on_connected), 0);
    assert_true(run_until(scene, is_connected, end));
    return end;
}

static struct end *end_open(struct scene *scene, const char *address)
{
    struct end *end = end_connect(scene, address);
    end_read(end);
    return end;
}

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* what does not come shows it */
    free(request);
}

static void end_send(struct end *end, const char *data, size_t size)
{
    uv_write_t *request = malloc(sizeof(*request) + size);
    uv_buf_t buf = uv_buf_init((char *)(request + 1), (unsigned)size);
    assert_non_null(request);
    memcpy(buf.base, data, size);
    assert_int_equal(uv_write(request, (uv_stream_t *)&end->tcp, &buf, 1,
        on_written), 0);
}

static void end_say(struct end *end, const char *text)
{
    end_send(end, text, strlen(text));
}

static bool has_wanted(const void *arg)
{
    const struct end *end = arg;
    return end->length >= end->wanted || end->status != 0;
}

static void end_wait(struct end *end, size_t length)
{
    end->wanted = length;
    (void)run_until(end->scene, has_wanted, end);
    assert_int_equal(end->length, length);
}

static bool has_last(const void *arg)
{
    const struct end *end = arg;
    size_t length = strlen(end->last);
    return end->length >= length &&
        memcmp(end->text + end->length - length, end->last, length) == 0;
}

/* What it has got ends like this. */
static void end_wait_last(struct end *end, const char *last)
{
    end->last = last;
    assert_true(run_until(end->scene, has_last, end));
}

/* What it has got, all of it, is this. */
static void end_expect(struct end *end, const char *text)
{
    end_wait(end, strlen(text));
    assert_string_equal(end->text, text);
    end->length = 0;
}

static void end_wait_some(struct end *end, size_t least)
{
    end->wanted = least;
    (void)run_until(end->scene, has_wanted, end);
    assert_true(end->length >= least);
}

static bool has_status(const void *arg)
{
    return ((const struct end *)arg)->status != 0;
}

static int end_status(struct end *end)
{
    assert_true(run_until(end->scene, has_status, end));
    free(end->text);
    end->text = NULL;
    return end->status;
}

static void end_close(struct end *end)
{
    if (end->status == 0) {
        uv_close((uv_handle_t *)&end->tcp, NULL);
        end->status = UV_ECANCELED;
    }
    free(end->text);
    end->text = NULL;
}

/* Nothing is written for half a second, or all is. */
struct stall {
    const struct end *end;
    uint64_t queued;
    uint64_t since;
};

static bool has_stalled(const void *arg)
{
    struct stall *stall = (struct stall *)(uintptr_t)arg;
    uint64_t queued =
        uv_stream_get_write_queue_size((const uv_stream_t *)&stall->end->tcp);
    if (queued != stall->queued) {
        stall->queued = queued;
        stall->since = uv_hrtime();
    }
    return uv_hrtime() - stall->since > 500000000;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* run_until looks again */
}

static uint64_t queued_at_stall(struct end *end)
{
    struct stall stall = {end, 0, uv_hrtime()};
    uv_timer_t *tick = scene_alloc(end->scene, sizeof(*tick));
    assert_int_equal(uv_timer_init(&end->scene->loop, tick), 0);
    assert_int_equal(uv_timer_start(tick, on_tick, 50, 50), 0);
    assert_true(run_until(end->scene, has_stalled, &stall));
    uv_close((uv_handle_t *)tick, NULL);
    return stall.queued;
}

static void stop(struct program *program)
{
    program_ask(program, ASK_CTRL_C);
    assert_int_equal(program_wait(program), 0);
    assert_int_equal(program->err.length, 0);
}

/* ---- echo ---- */

static void echo_gives_twelve_mib_back_and_the_end(void **state)
{
    struct program *echo = program_start(*state, ARGS(EXAMPLE_ECHO, "0"));
    struct client *client = client_connect(*state, program_address(echo, 0));
    client_send(client, 12 * MIB);
    client_finish(client);
    stop(echo);
}

static void echo_serves_many(void **state)
{
    struct client *clients[64];
    struct program *echo = program_start(*state, ARGS(EXAMPLE_ECHO, "0"));
    for (unsigned i = 0; i < 64; i++) {
        clients[i] = client_connect(*state, program_address(echo, 0));
        client_send(clients[i], 1000 * i + 1);
    }
    for (unsigned i = 0; i < 64; i++) {
        client_finish(clients[i]);
    }
    stop(echo);
}

static void a_port_in_use_is_told(void **state)
{
    struct program *echo = program_start(*state, ARGS(EXAMPLE_ECHO, "0"));
    struct program *second = NULL;
    const char *port = strrchr(program_address(echo, 0), ':') + 1;
    assert_int_equal(
        program_run(*state, ARGS(EXAMPLE_CHAT, port), &second), 1);
    program_expect_complaint(second, 1, ARGS("in use"));
    stop(echo);
}

static void asked_twice_it_stops_at_once(void **state)
{
    struct program *echo = program_start(*state, ARGS(EXAMPLE_ECHO, "0"));
    struct client *client = client_connect(*state, program_address(echo, 0));
    client_echo(client, 1);
    program_ask(echo, ASK_CTRL_C);
    stop(echo);
    (void)client_wait_end(client);
}

/* ---- chat ---- */

enum { TALKERS = 4, LINES = 500 };

static void a_line_goes_to_all_in_one_order(void **state)
{
    struct program *chat = program_start(*state, ARGS(EXAMPLE_CHAT, "0", "2"));
    struct end *ends[TALKERS];
    size_t begins[TALKERS];
    unsigned next[TALKERS] = {0};
    char line[64];
    size_t total = 0;
    for (unsigned i = 0; i < TALKERS; i++) { /* who hears himself is in */
        ends[i] = end_open(*state, program_address(chat, 0));
        (void)snprintf(line, sizeof(line), "%u is here\n", i);
        end_say(ends[i], line);
        end_wait_last(ends[i], line);
    }
    end_say(ends[0], "begin\n");
    for (unsigned i = 0; i < TALKERS; i++) {
        end_wait_last(ends[i], "begin\n");
        begins[i] = ends[i]->length;
    }
    for (unsigned n = 0; n < LINES; n++) {
        for (unsigned i = 0; i < TALKERS; i++) {
            total += (size_t)snprintf(line, sizeof(line), "%u %u\n", i, n);
            end_say(ends[i], line);
        }
    }
    for (unsigned i = 0; i < TALKERS; i++) {
        end_wait(ends[i], begins[i] + total);
        assert_memory_equal(ends[i]->text + begins[i],
            ends[0]->text + begins[0], total);
    }
    for (char *at = ends[0]->text + begins[0]; *at != '\0';) {
        unsigned i = (unsigned)strtoul(at, &at, 10);
        assert_true(i < TALKERS);
        assert_int_equal(strtoul(at, &at, 10), next[i]++);
        at++;
    }
    for (unsigned i = 0; i < TALKERS; i++) {
        assert_int_equal(next[i], LINES);
        end_close(ends[i]);
    }
    stop(chat);
}

/* 12 MiB are more than the kernel keeps for it and the library. */
static void who_does_not_read_is_thrown_out_and_nobody_else(void **state)
{
    struct program *chat = program_start(*state, ARGS(EXAMPLE_CHAT, "0", "2"));
    struct end *deaf = end_connect(*state, program_address(chat, 0));
    struct end *one = end_open(*state, program_address(chat, 0));
    struct end *two = end_open(*state, program_address(chat, 0));
    char line[8192];
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    end_say(two, "!\n");
    end_wait(one, 2);
    end_wait(two, 2);
    for (unsigned i = 1; i <= 12; i++) {
        char *lines = malloc(MIB);
        for (size_t at = 0; at < MIB; at += sizeof(line)) {
            memcpy(lines + at, line, sizeof(line));
        }
        end_send(one, lines, MIB);
        free(lines);
        end_wait(one, 2 + i * MIB);
        end_wait(two, 2 + i * MIB);
    }
    end_read(deaf);
    (void)end_status(deaf); /* libuv may tell of a reset behind data as an end */
    assert_true(deaf->length < 12 * MIB);
    end_close(one);
    end_close(two);
    stop(chat);
}

static void too_long_a_line_ends_the_talk(void **state)
{
    struct program *chat = program_start(*state, ARGS(EXAMPLE_CHAT, "0", "2"));
    struct end *end = end_open(*state, program_address(chat, 0));
    char *line = scene_alloc(*state, 16384);
    memset(line, 'x', 16000);
    end_say(end, line);
    assert_int_equal(end_status(end), UV_EOF);
    stop(chat);
}

/* ---- proxy ---- */

/* A listener for one. */
struct upstream {
    uv_tcp_t listener;
    struct end *end;
    char address[32];
};

static void on_connection(uv_stream_t *listener, int status)
{
    struct upstream *upstream = listener->data;
    assert_int_equal(status, 0);
    assert_null(upstream->end);
    struct end *end = end_create(listener->loop->data);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&end->tcp), 0);
    upstream->end = end;
}

static struct upstream *upstream_listen(struct scene *scene)
{
    struct upstream *upstream = scene_alloc(scene, sizeof(*upstream));
    struct sockaddr_in address;
    int length = sizeof(address);
    scene->loop.data = scene;
    upstream->listener.data = upstream;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_init(&scene->loop, &upstream->listener), 0);
    assert_int_equal(uv_tcp_bind(
        &upstream->listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen(
        (uv_stream_t *)&upstream->listener, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&upstream->listener,
        (struct sockaddr *)&address, &length), 0);
    (void)snprintf(upstream->address, sizeof(upstream->address),
        "127.0.0.1:%u", (unsigned)ntohs(address.sin_port)); /* it fits */
    return upstream;
}

static bool has_end(const void *arg)
{
    return ((const struct upstream *)arg)->end != NULL;
}

static struct program *start_proxy(struct scene *scene, const char *to)
{
    return program_start(scene, ARGS(EXAMPLE_PROXY, "0", to));
}

static void proxy_passes_twelve_mib_both_ways_and_the_ends(void **state)
{
    struct program *echo =
        program_start(*state, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0"));
    struct program *proxy = start_proxy(*state, program_address(echo, 0));
    struct client *clients[8];
    for (unsigned i = 0; i < 8; i++) {
        clients[i] = client_connect(*state, program_address(proxy, 0));
        client_send(clients[i], i == 0 ? 12 * MIB : MIB + i);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!programs_write_behind_an_end()) {
            client_expect_all_back(clients[i]);
        }
        client_finish(clients[i]);
    }
    stop(proxy);
    program_stop(echo);
}

static void proxy_waits_for_who_does_not_read(void **state)
{
    const size_t size = 64 * MIB;
    struct upstream *upstream = upstream_listen(*state);
    struct program *proxy = start_proxy(*state, upstream->address);
    struct end *client = end_open(*state, program_address(proxy, 0));
    char *data = calloc(1, size);
    assert_non_null(data);
    assert_true(run_until(*state, has_end, upstream));
    end_send(client, data, size);
    free(data);
    assert_true(queued_at_stall(client) > 20 * MIB);
    end_read(upstream->end);
    end_wait(upstream->end, size);
    end_close(client);
    assert_int_equal(end_status(upstream->end), UV_EOF);
    stop(proxy);
}

static void proxy_passes_a_reset_on(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct upstream *upstream = upstream_listen(*state);
        struct program *proxy = start_proxy(*state, upstream->address);
        struct end *client = end_open(*state, program_address(proxy, 0));
        assert_true(run_until(*state, has_end, upstream));
        end_read(upstream->end);
        end_say(client, "there");
        end_expect(upstream->end, "there");
        end_say(upstream->end, "and back");
        end_expect(client, "and back");
        struct end *ends = i == 0 ? client : upstream->end;
        struct end *hears = i == 0 ? upstream->end : client;
        assert_int_equal(uv_tcp_close_reset(&ends->tcp, NULL), 0);
        ends->status = UV_ECANCELED;
        end_close(ends);
        int status = end_status(hears);
        assert_true(status == UV_ECONNRESET ||
                    (status == UV_EOF && !programs_tell_every_reset()));
        stop(proxy);
    }
}

static void proxy_closes_whom_it_cannot_connect(void **state)
{
    struct program *proxy =
        start_proxy(*state, nobodys_address(*state, true));
    struct end *client = end_open(*state, program_address(proxy, 0));
    assert_int_equal(end_status(client), UV_EOF);
    stop(proxy);
}

static void proxy_wants_an_address(void **state)
{
    struct program *proxy = start_proxy(*state, "somewhere");
    program_expect_complaint(proxy, 2, ARGS("HOST:PORT"));
}

/* ---- kv ---- */

static struct program *start_kv(struct scene *scene)
{
    return program_start(scene, ARGS(EXAMPLE_KV, "0", "2"));
}

static const char commands[] =
    "*1\r\n$4\r\nPING\r\n"
    "*2\r\n$4\r\nping\r\n$2\r\nhi\r\n"
    "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n"
    "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
    "*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n"
    "*2\r\n$4\r\nincr\r\n$1\r\nb\r\n"
    "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"
    "*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$19\r\n9223372036854775807\r\n"
    "*2\r\n$4\r\nINCR\r\n$1\r\nc\r\n"
    "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n"
    "*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n"
    "*2\r\n$3\r\nDEL\r\n$1\r\nc\r\n"
    "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n"
    "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n"
    "*2\r\n$3\r\nGET\r\n$0\r\n\r\n"
    "*1\r\n$3\r\nFOO\r\n"
    "*2\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n";

static const char replies[] =
    "+PONG\r\n$2\r\nhi\r\n$-1\r\n+OK\r\n$4\r\n\r\n\r\n\r\n"
    "-ERR value is not an integer or out of range\r\n:1\r\n:2\r\n$1\r\n2\r\n"
    "+OK\r\n-ERR increment or decrement would overflow\r\n"
    ":1\r\n:1\r\n:1\r\n:0\r\n+OK\r\n$0\r\n\r\n"
    "-ERR unknown command 'FOO'\r\n-ERR unknown command 'COMMAND'\r\n";

static void kv_answers_as_redis_does(void **state)
{
    struct program *kv = start_kv(*state);
    struct end *end = end_open(*state, program_address(kv, 0));
    end_say(end, commands);
    end_expect(end, replies);
    end_close(end);
    stop(kv);
}

/* What is sent in two is read in two as soon as the first part has its
 * answers; and at the last, each byte by itself. */
static void kv_takes_commands_cut_anywhere(void **state)
{
    struct program *kv = start_kv(*state);
    struct end *end = end_open(*state, program_address(kv, 0));
    for (size_t cut = 1; cut < sizeof(commands) - 1; cut++) {
        end_send(end, "*1\r\n$4\r\nPING\r\n", 14);
        end_send(end, commands, cut);
        end_wait_some(end, 7);
        end_say(end, commands + cut);
        end_wait(end, 7 + sizeof(replies) - 1);
        assert_string_equal(end->text + 7, replies);
        end->length = 0;
    }
    for (size_t i = 0; i < sizeof(commands) - 1; i++) {
        end_send(end, commands + i, 1);
        (void)uv_run(&end->scene->loop, UV_RUN_NOWAIT);
    }
    end_expect(end, replies);
    end_close(end);
    stop(kv);
}

static void kv_keeps_big_values_on_both_workers(void **state)
{
    struct program *kv = start_kv(*state);
    struct end *end = end_open(*state, program_address(kv, 0));
    char *value = malloc(MIB + 1);
    char text[64];
    assert_non_null(value);
    memset(value, '\0', MIB);
    for (unsigned i = 0; i < 16; i++) { /* all on one worker: 1 in 32768 */
        (void)snprintf(text, sizeof(text),
            "*3\r\n$3\r\nSET\r\n$2\r\nk%x\r\n$1048576\r\n", i);
        value[i] = (char)i;
        end_say(end, text);
        end_send(end, value, MIB);
        end_say(end, "\r\n");
        value[i] = '\0';
    }
    end_wait(end, 16 * 5);
    end->length = 0;
    for (unsigned i = 0; i < 16; i++) {
        (void)snprintf(
            text, sizeof(text), "*2\r\n$3\r\nGET\r\n$2\r\nk%x\r\n", i);
        end_say(end, text);
    }
    end_wait(end, 16 * (MIB + 12));
    for (unsigned i = 0; i < 16; i++) {
        const char *reply = end->text + i * (MIB + 12);
        value[i] = (char)i;
        assert_memory_equal(reply, "$1048576\r\n", 10);
        assert_memory_equal(reply + 10, value, MIB);
        assert_memory_equal(reply + 10 + MIB, "\r\n", 2);
        value[i] = '\0';
    }
    free(value);
    end_close(end);
    stop(kv);
}

static bool has_pong(const void *arg)
{
    const struct end *end = arg;
    return end->length >= 7 &&
           strcmp(end->text + end->length - 7, "+PONG\r\n") == 0;
}

static void kv_counts_what_many_count(void **state)
{
    struct program *kv = start_kv(*state);
    struct end *ends[20];
    static const char three[] = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
                                "*2\r\n$4\r\nINCR\r\n$1\r\nm\r\n"
                                "*2\r\n$4\r\nINCR\r\n$2\r\nmm\r\n";
    char *all = scene_alloc(*state, 500 * sizeof(three));
    for (unsigned i = 0; i < 20; i++) {
        ends[i] = end_open(*state, program_address(kv, 0));
        for (unsigned n = 0; n < 500; n++) {
            memcpy(all + n * (sizeof(three) - 1), three, sizeof(three));
        }
        end_say(ends[i], all);
        end_say(ends[i], "*1\r\n$4\r\nPING\r\n");
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_true(run_until(*state, has_pong, ends[i]));
        if (i < 19) {
            end_close(ends[i]);
        }
    }
    ends[19]->length = 0;
    end_say(ends[19], "*2\r\n$3\r\nGET\r\n$1\r\nn\r\n"
                      "*2\r\n$3\r\nGET\r\n$1\r\nm\r\n"
                      "*2\r\n$3\r\nGET\r\n$2\r\nmm\r\n");
    end_expect(ends[19],
        "$5\r\n10000\r\n$5\r\n10000\r\n$5\r\n10000\r\n");
    end_close(ends[19]);
    stop(kv);
}

static void kv_closes_on_what_is_no_command(void **state)
{
    static const char *const wrong[] = {"GET a\r\n", "*0\r\n", "*-1\r\n",
        "*17\r\n", "*99999999999999999999\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n",
        "*1\r\n$1048577\r\n", "*1\n$4\r\n", "*\r\n", "*1\r\n$x"};
    struct program *kv = start_kv(*state);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct end *end = end_open(*state, program_address(kv, 0));
        end_say(end, "*1\r\n$4\r\nPING\r\n");
        end_say(end, wrong[i]);
        end_expect(end, "+PONG\r\n-ERR Protocol error\r\n");
        assert_int_equal(end_status(end), UV_EOF);
    }
    stop(kv);
}

/* Of 64 MiB of commands most stay here. */
static void kv_waits_for_who_does_not_read(void **state)
{
    struct program *kv = start_kv(*state);
    struct end *end = end_connect(*state, program_address(kv, 0));
    char *text = malloc(64 * MIB);
    const size_t size = 64 * MIB;
    assert_non_null(text);
    for (size_t i = 0; i < size; i += 32) {
        memcpy(text + i, "*2\r\n$4\r\nPING\r\n$11\r\n12345678901\r\n", 32);
    }
    end_send(end, text, size);
    free(text);
    assert_true(queued_at_stall(end) > 20 * MIB);
    end_close(end);
    stop(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(echo_gives_twelve_mib_back_and_the_end),
        scene_test(echo_serves_many),
        scene_test(a_port_in_use_is_told),
        scene_test(asked_twice_it_stops_at_once),
        scene_test(a_line_goes_to_all_in_one_order),
        scene_test(who_does_not_read_is_thrown_out_and_nobody_else),
        scene_test(too_long_a_line_ends_the_talk),
        scene_test(proxy_passes_twelve_mib_both_ways_and_the_ends),
        scene_test(proxy_waits_for_who_does_not_read),
        scene_test(proxy_passes_a_reset_on),
        scene_test(proxy_closes_whom_it_cannot_connect),
        scene_test(proxy_wants_an_address),
        scene_test(kv_answers_as_redis_does),
        scene_test(kv_takes_commands_cut_anywhere),
        scene_test(kv_keeps_big_values_on_both_workers),
        scene_test(kv_counts_what_many_count),
        scene_test(kv_closes_on_what_is_no_command),
        scene_test(kv_waits_for_who_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
