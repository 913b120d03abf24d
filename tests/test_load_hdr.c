/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "load/base64.h"
#include "load/hdr.h"
#include "load/percentiles.h"
#include "load/squeeze.h"

/* By hdr-histogram-js 3.0.1: tests/load/check.js says of what, and prints it. */
static const char golden[] =
    "HISTFAAAADp4nJNpmSzMwMAgxsDAwMjAwMDMAAGMDAzM/0EAxr/BwsTA9FWei+/5JMaG"
    "AytOzbKaeJeJCQBRXw7f";

#define LARGEST ((UINT64_C(1) << 42) - 1)

/* Too large for a stack. */
static struct tlr_load_histogram histogram;
static struct tlr_load_histogram again;
static struct tlr_load_hdr_room room;
static uint8_t bytes[TLR_LOAD_HDR_MOST];

static void add_times(
    struct tlr_load_histogram *to, uint64_t value, uint64_t times)
{
    tlr_load_histogram_add(to, value);
    to->slots[tlr_load_histogram_slot(value)] += times - 1;
    to->count += times - 1;
}

/* What `golden` is of. */
static void fill(struct tlr_load_histogram *to)
{
    tlr_load_histogram_init(to);
    add_times(to, 0, 300);
    add_times(to, 1, 1);
    add_times(to, 3, 1);
    add_times(to, 2047, 5);
    add_times(to, 2048, 7);
    add_times(to, 1234567, UINT64_C(1000000000000));
    add_times(to, LARGEST, 1);
}

static void assert_same_counts(void)
{
    assert_true(again.count == histogram.count);
    assert_memory_equal(again.slots, histogram.slots, sizeof(again.slots));
}

static size_t encode(void)
{
    return tlr_load_hdr_encode(&histogram, bytes);
}

/* The encoding with its head changed by one byte, or cut off. */
static int decode(size_t size)
{
    return tlr_load_hdr_decode(&again, bytes, size);
}

static void slots_are_those_of_hdrhistogram(void **state)
{
    /* By hdr-histogram-js: countsArrayIndex(), of 33792 in all. */
    static const uint64_t index[][2] = {{0, 0}, {1, 1}, {2047, 2047},
        {2048, 2048}, {4095, 3071}, {4096, 3072}, {1234567, 11445},
        {LARGEST, 33791}};
    (void)state;
    assert_int_equal(TLR_LOAD_HISTOGRAM_SLOTS, 33792);
    for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
        assert_int_equal(tlr_load_histogram_slot(index[i][0]), index[i][1]);
    }
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    fill(&histogram);
    assert_int_equal(decode(encode()), 0);
    assert_same_counts();
    assert_int_equal(again.min, 0);
    assert_true(again.max == LARGEST);
}

static void an_empty_one_is_a_single_byte_and_a_head(void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    assert_int_equal(encode(), TLR_LOAD_HDR_HEAD + 1);
    assert_int_equal(bytes[TLR_LOAD_HDR_HEAD], 0);
    assert_int_equal(decode(TLR_LOAD_HDR_HEAD + 1), 0);
    assert_memory_equal(&again, &histogram, sizeof(again));
}

static void a_count_takes_up_to_nine_bytes(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 63; bits++) {
        tlr_load_histogram_init(&histogram);
        add_times(&histogram, 77, UINT64_C(1) << bits);
        size_t size = encode();
        /* 77 empty slots are one byte; a word has a bit more than its count. */
        size_t word = (bits + 2 + 6) / 7 < 9 ? (bits + 2 + 6) / 7 : 9;
        assert_int_equal(size, TLR_LOAD_HDR_HEAD + 2 + word);
        assert_int_equal(decode(size), 0);
        assert_same_counts();
    }
}

static void the_largest_one_has_room(void **state)
{
    (void)state;
    tlr_load_histogram_init(&histogram);
    for (size_t i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        add_times(&histogram, tlr_load_histogram_largest(i),
            (UINT64_C(1) << 47) + i % 1000);
    }
    assert_int_equal(decode(encode()), 0);
    assert_same_counts();
    int err = tlr_load_hdr_to_text(&histogram, &room);
    if (tlr_load_squeeze_is_here()) {
        size_t size;
        assert_int_equal(err, 0);
        assert_true(strlen(room.text) < sizeof(room.text));
        assert_int_equal(tlr_load_hdr_from_text(&again, room.text,
                             strlen(room.text), &room, &size),
            0);
        assert_same_counts();
    } else {
        assert_int_equal(err, UV_ENOTSUP);
    }
}

static void what_cannot_be_packed_has_room_too(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u; /* xorshift (Marsaglia 2003) */
    size_t size = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes[i] = (uint8_t)(seed >> 32);
    }
    int err = tlr_load_squeeze(bytes, sizeof(bytes), room.packed + 8,
        sizeof(room.packed) - 8, &size);
    assert_int_equal(err, tlr_load_squeeze_is_here() ? 0 : UV_ENOTSUP);
}

static void what_is_not_all_of_a_stream_is_refused(void **state)
{
    uint8_t out[8];
    size_t size;
    size_t length;
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(tlr_load_squeeze((const uint8_t *)"teller", 6, bytes,
                         sizeof(bytes), &size),
        0);
    assert_int_equal(tlr_load_expand(bytes, size, out, 6, &length), 0);
    assert_int_equal(length, 6);
    assert_memory_equal(out, "teller", 6);
    assert_int_equal(
        tlr_load_expand(bytes, size, out, 5, &length), UV_ENOBUFS);
    assert_int_equal(
        tlr_load_expand(bytes, size - 1, out, 8, &length), UV_EINVAL);
    assert_int_equal(
        tlr_load_expand(bytes, size + 1, out, 8, &length), UV_EINVAL);
    assert_int_equal(tlr_load_expand(bytes, 0, out, 8, &length), UV_EINVAL);
    assert_int_equal(
        tlr_load_squeeze(bytes, 6, out, 4, &length), UV_ENOBUFS);
}

static void a_text_of_another_implementation_is_read(void **state)
{
    size_t size;
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    fill(&histogram);
    assert_int_equal(tlr_load_hdr_from_text(
                         &again, golden, strlen(golden), &room, &size),
        0);
    assert_same_counts();
    /* Ours differs from it in what both pass over: shift and ratio. */
    memcpy(bytes, room.plain, sizeof(bytes));
    bytes[11] = 0;
    memcpy(bytes + 32, "\x3f\xf0\0\0\0\0\0\0", 8);
    size = tlr_load_hdr_encode(&histogram, room.plain);
    assert_memory_equal(room.plain, bytes, size);
}

static void a_damaged_text_is_refused(void **state)
{
    char text[sizeof(golden)];
    size_t size;
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip();
    }
    for (size_t length = 0; length < strlen(golden); length++) {
        assert_int_equal(tlr_load_hdr_from_text(
                             &again, golden, length, &room, &size),
            UV_EINVAL);
        assert_int_equal(again.count, 0);
    }
    /* zlib's sum finds each other digit, but for the head's unused bits. */
    for (size_t i = 0; i < strlen(golden); i++) {
        memcpy(text, golden, sizeof(text));
        text[i] = text[i] == 'A' ? 'B' : 'A';
        int err = tlr_load_hdr_from_text(
            &again, text, strlen(text), &room, &size);
        assert_int_equal(err, UV_EINVAL);
    }
}

static void a_head_that_is_not_ours_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int err;
    } wrong[] = {
        {0, 0x1d, UV_EINVAL},  /* cookie */
        {3, 0x04, UV_EINVAL},
        {7, 0xff, UV_EINVAL},  /* length */
        {4, 0x80, UV_EINVAL},
        {11, 0x02, UV_ENOTSUP}, /* shift */
        {8, 0x80, UV_ENOTSUP},
        {15, 0x02, UV_ENOTSUP}, /* digits */
        {15, 0x04, UV_ENOTSUP},
        {23, 0x00, UV_EINVAL},  /* lowest value */
        {23, 0x02, UV_ENOTSUP},
        {24, 0x80, UV_EINVAL},  /* highest value: negative */
    };
    (void)state;
    fill(&histogram);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t size = encode();
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(decode(size), wrong[i].err);
        assert_int_equal(again.count, 0);
    }
    size_t size = encode();
    for (size_t length = 0; length < size; length++) {
        assert_int_equal(decode(length), UV_EINVAL);
    }
}

/* A head, and these words. */
static int decode_words(uint64_t highest, const char *words, size_t length)
{
    tlr_load_histogram_init(&histogram);
    (void)encode();
    for (unsigned i = 0; i < 8; i++) {
        bytes[24 + i] = (uint8_t)(highest >> (56 - 8 * i));
    }
    memcpy(bytes + TLR_LOAD_HDR_HEAD, words, length);
    memset(bytes + TLR_LOAD_HDR_HEAD + length, 0, 9); /* not to be read */
    bytes[6] = (uint8_t)(length >> 8);
    bytes[7] = (uint8_t)length;
    return decode(TLR_LOAD_HDR_HEAD + length);
}

static void counts_behind_the_end_are_refused(void **state)
{
    (void)state;
    /* 2048 slots, of which 2047 are empty: -2047 is 4093, 0xfd 0x1f. */
    assert_int_equal(decode_words(2047, "\xfd\x1f\x02", 3), 0);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.max, 2047);
    assert_int_equal(decode_words(2047, "\xfd\x1f\x02\x02", 4), UV_EINVAL);
    assert_int_equal(decode_words(2047, "\xff\x1f", 2), 0); /* 2048 */
    assert_int_equal(decode_words(2047, "\x81\x20", 2), UV_EINVAL); /* 2049 */
    /* -2^63, and a word that does not end. */
    assert_int_equal(decode_words(2047,
                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9),
        UV_EINVAL);
    assert_int_equal(decode_words(2047, "\xff\xff\xff", 3), UV_EINVAL);
    assert_int_equal(decode_words(2047, "\x82", 1), UV_EINVAL);
}

static void values_above_ours_are_refused_unless_there_are_none(void **state)
{
    uint64_t highest = (UINT64_C(1) << 62) - 1;
    (void)state;
    /* 33791 empty ones are 67581: 0xfd 0x8f 0x04; one more is 0xff. */
    assert_int_equal(decode_words(highest, "\xfd\x8f\x04\x02", 4), 0);
    assert_true(again.max == LARGEST);
    assert_int_equal(decode_words(highest, "\xff\x8f\x04\x00", 4), 0);
    assert_int_equal(again.count, 0);
    assert_int_equal(
        decode_words(highest, "\xff\x8f\x04\x02", 4), UV_ERANGE);
}

static void more_than_can_be_counted_is_refused(void **state)
{
    (void)state;
    /* Twice 2^62 is 2^63. */
    assert_int_equal(decode_words(LARGEST,
                         "\x80\x80\x80\x80\x80\x80\x80\x80\x80"
                         "\x80\x80\x80\x80\x80\x80\x80\x80\x80",
                         18),
        UV_ERANGE);
    assert_int_equal(
        decode_words(LARGEST, "\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9), 0);
    assert_true(again.count == UINT64_C(1) << 62);
}

static void base64_is_that_of_the_rfc(void **state)
{
    /* RFC 4648 section 10. */
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="},
        {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {"Z", "Zg=", "Zg", "Z===", "====",
        "Zh==", "Zm9=", "Zm\n=", "Zg==Zg==", "Zm9v-_Zm", "Zm9\xff"};
    char text[16];
    uint8_t out[8];
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const char *plain = pairs[i][0];
        tlr_load_base64_encode((const uint8_t *)plain, strlen(plain), text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(tlr_load_base64_decode(
                             text, strlen(text), out, sizeof(out), &size),
            0);
        assert_int_equal(size, strlen(plain));
        assert_memory_equal(out, plain, size);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(tlr_load_base64_decode(wrong[i], strlen(wrong[i]),
                             out, sizeof(out), &size),
            UV_EINVAL);
    }
    assert_int_equal(
        tlr_load_base64_decode("Zm9v", 4, out, 2, &size), UV_ENOBUFS);
}

/* The text ends for any count: 2^62 less one is 100% as far as a double tells. */
static void percentiles_end(void **state)
{
    struct tlr_cli_text text = {0};
    (void)state;
    tlr_load_histogram_init(&histogram);
    add_times(&histogram, 1, (UINT64_C(1) << 62) - 1);
    add_times(&histogram, 1000000, 1);
    tlr_load_percentiles_add(&text, &histogram);
    assert_false(text.failed);
    assert_true(text.length < 65536);
    assert_non_null(strstr(text.data,
        "       1.000 1.000000000000 4611686018427387904\n#[Mean"));
    tlr_cli_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_those_of_hdrhistogram),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(an_empty_one_is_a_single_byte_and_a_head),
        cmocka_unit_test(a_count_takes_up_to_nine_bytes),
        cmocka_unit_test(the_largest_one_has_room),
        cmocka_unit_test(what_cannot_be_packed_has_room_too),
        cmocka_unit_test(what_is_not_all_of_a_stream_is_refused),
        cmocka_unit_test(a_text_of_another_implementation_is_read),
        cmocka_unit_test(a_damaged_text_is_refused),
        cmocka_unit_test(a_head_that_is_not_ours_is_refused),
        cmocka_unit_test(counts_behind_the_end_are_refused),
        cmocka_unit_test(values_above_ours_are_refused_unless_there_are_none),
        cmocka_unit_test(more_than_can_be_counted_is_refused),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(percentiles_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
