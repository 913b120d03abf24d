/* SPDX-License-Identifier: MIT */
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

static void a_word_turns_back_into_its_connection_and_index(void **state)
{
    static const uint32_t connections[] = {
        0, 1, 7, 49, 65535, TLR_LOAD_PATTERN_CONNECTIONS - 1};
    static const uint64_t indices[] = {
        0, 1, 2, 8191, UINT64_C(1) << 32, (UINT64_C(1) << 44) - 1};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            uint32_t connection;
            uint64_t index;
            uint64_t word = tlr_load_pattern_word(connections[i], indices[j]);
            tlr_load_pattern_origin(word, &connection, &index);
            assert_int_equal(connection, connections[i]);
            assert_true(index == indices[j]);
        }
    }
}

static void the_stream_is_the_words_in_little_endian_order(void **state)
{
    uint8_t bytes[16];
    uint64_t word = tlr_load_pattern_word(3, 1);
    (void)state;
    tlr_load_pattern_fill(3, 0, bytes, sizeof(bytes));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(bytes[8 + i], (uint8_t)(word >> 8 * i));
    }
    assert_true(tlr_load_pattern_load(bytes + 8) == word);
}

static void filling_in_pieces_gives_the_same_as_at_once(void **state)
{
    uint8_t whole[300];
    uint8_t pieces[300];
    (void)state;
    tlr_load_pattern_fill(5, 1000, whole, sizeof(whole));
    for (size_t piece = 1; piece < 40; piece++) {
        memset(pieces, 0, sizeof(pieces));
        for (size_t at = 0; at < sizeof(pieces); at += piece) {
            size_t left = sizeof(pieces) - at;
            tlr_load_pattern_fill(
                5, 1000 + at, pieces + at, left < piece ? left : piece);
        }
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
}

static void verifying_finds_the_first_wrong_byte_wherever_it_is(void **state)
{
    uint8_t bytes[203];
    (void)state;
    for (uint64_t position = 0; position < 17; position++) {
        tlr_load_pattern_fill(9, position, bytes, sizeof(bytes));
        assert_int_equal(
            tlr_load_pattern_verify(9, position, bytes, sizeof(bytes)),
            sizeof(bytes));
        for (size_t at = 0; at < sizeof(bytes); at++) {
            bytes[at] ^= 0x10;
            assert_int_equal(
                tlr_load_pattern_verify(9, position, bytes, sizeof(bytes)),
                at);
            bytes[at] ^= 0x10;
        }
    }
}

static void an_empty_piece_is_right(void **state)
{
    uint8_t byte = 0;
    (void)state;
    assert_int_equal(tlr_load_pattern_verify(1, 3, &byte, 0), 0);
    tlr_load_pattern_fill(1, 3, &byte, 0);
    assert_int_equal(byte, 0);
}

/* Prints; a machine under a debugger or Wine must not fail for being slow. */
static void filling_and_verifying_go_at_memory_speed(void **state)
{
    enum { LENGTH = 64 * 1024, ROUNDS = 4000 };
    uint8_t *bytes = malloc(LENGTH);
    uint64_t started = uv_hrtime();
    (void)state;
    assert_non_null(bytes);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        tlr_load_pattern_fill(1, i * LENGTH + 3, bytes, LENGTH);
    }
    uint64_t filled = uv_hrtime();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        assert_int_equal(tlr_load_pattern_verify(
            1, (uint64_t)(ROUNDS - 1) * LENGTH + 3, bytes, LENGTH), LENGTH);
    }
    uint64_t verified = uv_hrtime();
    print_message("fill %.1f GB/s, verify %.1f GB/s\n",
        (double)LENGTH * ROUNDS / (double)(filled - started + 1),
        (double)LENGTH * ROUNDS / (double)(verified - filled + 1));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_turns_back_into_its_connection_and_index),
        cmocka_unit_test(the_stream_is_the_words_in_little_endian_order),
        cmocka_unit_test(filling_in_pieces_gives_the_same_as_at_once),
        cmocka_unit_test(verifying_finds_the_first_wrong_byte_wherever_it_is),
        cmocka_unit_test(an_empty_piece_is_right),
        cmocka_unit_test(filling_and_verifying_go_at_memory_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
