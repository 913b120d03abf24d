/* SPDX-License-Identifier: MIT */
/*
 * tlr_read_exactly() and tlr_read_until(): over real sockets, in whatever
 * pieces the bytes come, and with tlr_read() in between.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"

/* What the handler asks for, in turn and from the front again. */
struct ask {
    size_t exactly;        /* 0: */
    const char *delimiter; /* NULL: tlr_read() */
    size_t most;
};

static struct {
    const struct ask *asks;
    size_t count;
    size_t next;
    char *bytes; /* all that on_read got */
    size_t size;
    atomic_uint reads; /* with data */
    bool echo;         /* written back, and read on at once */
} plan;

static int set_up(void **state)
{
    int err = script_setup(state);
    struct fixture *f = *state;

    memset(&plan, 0, sizeof(plan));
    plan.bytes = malloc(20 * MIB);
    assert_non_null(plan.bytes);
    f->options.send_queue = 20 * MIB;
    script.silent = false;
    return err;
}

static int tear_down(void **state)
{
    free(plan.bytes);
    return script_teardown(state);
}

static void ask(struct tlr_conn *conn)
{
    const struct ask *now = &plan.asks[plan.next++ % plan.count];

    if (now->exactly > 0) {
        assert_int_equal(tlr_read_exactly(conn, now->exactly), 0);
    } else if (now->delimiter != NULL) {
        assert_int_equal(tlr_read_until(conn, now->delimiter,
                                        strlen(now->delimiter), now->most),
                         0);
    } else {
        assert_int_equal(tlr_read(conn), 0);
    }
}

/* Written back without a copy, as long as no write is under way. */
static void echo(struct tlr_conn *conn, char *data, size_t size)
{
    int err = tlr_write(conn, data, size);

    if (err == UV_EBUSY) {
        err = tlr_send(conn, data, size);
    }
    assert_int_equal(err, 0);
}

static void keep_and_ask(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    assert_in_range(plan.size + (size_t)nread, 0, 20 * MIB);
    memcpy(plan.bytes + plan.size, data, (size_t)nread);
    plan.size += (size_t)nread;
    if (plan.echo) {
        echo(conn, data, (size_t)nread);
    }
    ask(conn);
    atomic_fetch_add(&plan.reads, 1);
}

static void serve(struct fixture *f, const struct ask *asks, size_t count)
{
    plan.asks = asks;
    plan.count = count;
    script.opened = ask;
    script.received = keep_and_ask;
    start_server(f);
}

/* Two pieces, the second when the first has been read. */
static void send_cut(struct fixture *f, struct client *client,
                     const char *bytes, size_t size, size_t cut)
{
    uint64_t before = counters_of(f, TLR_ALL_WORKERS).bytes_in;

    if (cut > 0) {
        client_send(client, bytes, cut);
        wait_bytes_in(f, before + cut);
    }
    if (cut < size) {
        client_send(client, bytes + cut, size - cut);
        wait_bytes_in(f, before + size);
    }
}

static void expect_reads(struct fixture *f, unsigned reads, const char *bytes,
                         size_t size)
{
    wait_for(f, &plan.reads, reads);
    assert_int_equal(atomic_load(&plan.reads), reads);
    assert_int_equal(plan.size, size);
    assert_memory_equal(plan.bytes, bytes, size);
    atomic_store(&plan.reads, 0);
    plan.size = 0;
}

/* `bytes` are what the asks get in one round; `log` is what is told. */
static void cut_everywhere(struct fixture *f, const struct ask *asks,
                           size_t count, const char *bytes, const char *log)
{
    size_t size = strlen(bytes);
    struct client client;
    size_t cut;

    serve(f, asks, count);
    client_connect(f, &client);
    wait_log(f, "open");
    for (cut = 0; cut < size; cut++) {
        clear_log();
        send_cut(f, &client, bytes, size, cut);
        expect_reads(f, (unsigned)count, bytes, size);
        expect_so_far(log);
    }
    clear_log();
    for (cut = 0; cut < size; cut++) {
        send_cut(f, &client, bytes + cut, 1, 0);
    }
    expect_reads(f, (unsigned)count, bytes, size);
    expect_so_far(log);
    client_close(f, &client);
}

/* ---- cut everywhere -------------------------------------------------- */

static void so_many_bytes_come_however_they_are_cut(void **state)
{
    static const struct ask asks[] = {{5, NULL, 0}, {1, NULL, 0},
                                      {7, NULL, 0}, {7, NULL, 0}};

    cut_everywhere(*state, asks, COUNT(asks), "0123456789abcdefghij",
                   "read 5, read 1, read 7, read 7");
}

static void lines_come_however_they_are_cut(void **state)
{
    static const struct ask asks[] = {{0, "\n", 100}};

    cut_everywhere(*state, asks, COUNT(asks), "a line of text\n", "read 15");
}

static void delimiters_come_however_they_are_cut(void **state)
{
    static const struct ask asks[] = {{0, "\r\n", 100},
                                      {0, "\r\n\r\n", 100},
                                      {0, "aab", 5},
                                      {0, "0123456789abcdef", 17}};

    cut_everywhere(*state, asks, COUNT(asks),
                   "GET\r\nx: y\r\r\nz\r\n\r\naaaab00123456789abcdef",
                   "read 5, read 12, read 5, read 17");
}

static void a_header_and_its_body_come_however_they_are_cut(void **state)
{
    static const struct ask asks[] = {
        {0, "\n", 10}, {4, NULL, 0}, {0, "\n", 10}, {9, NULL, 0}};

    cut_everywhere(*state, asks, COUNT(asks), "4\n\nabc9\nnine\nbyte",
                   "read 2, read 4, read 2, read 9");
}

/* ---- pipelines ------------------------------------------------------- */

static char *make_lines(unsigned lines, size_t *size)
{
    char *text = malloc(lines * 12);
    unsigned i;

    assert_non_null(text);
    for (*size = 0, i = 0; i < lines; i++) {
        *size += (size_t)sprintf(text + *size, "%u\n", i);
    }
    return text;
}

static void each_of_many_lines_in_one_segment_is_a_read(void **state)
{
    static const struct ask asks[] = {{0, "\n", 6}};
    struct fixture *f = *state;
    struct client client;
    size_t size;
    char *lines = make_lines(10000, &size);

    script.silent = true;
    serve(f, asks, COUNT(asks));
    client_connect(f, &client);
    client_send(&client, lines, size);
    expect_reads(f, 10000, lines, size);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).reads, 10000);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).bytes_in, size);
    client_close(f, &client);
    free(lines);
}

static void each_of_many_messages_in_one_segment_is_echoed(void **state)
{
    static const struct ask asks[] = {{1, NULL, 0}, {3, NULL, 0}};
    struct fixture *f = *state;
    struct client client;

    script.silent = true;
    plan.echo = true;
    serve(f, asks, COUNT(asks));
    client_connect_as(f, &client, CLIENT_CHECKING);
    client_send_pattern(&client, 0, 40000);
    client_wait(f, &client, 40000);
    assert_false(client.wrong);
    wait_for(f, &plan.reads, 20000);
    client_close(f, &client);
}

static void answer_questions(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    if (data[0] == '?') {
        assert_int_equal(tlr_write(conn, data, (size_t)nread), 0);
    }
    atomic_fetch_add(&plan.reads, 1);
    ask(conn);
}

/* Two million reads are ready; another connection is served meanwhile. */
static void a_pipeline_starves_nobody(void **state)
{
    static const struct ask asks[] = {{0, "\n", 6}};
    struct fixture *f = *state;
    struct client busy;
    struct client other;
    char *lines = malloc(2 * MIB);

    assert_non_null(lines);
    memset(lines, '\n', 2 * MIB);
    script.silent = true;
    serve(f, asks, COUNT(asks));
    script.received = answer_questions;
    client_connect(f, &busy);
    client_connect(f, &other);
    wait_accepted(f, 2);
    client_send(&busy, lines, 2 * MIB);
    wait_for(f, &plan.reads, 1);
    client_send(&other, "?\n", 2);
    client_wait(f, &other, 2);
    assert_in_range(atomic_load(&plan.reads), 1, 2 * MIB - 1);
    client_reset(f, &busy);
    client_close(f, &other);
    free(lines);
}

/* ---- a random history ------------------------------------------------ */

enum { STREAM = 300000 };

static struct {
    char bytes[STREAM];
    size_t at; /* of the next read */
    struct ask asked;
    bool any;  /* after UV_EMSGSIZE */
    uint64_t random;
} history;

static size_t random_below(uint64_t *random, size_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + 1;
    return (size_t)(*random >> 33) % limit;
}

static void ask_at_random(struct tlr_conn *conn)
{
    static const char *const delimiters[] = {"b",   "c",    "ab",  "aab",
                                             "bab", "cccc", "aba", "abcabca"};
    size_t kind = random_below(&history.random, 5);

    memset(&history.asked, 0, sizeof(history.asked));
    if (history.any || kind == 0) {
        assert_int_equal(tlr_read(conn), 0);
    } else if (kind <= 2) {
        history.asked.exactly =
            1 + random_below(&history.random, kind == 1 ? 5 : 3000);
        assert_int_equal(tlr_read_exactly(conn, history.asked.exactly), 0);
    } else {
        history.asked.delimiter =
            delimiters[random_below(&history.random, COUNT(delimiters))];
        history.asked.most = strlen(history.asked.delimiter) +
                             random_below(&history.random, 500);
        assert_int_equal(tlr_read_until(conn, history.asked.delimiter,
                                        strlen(history.asked.delimiter),
                                        history.asked.most),
                         0);
    }
    history.any = false;
}

/* The bytes up to the delimiter, or 0: not in so many. */
static size_t up_to(size_t at, const struct ask *asked)
{
    size_t length = strlen(asked->delimiter);
    size_t i;

    for (i = 0; i + length <= asked->most && at + i + length <= STREAM; i++) {
        if (memcmp(history.bytes + at + i, asked->delimiter, length) == 0) {
            return i + length;
        }
    }
    return 0;
}

static void check_at_random(struct tlr_conn *conn, ssize_t nread, char *data)
{
    const struct ask *asked = &history.asked;

    if (nread == UV_EMSGSIZE) {
        assert_int_equal(up_to(history.at, asked), 0);
        history.any = true;
        ask_at_random(conn);
        return;
    }
    if (nread == UV_EOF && history.at < STREAM) {
        history.any = true; /* what there was */
        ask_at_random(conn);
        return;
    }
    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    if (asked->exactly > 0) {
        assert_int_equal(nread, asked->exactly);
    } else if (asked->delimiter != NULL) {
        assert_int_equal(nread, up_to(history.at, asked));
    }
    assert_in_range((size_t)nread, 1, STREAM - history.at);
    assert_memory_equal(data, history.bytes + history.at, (size_t)nread);
    history.at += (size_t)nread;
    echo(conn, data, (size_t)nread);
    ask_at_random(conn);
}

static void all_kinds_of_reads_mix(struct fixture *f, size_t read_buffer)
{
    struct client client;
    uint64_t random = read_buffer;
    size_t sent = 0;
    size_t i;

    memset(&history, 0, sizeof(history));
    history.random = read_buffer;
    for (i = 0; i < STREAM; i++) {
        history.bytes[i] = (char)('a' + random_below(&history.random, 3));
    }
    f->options.read_buffer = read_buffer;
    script.silent = true;
    script.opened = ask_at_random;
    script.received = check_at_random;
    start_server(f);
    client_connect(f, &client);
    while (sent < STREAM) {
        size_t size = 1 + random_below(&random, 10000);

        size = size < STREAM - sent ? size : STREAM - sent;
        client_send(&client, history.bytes + sent, size);
        sent += size;
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    client_half_close(&client);
    client_wait_end(f, &client);
    assert_int_equal(client.received, STREAM);
    assert_memory_equal(client.kept, history.bytes, STREAM);
    client_close(f, &client);
    wait_close(f);
    assert_int_equal(count_log("close peer"), 1);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).bytes_in, STREAM);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).bytes_out, STREAM);
}

static void kinds_mix_with_reads_of_1_byte(void **state)
{
    all_kinds_of_reads_mix(*state, 1);
}

static void kinds_mix_with_reads_of_7_bytes(void **state)
{
    all_kinds_of_reads_mix(*state, 7);
}

static void kinds_mix_with_reads_of_100_bytes(void **state)
{
    all_kinds_of_reads_mix(*state, 100);
}

static void kinds_mix_with_reads_of_64_kib(void **state)
{
    all_kinds_of_reads_mix(*state, 65536);
}

/* ---- what is written from, is not read into --------------------------- */

static size_t message; /* bytes in each */

/* The first is written, behind much else; those that follow are cleared. */
static void write_the_first(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread <= 0) {
        tlr_close(conn);
        return;
    }
    if (atomic_fetch_add(&plan.reads, 1) == 0) {
        assert_int_equal(tlr_send(conn, script_pattern(), 12 * MIB), 0);
        assert_int_equal(tlr_write(conn, data, (size_t)nread), 0);
    } else {
        memset(data, 0, (size_t)nread);
    }
    assert_int_equal(tlr_read_exactly(conn, message), 0);
}

static void read_a_message(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_exactly(conn, message), 0);
}

static void keep_what_is_written(struct fixture *f, size_t size,
                                 size_t in_one_go)
{
    enum { MESSAGES = 20 };
    struct client client;
    size_t i;

    message = size;
    script.silent = true;
    script.opened = read_a_message;
    script.received = write_the_first;
    (void)script_pattern();
    start_server(f);
    client_connect_as(f, &client, CLIENT_PATIENT | CLIENT_CHECKING);
    for (i = 0; i < MESSAGES * size; i += in_one_go) {
        client_send_pattern(&client, 12 * MIB + i, in_one_go);
        wait_bytes_in(f, i + in_one_go);
    }
    wait_for(f, &plan.reads, MESSAGES);
    client_read(&client);
    client_wait(f, &client, 12 * MIB + size);
    assert_false(client.wrong);
    client_close(f, &client);
}

static void a_buffer_that_is_written_is_not_read_into(void **state)
{
    keep_what_is_written(*state, 1000, 1000);
}

static void a_kept_buffer_that_is_written_is_not_read_into(void **state)
{
    keep_what_is_written(*state, 1000, 20 * 1000);
}

static void an_assembled_buffer_that_is_written_is_not_read_into(void **state)
{
    keep_what_is_written(*state, 1000, 250);
}

static void a_large_buffer_that_is_written_is_not_read_into(void **state)
{
    keep_what_is_written(*state, 300000, 100000);
}

/* ---- too long ------------------------------------------------------- */

static void read_a_short_line(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_until(conn, "\n", 1, 5), 0);
}

static void ask_for_more_and_more(struct tlr_conn *conn, ssize_t nread,
                                  char *data)
{
    static const char text[] = "12345678\n9\n";

    switch (plan.next++) {
    case 0:
    case 1:
        assert_int_equal(nread, UV_EMSGSIZE);
        assert_int_equal(tlr_read_until(conn, "\n", 1, 5 + plan.next), 0);
        break;
    case 2:
        assert_int_equal(nread, UV_EMSGSIZE);
        assert_int_equal(tlr_read_exactly(conn, 2), 0);
        break;
    case 3:
        assert_int_equal(nread, 2);
        assert_memory_equal(data, text, 2);
        assert_int_equal(tlr_read_until(conn, "\n", 1, 7), 0);
        break;
    case 4:
        assert_int_equal(nread, 7);
        assert_memory_equal(data, text + 2, 7);
        assert_int_equal(tlr_read(conn), 0);
        break;
    default:
        assert_int_equal(nread, 2);
        assert_memory_equal(data, text + 9, 2);
        tlr_close(conn);
        break;
    }
}

static void what_is_too_long_stays_for_the_next_read(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_a_short_line;
    script.received = ask_for_more_and_more;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "12345678\n9\n", 11);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read EMSGSIZE, read EMSGSIZE, read EMSGSIZE, read 2, "
              "read 7, read 2, close handler");
}

/* Not before so many have come. */
static void it_is_too_long_at_the_last_byte(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_a_short_line;
    start_server(f);
    client_connect(f, &client);
    send_cut(f, &client, "1234", 4, 2);
    wait_opened(f);
    expect_so_far("open");
    client_send(&client, "5", 1);
    wait_log(f, "open, read EMSGSIZE");
    on_worker(f, read_some);
    wait_log(f, "open, read EMSGSIZE, read 5");
    client_close(f, &client);
}

/* ---- the end -------------------------------------------------------- */

/* Reads on, whatever is told, until it has been told so often. */
static void ask_until_the_third_end(struct tlr_conn *conn, ssize_t nread,
                                    char *data)
{
    (void)data;
    if (nread == UV_EOF && plan.next++ == 2) {
        tlr_close(conn);
    } else {
        assert_int_equal(tlr_read(conn), 0);
    }
}

static void read_ten(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_exactly(conn, 10), 0);
}

static void read_a_line(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_until(conn, "\n", 1, 10), 0);
}

static void end_in_the_middle(struct fixture *f, script_cb opened)
{
    struct client client;

    script.opened = opened;
    script.received = ask_until_the_third_end;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "abcd", 4);
    client_half_close(&client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read EOF, read 4, read EOF, read EOF, close peer");
}

static void the_end_in_the_middle_leaves_what_there_was(void **state)
{
    end_in_the_middle(*state, read_ten);
}

static void the_end_in_a_line_leaves_what_there_was(void **state)
{
    end_in_the_middle(*state, read_a_line);
}

static void ask_for_parts_after_the_end(struct tlr_conn *conn, ssize_t nread,
                                        char *data)
{
    switch (plan.next++) {
    case 0:
        assert_int_equal(nread, UV_EOF);
        assert_int_equal(tlr_read_exactly(conn, 5), 0);
        break;
    case 1:
        assert_int_equal(nread, UV_EOF);
        assert_int_equal(tlr_read_exactly(conn, 1), 0);
        break;
    case 2:
        assert_memory_equal(data, "a", 1);
        assert_int_equal(tlr_read_until(conn, "c", 1, 3), 0);
        break;
    case 3:
        assert_memory_equal(data, "bc", 2);
        assert_int_equal(tlr_read_until(conn, "c", 1, 1), 0);
        break;
    case 4:
        assert_int_equal(nread, UV_EMSGSIZE);
        assert_int_equal(tlr_read_exactly(conn, 2), 0);
        break;
    case 5:
        assert_int_equal(nread, UV_EOF);
        assert_int_equal(tlr_read(conn), 0);
        break;
    default:
        assert_int_equal(nread, 1);
        assert_memory_equal(data, "d", 1);
        tlr_close(conn);
        break;
    }
}

static void after_the_end_what_there_was_is_read_in_any_way(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_ten;
    script.received = ask_for_parts_after_the_end;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "abcd", 4);
    client_half_close(&client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read EOF, read EOF, read 1, read 2, read EMSGSIZE, "
              "read EOF, read 1, close peer");
}

static void read_what_there_was(struct tlr_conn *conn, ssize_t nread,
                                char *data)
{
    (void)data;
    if (plan.next++ < 2) {
        assert_int_equal(tlr_read(conn), 0);
    } else {
        assert_in_range(nread, INT16_MIN, -1);
        tlr_close(conn);
    }
}

static void a_reset_in_the_middle_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_ten;
    script.received = read_what_there_was;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "abcd", 4);
    wait_bytes_in(f, 4);
    client_reset(f, &client);
    expect(f, "open, read ECONNRESET, read 4, read ECONNRESET, close error");
}

/* ---- errors --------------------------------------------------------- */

static void ask_wrongly(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_exactly(conn, 0), UV_EINVAL);
    assert_int_equal(tlr_read_exactly(conn, TLR_READ_MOST + 1), UV_EINVAL);
    assert_int_equal(tlr_read_exactly(conn, SIZE_MAX), UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "", 0, 10), UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "0123456789abcdefg", 17, 100),
                     UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "ab", 2, 1), UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "a", 1, 0), UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "a", 1, TLR_READ_MOST + 1),
                     UV_EINVAL);
    assert_int_equal(tlr_read_until(conn, "a", 1, TLR_READ_MOST), 0);
    assert_int_equal(tlr_read_exactly(conn, 1), UV_EBUSY);
    assert_int_equal(tlr_read_until(conn, "b", 1, 10), UV_EBUSY);
    assert_int_equal(tlr_read(conn), UV_EBUSY);
}

/* And the read that was asked for is none the worse. */
static void wrong_reads_are_refused(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = ask_wrongly;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "bbba", 4);
    wait_log(f, "open, read 4");
    client_close(f, &client);
}

static void close_and_ask(struct tlr_conn *conn)
{
    tlr_close(conn);
    assert_int_equal(tlr_read_exactly(conn, 1), UV_EBADF);
    assert_int_equal(tlr_read_until(conn, "a", 1, 1), UV_EBADF);
}

static void a_closed_connection_reads_nothing(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = close_and_ask;
    start_server(f);
    client_connect(f, &client);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, close handler");
}

/* What is complete but not delivered counts as asked for. */
static void ask_twice_of_what_is_kept(struct tlr_conn *conn, ssize_t nread,
                                      char *data)
{
    (void)data;
    if (nread > 0 && plan.next++ < 2) {
        assert_int_equal(tlr_read_exactly(conn, 2), 0);
        assert_int_equal(tlr_read_exactly(conn, 2), UV_EBUSY);
        assert_int_equal(tlr_read(conn), UV_EBUSY);
    }
}

static void a_read_of_what_is_kept_is_one_too(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_ten;
    script.received = ask_twice_of_what_is_kept;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "0123456789abcd", 14);
    wait_log(f, "open, read 10, read 2, read 2");
    client_close(f, &client);
}

/* ---- closing with a part of it ---------------------------------------- */

static void wait_with_a_part(struct fixture *f, struct client *client)
{
    script.opened = read_ten;
    start_server(f);
    client_connect(f, client);
    client_send(client, "abcd", 4);
    wait_bytes_in(f, 4);
    wait_opened(f);
}

static void closing_cancels_a_read_that_waits(void **state)
{
    struct fixture *f = *state;
    struct client client;

    wait_with_a_part(f, &client);
    on_worker(f, close_it);
    client_send(&client, "efghij", 6); /* is dropped */
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read ECANCELED, close handler");
}

static void a_reset_cancels_a_read_that_waits(void **state)
{
    struct fixture *f = *state;
    struct client client;

    wait_with_a_part(f, &client);
    on_worker(f, reset_it);
    client_wait_reset(f, &client);
    client_close(f, &client);
    expect(f, "open, read ECANCELED, close reset");
}

static void stopping_cancels_a_read_that_waits(void **state)
{
    struct fixture *f = *state;
    struct client client;

    wait_with_a_part(f, &client);
    drain_server(f, 0);
    expect_so_far("open, read ECANCELED, close stop");
    client_close(f, &client);
}

static void ask_and_close(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread > 0) {
        assert_int_equal(tlr_read_exactly(conn, 2), 0);
        tlr_close(conn);
    }
}

static void closing_cancels_a_read_of_what_is_kept(void **state)
{
    struct fixture *f = *state;
    struct client client;

    script.opened = read_ten;
    script.received = ask_and_close;
    start_server(f);
    client_connect(f, &client);
    client_send(&client, "0123456789abcd", 14);
    client_wait_end(f, &client);
    client_close(f, &client);
    expect(f, "open, read 10, read ECANCELED, close handler");
}

/* ---- memory --------------------------------------------------------- */

struct range {
    struct fixture *f;
    size_t least;
    size_t most;
};

static bool holds_so_much(void *data)
{
    const struct range *range = data;
    size_t bytes = atomic_load(&range->f->memory.bytes);

    return bytes >= range->least && bytes <= range->most;
}

/* A worker gives memory back after the callback that a test has seen. */
static void wait_bytes(struct fixture *f, size_t least, size_t most)
{
    struct range range = {f, least, most};

    run_until(&f->loop, holds_so_much, &range);
}

enum { LARGE = 5 * MIB };

static void large_reads_come_whole(void **state)
{
    static const struct ask asks[] = {{LARGE, NULL, 0}, {3, NULL, 0}};
    struct fixture *f = *state;
    struct client client;
    size_t before;

    script.silent = true;
    serve(f, asks, COUNT(asks));
    client_connect(f, &client);
    wait_opened(f);
    before = atomic_load(&f->memory.bytes);
    client_send(&client, script_pattern(), LARGE + 3);
    expect_reads(f, 2, script_pattern(), LARGE + 3);
    /* When the buffer grows the last time there are two. */
    assert_in_range(atomic_load(&f->memory.most) - before, LARGE,
                    2 * LARGE + 200000);
    client_send(&client, script_pattern(), LARGE + 3);
    expect_reads(f, 2, script_pattern(), LARGE + 3);
    wait_opened(f);
    wait_bytes(f, 0, before + 70000);
    client_close(f, &client);
}

static void read_a_long_line(struct tlr_conn *conn)
{
    assert_int_equal(tlr_read_until(conn, "\n", 1, 60000), 0);
}

static void read_long_lines(struct tlr_conn *conn, ssize_t nread, char *data)
{
    (void)data;
    if (nread > 0) {
        read_a_long_line(conn);
    } else {
        tlr_close(conn);
    }
}

static bool has_read_lines(void *f)
{
    return counters_of(f, TLR_ALL_WORKERS).reads == 2 + 64900;
}

/* What one connection has, between two looks. */
static void waiting_with_little_takes_little(void **state)
{
    struct fixture *f = *state;
    struct client client;
    char *much = malloc(65000);
    size_t before;

    assert_non_null(much);
    memset(much, '\n', 65000);
    memset(much + 64900, 'x', 100);
    script.silent = true;
    script.opened = read_a_long_line;
    script.received = read_long_lines;
    start_server(f);
    client_connect(f, &client);
    wait_opened(f);
    wait_opened(f); /* and each half of the mailbox has its memory */
    before = atomic_load(&f->memory.bytes);
    /* With nothing. */
    client_send(&client, "line\n", 5);
    wait_bytes_in(f, 5);
    wait_opened(f);
    wait_bytes(f, before, before);
    /* With a hundred bytes. */
    client_send(&client, much + 64900, 100);
    wait_bytes_in(f, 105);
    wait_opened(f);
    wait_bytes(f, before, before + 1000);
    client_send(&client, "\n", 1);
    wait_bytes_in(f, 106);
    wait_opened(f);
    wait_bytes(f, before, before);
    /* With a hundred that are left of much. */
    client_send(&client, much, 65000);
    wait_bytes_in(f, 65106);
    wait_opened(f);
    run_until(&f->loop, has_read_lines, f);
    wait_opened(f);
    wait_bytes(f, before, before + 1000);
    client_close(f, &client);
    free(much);
}

/* ---- memory that fails ------------------------------------------------ */

static void ask_or_close(struct tlr_conn *conn)
{
    int err = plan.next++ % 2 == 0 ? tlr_read_until(conn, "\n", 1, 100000)
                                   : tlr_read_exactly(conn, 100000);

    if (err != 0) {
        assert_int_equal(err, UV_ENOMEM);
        tlr_close(conn);
    }
}

static void echo_or_close(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread <= 0) {
        tlr_close(conn);
    } else {
        int err = tlr_send(conn, data, (size_t)nread);

        if (err != 0) {
            tlr_close(conn);
        } else {
            ask_or_close(conn);
        }
    }
}

static bool has_wanted(void *data)
{
    const struct client *client = data;

    return client->received >= client->wanted || client->ended ||
           client->error != 0;
}

/* Or not, when it was refused at once. */
static bool is_connected(void *data)
{
    const struct client *client = data;

    return client->connected || client->error != 0;
}

static void wait_or_over(struct fixture *f, struct client *client,
                         uint64_t bytes)
{
    client->wanted = bytes;
    run_until(&f->loop, has_wanted, client);
}

/* A line, 100,000 bytes, and again: it comes back whole, or it ends. */
static void a_failed_allocation_costs_the_connection_alone(void **state)
{
    struct fixture *f = *state;
    char *bytes = malloc(202000);
    unsigned whole = 0;
    unsigned n;

    assert_non_null(bytes);
    memset(bytes, 'x', 202000);
    bytes[999] = bytes[101999] = '\n';
    f->options.conn_data_size = 100;
    script.silent = true;
    script.opened = ask_or_close;
    script.received = echo_or_close;
    start_server(f);
    for (n = 1; n < 25; n++) {
        struct client client;

        plan.next = 0;
        f->memory.fail_from = atomic_load(&f->memory.allocations) + n;
        f->memory.fail_to = f->memory.fail_from;
        client_dial(f, &client);
        run_until(&f->loop, is_connected, &client);
        client_send(&client, bytes, 1500);
        wait_or_over(f, &client, 1000);
        client_send(&client, bytes + 1500, 60000);
        run_for(&f->loop, 3);
        client_send(&client, bytes + 61500, 202000 - 61500);
        wait_or_over(f, &client, 202000);
        assert_memory_equal(client.kept == NULL ? bytes : client.kept, bytes,
                            client.received);
        whole += client.received == 202000;
        client_close(f, &client);
        wait_open(f, 0);
    }
    f->memory.fail_from = 0;
    assert_in_range(whole, 3, 21);
    free(bytes);
}

#define EVERYWHERE(function)                                              \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, \
                                             &script_on_host),            \
        cmocka_unit_test_prestate_setup_teardown(function, set_up,        \
                                                 tear_down, &script_one), \
        cmocka_unit_test_prestate_setup_teardown(function, set_up,        \
                                                 tear_down, &script_two)
#define ON_HOST(function)                                                 \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, \
                                             &script_on_host)
#define TWICE(function)                                                   \
    ON_HOST(function),                                                    \
        cmocka_unit_test_prestate_setup_teardown(function, set_up,        \
                                                 tear_down, &script_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(so_many_bytes_come_however_they_are_cut),
        EVERYWHERE(lines_come_however_they_are_cut),
        EVERYWHERE(delimiters_come_however_they_are_cut),
        EVERYWHERE(a_header_and_its_body_come_however_they_are_cut),
        TWICE(each_of_many_lines_in_one_segment_is_a_read),
        TWICE(each_of_many_messages_in_one_segment_is_echoed),
        ON_HOST(a_pipeline_starves_nobody),
        ON_HOST(kinds_mix_with_reads_of_1_byte),
        TWICE(kinds_mix_with_reads_of_7_bytes),
        TWICE(kinds_mix_with_reads_of_100_bytes),
        TWICE(kinds_mix_with_reads_of_64_kib),
        TWICE(a_buffer_that_is_written_is_not_read_into),
        TWICE(a_kept_buffer_that_is_written_is_not_read_into),
        TWICE(an_assembled_buffer_that_is_written_is_not_read_into),
        TWICE(a_large_buffer_that_is_written_is_not_read_into),
        TWICE(what_is_too_long_stays_for_the_next_read),
        TWICE(it_is_too_long_at_the_last_byte),
        TWICE(the_end_in_the_middle_leaves_what_there_was),
        TWICE(the_end_in_a_line_leaves_what_there_was),
        ON_HOST(after_the_end_what_there_was_is_read_in_any_way),
        ON_HOST(a_reset_in_the_middle_is_an_error),
        ON_HOST(wrong_reads_are_refused),
        ON_HOST(a_closed_connection_reads_nothing),
        ON_HOST(a_read_of_what_is_kept_is_one_too),
        TWICE(closing_cancels_a_read_that_waits),
        TWICE(a_reset_cancels_a_read_that_waits),
        TWICE(stopping_cancels_a_read_that_waits),
        TWICE(closing_cancels_a_read_of_what_is_kept),
        TWICE(large_reads_come_whole),
        TWICE(waiting_with_little_takes_little),
        TWICE(a_failed_allocation_costs_the_connection_alone),
    };

    tlr_handoff_sigpipe_block(); /* of the clients' own writes */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
