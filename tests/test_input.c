/* SPDX-License-Identifier: MIT */
/* What is kept of what was read, without a connection around it. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core/input.h"

enum { READ_BUFFER = 4096 };

static struct memory memory;
static struct tlr_buffers buffers;
static struct tlr_input input;
static uint64_t random_state;

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    memset(&input, 0, sizeof(input));
    random_state = 1;
    assert_int_equal(
        tlr_buffers_init(&buffers, &memory.allocator, READ_BUFFER), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlr_input_drop(&input, &buffers);
    tlr_buffers_close(&buffers);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

static size_t random_below(size_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (size_t)(random_state >> 33) % limit;
}

static void want_size(size_t size)
{
    input.wanted = TLR_WANT_SIZE;
    input.size = (uint32_t)size;
    input.scanned = 0;
}

static void want_delimiter(const char *delimiter, size_t length, size_t most)
{
    input.wanted = TLR_WANT_DELIMITER;
    input.size = (uint32_t)most;
    input.scanned = 0;
    input.length = (uint8_t)length;
    memcpy(input.delimiter, delimiter, length);
}

static void append(const char *data, size_t length)
{
    assert_int_equal(tlr_input_append(&input, &buffers, data, length), 0);
}

static ssize_t match(void)
{
    return tlr_input_match(&input, tlr_input_data(&input),
                           tlr_input_length(&input));
}

/* What tlr_read_until() is to find in the whole of it. */
static ssize_t naive(const char *data, size_t length, const char *delimiter,
                     size_t delimiter_length, size_t most)
{
    size_t i;

    for (i = 0; i + delimiter_length <= length &&
                i + delimiter_length <= most;
         i++) {
        if (memcmp(data + i, delimiter, delimiter_length) == 0) {
            return (ssize_t)(i + delimiter_length);
        }
    }
    return length >= most ? UV_EMSGSIZE : 0;
}

static void whatever_there_is_matches(void **state)
{
    (void)state;
    input.wanted = TLR_WANT_SOME;
    assert_int_equal(tlr_input_match(&input, "abc", 3), 3);
}

static void a_size_matches_when_it_is_there(void **state)
{
    (void)state;
    want_size(3);
    assert_int_equal(tlr_input_match(&input, "abcd", 0), 0);
    assert_int_equal(tlr_input_match(&input, "abcd", 2), 0);
    assert_int_equal(tlr_input_match(&input, "abcd", 3), 3);
    assert_int_equal(tlr_input_match(&input, "abcd", 4), 3);
}

/* Byte by byte: as soon as it is there, not before, and of each length. */
static void a_delimiter_of_each_length_is_found(void **state)
{
    static const char text[] = "0123456789abcdefghijABCDEFGHIJKLMNOP!?#";
    size_t length;

    (void)state;
    for (length = 1; length <= TLR_DELIMITER_MOST; length++) {
        size_t at;

        for (at = 0; at + length <= sizeof(text) - 1; at++) {
            size_t seen;

            want_delimiter(text + at, length, 1000);
            for (seen = 0; seen < at + length; seen++) {
                assert_int_equal(tlr_input_match(&input, text, seen), 0);
            }
            assert_int_equal(tlr_input_match(&input, text, seen),
                             at + length);
            /* It may be asked again. */
            assert_int_equal(tlr_input_match(&input, text, sizeof(text) - 1),
                             at + length);
        }
    }
}

static void a_delimiter_is_found_in_any_two_pieces(void **state)
{
    static const struct {
        const char *delimiter;
        const char *text;
    } cases[] = {
        {"aab", "aaab tail"},       {"aab", "aaaaaaaaab"},
        {"abab", "abaabababb"},     {"\r\n\r\n", "a\r\nb\r\n\r\nc"},
        {"\r\n\r\n", "\r\n\r\r\n\r\n"}, {"aaaa", "aaabaaaa"},
        {"xyxyxz", "xyxyxyxyxz"},   {"--boundary------",
                                     "----boundary--------boundary------"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        const char *delimiter = cases[i].delimiter;
        const char *text = cases[i].text;
        size_t size = strlen(text);
        ssize_t wanted =
            naive(text, size, delimiter, strlen(delimiter), 1000);
        size_t cut;

        assert_true(wanted > 0);
        for (cut = 0; cut <= size; cut++) {
            want_delimiter(delimiter, strlen(delimiter), 1000);
            assert_int_equal(tlr_input_match(&input, text, cut),
                             (ssize_t)cut >= wanted ? wanted : 0);
            assert_int_equal(tlr_input_match(&input, text, size), wanted);
        }
    }
}

static void the_most_includes_the_delimiter(void **state)
{
    (void)state;
    want_delimiter("\r\n", 2, 5);
    assert_int_equal(tlr_input_match(&input, "abc\r\nX", 6), 5);
    want_delimiter("\r\n", 2, 5);
    assert_int_equal(tlr_input_match(&input, "abc\r", 4), 0);
    assert_int_equal(tlr_input_match(&input, "abc\r\n", 5), 5);
    want_delimiter("\r\n", 2, 5);
    assert_int_equal(tlr_input_match(&input, "abcd\r\n", 6), UV_EMSGSIZE);
    want_delimiter("\r\n", 2, 5);
    assert_int_equal(tlr_input_match(&input, "abcd\r", 5), UV_EMSGSIZE);
    want_delimiter("\r\n", 2, 2);
    assert_int_equal(tlr_input_match(&input, "\r\n", 2), 2);
    want_delimiter("\r\n", 2, 2);
    assert_int_equal(tlr_input_match(&input, "\r", 1), 0);
    assert_int_equal(tlr_input_match(&input, "\rx", 2), UV_EMSGSIZE);
}

/* Fed in pieces, consumed and asked again, as a connection does. */
static void random_data_agrees_with_a_naive_search(void **state)
{
    enum { SIZE = 3000, ROUNDS = 200 };
    static char text[SIZE];
    unsigned round;

    (void)state;
    for (round = 0; round < ROUNDS; round++) {
        size_t alphabet = 1 + random_below(3);
        size_t fed = 0;
        size_t from = 0; /* of what is kept, in the text */
        size_t i;

        for (i = 0; i < SIZE; i++) {
            text[i] = (char)('a' + random_below(alphabet));
        }
        while (from < SIZE && (fed < SIZE || from < fed)) {
            char delimiter[TLR_DELIMITER_MOST];
            size_t length = 1 + random_below(TLR_DELIMITER_MOST);
            size_t most = length + random_below(200);
            ssize_t found = 0;

            for (i = 0; i < length; i++) {
                delimiter[i] = (char)('a' + random_below(alphabet));
            }
            want_delimiter(delimiter, length, most);
            if (from < fed) {
                found = match();
            }
            while (found == 0 && fed < SIZE) {
                size_t piece = 1 + random_below(40);

                piece = piece < SIZE - fed ? piece : SIZE - fed;
                append(text + fed, piece);
                fed += piece;
                found = match();
                assert_int_equal(found, naive(text + from, fed - from,
                                              delimiter, length, most));
            }
            if (fed > from) {
                assert_int_equal(found, naive(text + from, fed - from,
                                              delimiter, length, most));
                assert_int_equal(tlr_input_length(&input), fed - from);
                assert_memory_equal(tlr_input_data(&input), text + from,
                                    fed - from);
            }
            if (found <= 0) { /* some of it, as a tlr_read() would */
                found = 1 + (ssize_t)random_below(fed - from);
            }
            tlr_input_consume(&input, &buffers, (size_t)found);
            from += (size_t)found;
        }
        tlr_input_drop(&input, &buffers);
    }
}

static void nothing_kept_is_no_memory(void **state)
{
    size_t before = atomic_load(&memory.bytes);

    (void)state;
    want_size(10);
    append("0123456789", 10);
    assert_non_null(input.buffer);
    tlr_input_consume(&input, &buffers, 4);
    assert_int_equal(tlr_input_length(&input), 6);
    assert_memory_equal(tlr_input_data(&input), "456789", 6);
    tlr_input_consume(&input, &buffers, 6);
    assert_null(input.buffer);
    assert_int_equal(atomic_load(&memory.bytes), before);
    append("x", 1);
    tlr_input_drop(&input, &buffers);
    assert_int_equal(atomic_load(&memory.bytes), before);
}

/* While a large read comes in, in pieces of one read each. */
static void memory_is_twice_what_is_kept_at_most(void **state)
{
    enum { SIZE = 1000000 };
    static char piece[READ_BUFFER];
    size_t before = atomic_load(&memory.bytes);

    (void)state;
    want_size(SIZE);
    append("x", 1);
    while (tlr_input_length(&input) < SIZE) {
        size_t kept = tlr_input_length(&input);
        size_t allowed = kept * 2 < READ_BUFFER ? READ_BUFFER : kept * 2;

        assert_in_range(atomic_load(&memory.bytes) - before, kept,
                        allowed + 1000);
        append(piece, SIZE - kept < sizeof(piece) ? SIZE - kept
                                                  : sizeof(piece));
    }
    assert_in_range(atomic_load(&memory.bytes) - before, SIZE, SIZE + 1000);
}

static void the_little_that_is_left_of_much_needs_little(void **state)
{
    static char much[60000];
    size_t before = atomic_load(&memory.bytes);

    (void)state;
    want_delimiter("\n", 1, 1000);
    append(much, sizeof(much));
    append("the rest", 8);
    tlr_input_consume(&input, &buffers, sizeof(much));
    memory.fail_to = UINT32_MAX;
    memory.fail_from = 1;
    tlr_input_shrink(&input, &buffers); /* is no harm without memory */
    memory.fail_from = 0;
    assert_memory_equal(tlr_input_data(&input), "the rest", 8);
    tlr_input_shrink(&input, &buffers);
    assert_int_equal(tlr_input_length(&input), 8);
    assert_memory_equal(tlr_input_data(&input), "the rest", 8);
    assert_in_range(atomic_load(&memory.bytes) - before, 8, 1000);
}

static void without_memory_nothing_changes(void **state)
{
    static char much[100000];

    (void)state;
    want_size(200000);
    memory.fail_to = UINT32_MAX;
    memory.fail_from = 1;
    assert_int_equal(tlr_input_append(&input, &buffers, "abc", 3), UV_ENOMEM);
    assert_null(input.buffer);
    memory.fail_from = 0;
    append("abc", 3);
    memory.fail_from = 1;
    assert_int_equal(
        tlr_input_append(&input, &buffers, much, sizeof(much)), UV_ENOMEM);
    memory.fail_from = 0;
    assert_int_equal(tlr_input_length(&input), 3);
    assert_memory_equal(tlr_input_data(&input), "abc", 3);
    append(much, sizeof(much));
    assert_int_equal(tlr_input_length(&input), 3 + sizeof(much));
}

/* A write may still have what was lent: it keeps its bytes. */
static void what_is_lent_is_not_overwritten(void **state)
{
    struct tlr_buffer *lent;
    char *data;
    size_t i;

    (void)state;
    want_size(4);
    append("lentkept", 8);
    data = tlr_input_data(&input);
    tlr_buffers_lend_taken(&buffers, input.buffer);
    lent = tlr_buffers_share(&buffers, data);
    tlr_input_consume(&input, &buffers, 4);
    tlr_buffers_return_lent(&buffers);
    for (i = 0; i < 1000; i++) {
        append("more", 4);
    }
    assert_memory_equal(data, "lent", 4);
    assert_memory_equal(tlr_input_data(&input), "keptmoremore", 12);
    tlr_buffers_put(&buffers, lent);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_there_is_matches),
        TEST(a_size_matches_when_it_is_there),
        TEST(a_delimiter_of_each_length_is_found),
        TEST(a_delimiter_is_found_in_any_two_pieces),
        TEST(the_most_includes_the_delimiter),
        TEST(random_data_agrees_with_a_naive_search),
        TEST(nothing_kept_is_no_memory),
        TEST(memory_is_twice_what_is_kept_at_most),
        TEST(the_little_that_is_left_of_much_needs_little),
        TEST(without_memory_nothing_changes),
        TEST(what_is_lent_is_not_overwritten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
