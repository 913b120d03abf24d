/* SPDX-License-Identifier: MIT */
/*
 * Each test spoils the stream of connection 7 at a position, finds the first
 * wrong byte as teller-load does, and asks what happened; for every alignment
 * and for odd lengths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/diagnosis.h"
#include "load/pattern.h"

enum { SELF = 7, OTHER = 12, CONNECTIONS = 50, SIZE = 600, MORE = 200 };

static uint8_t stream[SIZE + MORE]; /* of SELF, from byte `begin` on */
static uint8_t arrived[SIZE + MORE];
static uint64_t begin;

static void start(uint64_t position)
{
    begin = position;
    tlr_load_pattern_fill(SELF, position, stream, sizeof(stream));
    memcpy(arrived, stream, sizeof(stream));
}

/* What is said of `size` bytes that arrived; *at is the first wrong one. */
static struct tlr_load_diagnosis examine(size_t size, size_t *at)
{
    *at = tlr_load_pattern_verify(SELF, begin, arrived, size);
    assert_true(*at < size);
    return tlr_load_diagnose(
        SELF, begin + *at, arrived + *at, size - *at, CONNECTIONS);
}

static const size_t lengths[] = {1, 2, 7, 8, 9, 63, 64, 65, 129};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

static void lost_bytes_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t place = 0; place < 20; place++) {
            size_t length = lengths[i];
            size_t at;
            start(123456 + place);
            memcpy(arrived + place, stream + place + length,
                SIZE + MORE - place - length);
            struct tlr_load_diagnosis found = examine(SIZE, &at);
            assert_int_equal(found.finding, TLR_LOAD_LOST);
            assert_int_equal(found.connection, SELF);
            assert_int_equal(found.length, length);
            assert_int_equal(found.position, begin + at + length);
        }
    }
}

static void doubled_bytes_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t place = 130; place < 150; place++) {
            size_t length = lengths[i];
            size_t at;
            start(77777 + place);
            memcpy(arrived + place, stream + place - length,
                SIZE + MORE - place);
            struct tlr_load_diagnosis found = examine(SIZE, &at);
            assert_int_equal(found.finding, TLR_LOAD_DOUBLED);
            assert_int_equal(found.connection, SELF);
            assert_int_equal(found.length, length);
            assert_int_equal(found.position, begin + at - length);
        }
    }
}

/* Neither has come before. By chance a byte of them may look like one that is due,
 * or that was before. */
static void inserted_bytes_are_not_doubled(void **state)
{
    static const size_t few[] = {1, 2, 5, 7, 8, 9, 20, 48};
    (void)state;
    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
        for (size_t place = 0; place < 20; place++) {
            size_t length = few[i];
            size_t at;
            start(640 + place);
            memset(arrived + place, arrived[place] ^ 0x55, length);
            memcpy(arrived + place + length, stream + place,
                SIZE + MORE - place - length);
            struct tlr_load_diagnosis found =
                examine(place + TLR_LOAD_EVIDENCE, &at);
            if (length == 1 && place > 0 &&
                arrived[place] == stream[place - 1]) {
                continue; /* it cannot be told from that one, doubled */
            }
            assert_int_equal(found.finding, TLR_LOAD_INSERTED);
            assert_int_equal(found.connection, SELF);
            assert_int_equal(found.length, length);
            assert_in_range(
                found.position, begin + place - 2, begin + place);
        }
    }
}

static void what_comes_behind_garbage_may_still_be_doubled(void **state)
{
    size_t at;
    (void)state;
    start(640);
    memset(arrived + 200, 'x', 5);
    memcpy(arrived + 205, stream + 100, 300);
    struct tlr_load_diagnosis found = examine(SIZE, &at);
    assert_int_equal(found.finding, TLR_LOAD_DOUBLED);
    assert_int_equal(found.position, 640 + 100);
    assert_int_equal(found.length, 100);
}

static void swapped_pieces_are_recognised(void **state)
{
    (void)state;
    for (size_t length = 15; length < 130; length += 7) {
        for (size_t place = 0; place < 20; place++) {
            size_t at;
            start(999 + place);
            memcpy(arrived + place, stream + place + length, length);
            memcpy(arrived + place + length, stream + place, length);
            struct tlr_load_diagnosis found = examine(SIZE, &at);
            assert_int_equal(found.finding, TLR_LOAD_SWAPPED);
            assert_int_equal(found.connection, SELF);
            assert_int_equal(found.length, length);
        }
    }
}

static void foreign_bytes_are_named_with_their_owner_and_place(void **state)
{
    (void)state;
    for (size_t length = 15; length < 130; length += 7) {
        for (size_t place = 0; place < 20; place++) {
            uint64_t theirs = 8080 + 3 * place;
            size_t at;
            start(4000 + place);
            tlr_load_pattern_fill(OTHER, theirs, arrived + place, length);
            struct tlr_load_diagnosis found = examine(SIZE, &at);
            assert_int_equal(found.finding, TLR_LOAD_FOREIGN);
            assert_int_equal(found.connection, OTHER);
            assert_int_equal(found.position, theirs + (at - place));
        }
    }
}

static void a_single_flipped_bit_is_one_corrupted_byte(void **state)
{
    (void)state;
    for (size_t place = 0; place < 20; place++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            size_t at;
            start(31337 + place);
            arrived[place] ^= (uint8_t)(1u << bit);
            struct tlr_load_diagnosis found = examine(SIZE, &at);
            assert_int_equal(at, place);
            assert_int_equal(found.finding, TLR_LOAD_CHANGED);
            assert_int_equal(found.length, 1);
            assert_int_equal(found.position, begin + place + 1);
        }
    }
}

static void the_last_byte_alone_is_too_little_to_tell(void **state)
{
    size_t at;
    (void)state;
    start(5);
    arrived[SIZE - 1] ^= 0x80;
    struct tlr_load_diagnosis found = examine(SIZE, &at);
    assert_int_equal(at, SIZE - 1);
    assert_int_equal(found.finding, TLR_LOAD_TOO_FEW);
    assert_int_equal(found.length, 1);
}

static void the_first_byte_of_a_stream_may_be_the_wrong_one(void **state)
{
    size_t at;
    (void)state;
    start(0);
    arrived[0] ^= 0x01;
    struct tlr_load_diagnosis found = examine(SIZE, &at);
    assert_int_equal(at, 0);
    assert_int_equal(found.finding, TLR_LOAD_CHANGED);
    start(0);
    memcpy(arrived, stream + 1, SIZE);
    found = examine(SIZE, &at);
    assert_int_equal(found.finding, TLR_LOAD_LOST);
    assert_int_equal(found.length, 1);
}

static void the_evidence_a_session_gathers_is_enough(void **state)
{
    size_t at;
    (void)state;
    start(123457);
    memcpy(arrived + 11, stream + 11 + 77, SIZE - 11);
    struct tlr_load_diagnosis found = examine(11 + TLR_LOAD_EVIDENCE, &at);
    assert_int_equal(found.finding, TLR_LOAD_LOST);
    found = examine(11 + 15, &at);
    assert_int_equal(found.finding, TLR_LOAD_LOST);
    assert_int_equal(found.length, 77);
}

static void bytes_of_no_stream_are_corrupted(void **state)
{
    static const uint8_t fills[] = {0x00, 0xff, 'x'};
    size_t at;
    (void)state;
    for (size_t i = 0; i < sizeof(fills); i++) {
        start(640);
        memset(arrived, fills[i], sizeof(arrived));
        assert_int_equal(examine(SIZE, &at).finding, TLR_LOAD_CORRUPTED);
    }
    /* A connection that this run does not have is none of its streams. */
    start(640);
    tlr_load_pattern_fill(CONNECTIONS, 640, arrived, sizeof(arrived));
    assert_int_equal(examine(SIZE, &at).finding, TLR_LOAD_CORRUPTED);
}

static void the_text_names_everything(void **state)
{
    char text[TLR_LOAD_DIAGNOSIS_LENGTH];
    struct tlr_load_diagnosis diagnosis = {TLR_LOAD_LOST, 7, 123520, 64};
    (void)state;
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "what arrived is connection 7's own stream from byte 123520 on: 64 "
        "bytes were lost");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_DOUBLED, 7, 5, 1};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "what arrived is connection 7's own stream from byte 5 on again: 1 "
        "byte was doubled");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_FOREIGN, 12, 8080, 64};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "what arrived is of connection 12's stream, from byte 8080 on: "
        "foreign");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_CORRUPTED, 0, 0, 64};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "what arrived is not of any stream of this run: corrupted");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_INSERTED, 7, 640, 5};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "5 foreign bytes were inserted, and the stream goes on rightly from "
        "byte 640");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_TOO_FEW, 0, 0, 1};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 0, text),
        "what arrived, 1 byte, is too little to tell whose it is");
}

/* As those of the line that it becomes part of. */
static void positions_count_from_where_the_connection_began(void **state)
{
    char text[TLR_LOAD_DIAGNOSIS_LENGTH];
    struct tlr_load_diagnosis diagnosis = {TLR_LOAD_CHANGED, 7, 2661, 1};
    (void)state;
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 2560, text),
        "1 byte was corrupted, and the stream goes on rightly from byte 101");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_DOUBLED, 7, 2570, 64};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 2560, text),
        "what arrived is connection 7's own stream from byte 10 on again: 64 "
        "bytes were doubled");
    diagnosis.position = 2500;
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 2560, text),
        "what arrived was sent in an earlier session of connection 7: 64 bytes "
        "were doubled");
    diagnosis = (struct tlr_load_diagnosis){TLR_LOAD_INSERTED, 7, 2559, 20};
    assert_string_equal(tlr_load_diagnosis_text(&diagnosis, 7, 2560, text),
        "20 foreign bytes were inserted, and the stream goes on rightly from "
        "byte 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_bytes_are_counted),
        cmocka_unit_test(doubled_bytes_are_counted),
        cmocka_unit_test(inserted_bytes_are_not_doubled),
        cmocka_unit_test(what_comes_behind_garbage_may_still_be_doubled),
        cmocka_unit_test(swapped_pieces_are_recognised),
        cmocka_unit_test(foreign_bytes_are_named_with_their_owner_and_place),
        cmocka_unit_test(a_single_flipped_bit_is_one_corrupted_byte),
        cmocka_unit_test(the_last_byte_alone_is_too_little_to_tell),
        cmocka_unit_test(the_first_byte_of_a_stream_may_be_the_wrong_one),
        cmocka_unit_test(the_evidence_a_session_gathers_is_enough),
        cmocka_unit_test(bytes_of_no_stream_are_corrupted),
        cmocka_unit_test(the_text_names_everything),
        cmocka_unit_test(positions_count_from_where_the_connection_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
