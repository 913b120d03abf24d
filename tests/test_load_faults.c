/* SPDX-License-Identifier: MIT */
/*
 * teller-load's run against an echo server that lies, on the same loop. The
 * server gathers the first message of every connection, spoils the answer to
 * connection 0 (whom it knows by the bytes) in one way, answers all, and is
 * honest from then on. The run must find it and name it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/pattern.h"
#include "load/run.h"

enum { CLIENTS = 2, MESSAGE = 256, AT = 101, LENGTH = 33,
    ROUND_TRIPS = 20 };

enum fault {
    HONEST,
    DROP,
    DROP_END,
    DOUBLE,
    INSERT,
    GREET,
    SWAP_PIECES,
    SWAP_CONNECTIONS,
    FLIP_FIRST,
    FLIP_LAST,
    GARBAGE,
    SURPLUS,
    SURPLUS_AT_END,
    CLOSE_EARLY,
    RESET,
    SILENT,
    NEVER_END
};

struct liar;

struct client {
    uv_tcp_t tcp; /* first: the handle is the client */
    struct liar *liar;
    uint32_t number;
    size_t gathered;
    uint8_t message[MESSAGE];
    struct client *next;
};

struct liar {
    uv_tcp_t listener;
    enum fault fault;
    struct client *clients;
    unsigned gathered; /* clients whose first message is whole */
    char read_buffer[65536];
};

struct answer {
    uv_write_t request;
    uint8_t bytes[];
};

static struct liar liar;

/* What the run said. */
static struct {
    bool done;
    unsigned lines;
    char first[1024];
    struct tlr_load_tally total;
    uint64_t round_trips;
    uint64_t latencies;
    bool good;
    bool stopped_early;
} said;

/* ---- the server ---- */

static void on_answered(uv_write_t *request, int status)
{
    (void)status; /* the client may have left for good reason */
    free(request);
}

static void answer(struct client *client, const void *bytes, size_t size)
{
    struct answer *a = malloc(sizeof(*a) + size);
    if (a == NULL || size == 0) {
        free(a);
        return;
    }
    memcpy(a->bytes, bytes, size);
    uv_buf_t buf = uv_buf_init((char *)a->bytes, (unsigned)size);
    if (uv_write(&a->request, (uv_stream_t *)&client->tcp, &buf, 1,
            on_answered) != 0) {
        free(a);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;
    struct client **link = &client->liar->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    free(client);
}

static void close_client(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp)) {
        uv_close((uv_handle_t *)&client->tcp, on_client_closed);
    }
}

static void on_client_ended(uv_shutdown_t *request, int status)
{
    (void)status; /* closed either way */
    close_client((struct client *)request->handle);
    free(request);
}

static void end_client(struct client *client)
{
    uv_shutdown_t *request = malloc(sizeof(*request));
    if (request == NULL ||
        uv_shutdown(request, (uv_stream_t *)&client->tcp, on_client_ended)) {
        free(request);
        close_client(client);
    }
}

static struct client *client_of(uint32_t number)
{
    struct client *client = liar.clients;
    while (client != NULL && client->number != number) {
        client = client->next;
    }
    return client;
}

/* Spoils what client 0 gets, then answers it. */
static void lie(struct client *client, struct client *peer)
{
    uint8_t *m = client->message;
    uint8_t reply[2 * MESSAGE];
    memcpy(reply, m, MESSAGE);
    size_t size = MESSAGE;
    switch (liar.fault) {
    case DROP:
        memmove(reply + AT, reply + AT + LENGTH, MESSAGE - AT - LENGTH);
        size -= LENGTH;
        break;
    case DROP_END:
        size -= LENGTH;
        break;
    case DOUBLE:
        memcpy(reply + AT, m + AT - LENGTH, MESSAGE - AT + LENGTH);
        size += LENGTH;
        break;
    case INSERT:
        memcpy(reply + AT, "HELLO", 5);
        memcpy(reply + AT + 5, m + AT, MESSAGE - AT);
        size += 5;
        break;
    case GREET:
        memcpy(reply, "220 who is there?", 17);
        memcpy(reply + 17, m, MESSAGE);
        size += 17;
        break;
    case SWAP_PIECES:
        memcpy(reply + AT, m + AT + LENGTH, LENGTH);
        memcpy(reply + AT + LENGTH, m + AT, LENGTH);
        break;
    case SWAP_CONNECTIONS:
        memcpy(reply + AT, peer->message + AT, MESSAGE - AT);
        memcpy(peer->message + AT, m + AT, MESSAGE - AT);
        break;
    case FLIP_FIRST:
        reply[0] ^= 0x04;
        break;
    case FLIP_LAST:
        reply[MESSAGE - 1] ^= 0x04;
        break;
    case GARBAGE:
        memset(reply + AT, 'x', MESSAGE - AT);
        break;
    case SURPLUS:
        memset(reply + MESSAGE, 'x', LENGTH);
        size += LENGTH;
        break;
    case CLOSE_EARLY:
        size = AT;
        break;
    case SILENT:
        size = 0;
        break;
    default:
        break;
    }
    if (liar.fault == RESET) {
        (void)uv_tcp_close_reset(&client->tcp, on_client_closed);
        return;
    }
    answer(client, reply, size);
    if (liar.fault == CLOSE_EARLY) {
        end_client(client);
    }
}

static void answer_all(void)
{
    struct client *victim = client_of(0);
    struct client *peer = client_of(1);
    assert_non_null(victim);
    assert_non_null(peer);
    lie(victim, peer);
    answer(peer, peer->message, MESSAGE);
}

static void gather(struct client *client, const uint8_t *bytes, size_t size)
{
    size_t room = MESSAGE - client->gathered;
    size_t length = size < room ? size : room;
    if (room == 0) {
        answer(client, bytes, size);
        return;
    }
    memcpy(client->message + client->gathered, bytes, length);
    client->gathered += length;
    if (client->gathered == MESSAGE) {
        uint64_t index;
        tlr_load_pattern_origin(tlr_load_pattern_load(client->message),
            &client->number, &index);
        liar.gathered++;
        if (liar.gathered == CLIENTS) {
            answer_all();
        }
    }
}

static void on_client_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    (void)size;
    *buf = uv_buf_init(liar.read_buffer, sizeof(liar.read_buffer));
}

static void on_client_read(
    uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *client = (struct client *)stream;
    if (nread > 0) {
        gather(client, (const uint8_t *)buf->base, (size_t)nread);
    } else if (nread == UV_EOF && client->number == 0 &&
               liar.fault == NEVER_END) {
        return; /* the run's timeout closes it from the other side */
    } else if (nread == UV_EOF) {
        if (client->number == 0 && liar.fault == SURPLUS_AT_END) {
            answer(client, client->message, LENGTH);
        }
        end_client(client);
    } else if (nread < 0) {
        close_client(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = calloc(1, sizeof(*client));
    assert_int_equal(status, 0);
    assert_non_null(client);
    client->liar = &liar;
    client->number = UINT32_MAX;
    client->next = liar.clients;
    liar.clients = client;
    assert_int_equal(uv_tcp_init(listener->loop, &client->tcp), 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&client->tcp), 0);
    assert_int_equal(uv_tcp_nodelay(&client->tcp, 1), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&client->tcp,
        on_client_alloc, on_client_read), 0);
}

static void listen_on(uv_loop_t *loop, struct sockaddr_storage *address)
{
    int length = sizeof(*address);
    struct sockaddr_in any;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_init(loop, &liar.listener), 0);
    assert_int_equal(
        uv_tcp_bind(&liar.listener, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(
        uv_listen((uv_stream_t *)&liar.listener, 128, on_connection), 0);
    memset(address, 0, sizeof(*address));
    assert_int_equal(uv_tcp_getsockname(
        &liar.listener, (struct sockaddr *)address, &length), 0);
}

/* ---- the run ---- */

static void on_problem(void *data, const char *line)
{
    (void)data;
    if (said.lines == 0 || strstr(line, "connection 0:") == line) {
        (void)snprintf(said.first, sizeof(said.first), "%s", line);
    }
    said.lines++;
}

static void on_done(void *data, const struct tlr_load_result *result)
{
    (void)data;
    said.done = true;
    said.total = result->total;
    said.round_trips = result->figures->round_trips;
    said.latencies = result->figures->latency[TLR_LOAD_ROUND_TRIP].count;
    said.good = tlr_load_result_is_good(result);
    said.stopped_early = result->stopped_early;
    uv_close((uv_handle_t *)&liar.listener, NULL);
    for (struct client *c = liar.clients; c != NULL; c = c->next) {
        close_client(c); /* those that the run has left without an end */
    }
}

static const struct tlr_load_callbacks callbacks = {
    .problem = on_problem,
    .done = on_done,
};

static struct tlr_load_plan plan_for(const struct sockaddr_storage *address)
{
    return (struct tlr_load_plan){
        .addresses = address,
        .address_count = 1,
        .connections = CLIENTS,
        .loops = 2,
        .depth = 1,
        .size = MESSAGE,
        .round_trips = ROUND_TRIPS,
        .timeout_ms = 1000,
    };
}

static void run_against(enum fault fault)
{
    uv_loop_t loop;
    struct sockaddr_storage address;
    struct tlr_load_run *run;
    memset(&said, 0, sizeof(said));
    memset(&liar, 0, sizeof(liar));
    liar.fault = fault;
    assert_int_equal(uv_loop_init(&loop), 0);
    listen_on(&loop, &address);
    struct tlr_load_plan plan = plan_for(&address);
    assert_int_equal(
        tlr_load_run_start(&run, &loop, &plan, &callbacks, NULL), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(said.done);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Connection 0 failed by `cause`, as the line says; connection 1 did not. */
static void expect_caught(
    enum fault fault, enum tlr_load_cause cause, const char *words)
{
    run_against(fault);
    if (strstr(said.first, words) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", said.first, words);
    }
    assert_non_null(strstr(said.first, words));
    assert_ptr_equal(strstr(said.first, "connection 0:"), said.first);
    assert_false(said.good);
    assert_int_equal(said.total.errors[cause], 1);
    assert_int_equal(tlr_load_tally_failed(&said.total), 1);
    assert_int_equal(said.total.whole, CLIENTS - 1);
}

static void an_honest_server_is_found_honest(void **state)
{
    (void)state;
    run_against(HONEST);
    assert_true(said.good);
    assert_int_equal(said.lines, 0);
    assert_int_equal(said.total.whole, CLIENTS);
    assert_int_equal(said.round_trips, 20 * CLIENTS);
    assert_int_equal(said.total.bytes_sent, 20 * CLIENTS * MESSAGE);
    assert_int_equal(said.total.bytes_received, 20 * CLIENTS * MESSAGE);
    assert_int_equal(said.total.bytes_verified, 20 * CLIENTS * MESSAGE);
    assert_int_equal(said.latencies, 20 * CLIENTS);
}

static void dropped_bytes_are_lost(void **state)
{
    (void)state;
    expect_caught(DROP, TLR_LOAD_WRONG,
        "own stream from byte 134 on: 33 bytes were lost");
}

static void bytes_dropped_at_the_end_stall_and_are_missing(void **state)
{
    (void)state;
    expect_caught(DROP_END, TLR_LOAD_TIMEOUT,
        "timeout: stalled at byte 223 for 1 s; missing 33 bytes");
}

static void doubled_bytes_are_doubled(void **state)
{
    (void)state;
    expect_caught(DOUBLE, TLR_LOAD_WRONG,
        "own stream from byte 68 on again: 33 bytes were doubled");
}

static void inserted_bytes_are_inserted(void **state)
{
    (void)state;
    expect_caught(INSERT, TLR_LOAD_WRONG,
        "5 foreign bytes were inserted, and the stream goes on rightly from "
        "byte 101");
}

static void a_greeting_before_the_first_echo_is_inserted(void **state)
{
    (void)state;
    expect_caught(GREET, TLR_LOAD_WRONG,
        "17 foreign bytes were inserted, and the stream goes on rightly from "
        "byte 0");
    assert_non_null(strstr(said.first, "byte 0 is wrong"));
}

static void swapped_pieces_are_swapped(void **state)
{
    (void)state;
    expect_caught(SWAP_PIECES, TLR_LOAD_WRONG,
        "own stream from byte 134 on, and after it what was due: swapped");
}

static void bytes_of_another_connection_are_foreign(void **state)
{
    (void)state;
    run_against(SWAP_CONNECTIONS);
    assert_non_null(strstr(said.first,
        "connection 0: byte 101 is wrong"));
    assert_non_null(strstr(said.first,
        "of connection 1's stream, from byte 101 on: foreign"));
    assert_int_equal(said.total.errors[TLR_LOAD_WRONG], 2);
    assert_int_equal(said.total.whole, 0);
}

static void a_flipped_bit_is_found_in_the_first_byte(void **state)
{
    (void)state;
    expect_caught(FLIP_FIRST, TLR_LOAD_WRONG,
        "1 byte was corrupted, and the stream goes on rightly from byte 1");
}

static void a_flipped_bit_is_found_in_the_last_byte(void **state)
{
    (void)state;
    expect_caught(FLIP_LAST, TLR_LOAD_WRONG, "byte 255 is wrong");
}

static void garbage_is_of_no_stream(void **state)
{
    (void)state;
    expect_caught(GARBAGE, TLR_LOAD_WRONG,
        "not of any stream of this run: corrupted");
}

static void more_bytes_than_sent_are_surplus(void **state)
{
    (void)state;
    expect_caught(SURPLUS, TLR_LOAD_SURPLUS,
        "surplus: more came back than the 256 bytes sent");
}

static void bytes_after_the_last_one_are_surplus(void **state)
{
    (void)state;
    expect_caught(SURPLUS_AT_END, TLR_LOAD_SURPLUS,
        "own stream from byte 0 on again");
}

static void an_early_end_leaves_bytes_missing(void **state)
{
    (void)state;
    expect_caught(CLOSE_EARLY, TLR_LOAD_EARLY,
        "ended it early, after 101 bytes; missing 155 bytes");
}

static void a_reset_is_a_reset(void **state)
{
    (void)state;
    expect_caught(RESET, TLR_LOAD_RESET, "reset by the server");
}

static void silence_is_a_timeout_with_its_place(void **state)
{
    (void)state;
    expect_caught(SILENT, TLR_LOAD_TIMEOUT,
        "stalled at byte 0 for 1 s; missing 256 bytes");
}

static void a_server_that_never_ends_its_side_times_out(void **state)
{
    (void)state;
    expect_caught(NEVER_END, TLR_LOAD_TIMEOUT,
        "all 5120 bytes are back, but the server has not ended its side");
}

static void nobody_listening_is_refused_for_every_connection(void **state)
{
    uv_loop_t loop;
    struct sockaddr_storage address;
    struct tlr_load_run *run;
    (void)state;
    memset(&said, 0, sizeof(said));
    memset(&liar, 0, sizeof(liar));
    assert_int_equal(uv_loop_init(&loop), 0);
    listen_on(&loop, &address); /* takes a port that is free, and leaves it */
    uv_close((uv_handle_t *)&liar.listener, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_tcp_init(&loop, &liar.listener), 0);
    struct tlr_load_plan plan = plan_for(&address);
    plan.timeout_ms = 10000;
    assert_int_equal(
        tlr_load_run_start(&run, &loop, &plan, &callbacks, NULL), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(said.total.errors[TLR_LOAD_REFUSED], CLIENTS);
    assert_int_equal(said.lines, CLIENTS);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_server_is_found_honest),
        cmocka_unit_test(dropped_bytes_are_lost),
        cmocka_unit_test(bytes_dropped_at_the_end_stall_and_are_missing),
        cmocka_unit_test(doubled_bytes_are_doubled),
        cmocka_unit_test(inserted_bytes_are_inserted),
        cmocka_unit_test(a_greeting_before_the_first_echo_is_inserted),
        cmocka_unit_test(swapped_pieces_are_swapped),
        cmocka_unit_test(bytes_of_another_connection_are_foreign),
        cmocka_unit_test(a_flipped_bit_is_found_in_the_first_byte),
        cmocka_unit_test(a_flipped_bit_is_found_in_the_last_byte),
        cmocka_unit_test(garbage_is_of_no_stream),
        cmocka_unit_test(more_bytes_than_sent_are_surplus),
        cmocka_unit_test(bytes_after_the_last_one_are_surplus),
        cmocka_unit_test(an_early_end_leaves_bytes_missing),
        cmocka_unit_test(a_reset_is_a_reset),
        cmocka_unit_test(silence_is_a_timeout_with_its_place),
        cmocka_unit_test(a_server_that_never_ends_its_side_times_out),
        cmocka_unit_test(nobody_listening_is_refused_for_every_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
