/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

enum { WORD = 8, INDEX_BITS = 44 };

/* The mix is the end of MurmurHash3 with one step less: two odd factors, which
 * have an inverse modulo 2^64, and two shifts by 32, each its own inverse. The
 * offset keeps the first word of connection 0 from being 0. */
#define OFFSET UINT64_C(0x9e3779b97f4a7c15)
#define FACTOR_1 UINT64_C(0xff51afd7ed558ccd)
#define INVERSE_1 UINT64_C(0x4f74430c22a54005)
#define FACTOR_2 UINT64_C(0xc4ceb9fe1a85ec53)
#define INVERSE_2 UINT64_C(0x9cb4b2f8129337db)
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

static uint64_t mix(uint64_t key)
{
    key += OFFSET;
    key *= FACTOR_1;
    key ^= key >> 32;
    key *= FACTOR_2;
    key ^= key >> 32;
    return key;
}

static uint64_t unmix(uint64_t word)
{
    word ^= word >> 32;
    word *= INVERSE_2;
    word ^= word >> 32;
    word *= INVERSE_1;
    return word - OFFSET;
}

static uint64_t key_of(uint32_t connection, uint64_t index)
{
    return (uint64_t)connection << INDEX_BITS | (index & INDEX_MASK);
}

uint64_t tlr_load_pattern_word(uint32_t connection, uint64_t index)
{
    return mix(key_of(connection, index));
}

void tlr_load_pattern_origin(
    uint64_t word, uint32_t *connection, uint64_t *index)
{
    uint64_t key = unmix(word);
    *connection = (uint32_t)(key >> INDEX_BITS);
    *index = key & INDEX_MASK;
}

static int is_little_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* memcpy where the order of bytes is right already: every compiler makes one
 * move of it, and not every one does of the shifts. */
uint64_t tlr_load_pattern_load(const uint8_t *bytes)
{
    uint64_t word = 0;
    if (is_little_endian()) {
        memcpy(&word, bytes, WORD);
        return word;
    }
    for (unsigned i = 0; i < WORD; i++) {
        word |= (uint64_t)bytes[i] << 8 * i;
    }
    return word;
}

static void store(uint8_t *bytes, uint64_t word)
{
    if (is_little_endian()) {
        memcpy(bytes, &word, WORD);
        return;
    }
    for (unsigned i = 0; i < WORD; i++) {
        bytes[i] = (uint8_t)(word >> 8 * i);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes of a word from `skip` on, `size` of them at most. */
static size_t fill_part(
    uint64_t word, size_t skip, uint8_t *bytes, size_t size)
{
    uint8_t whole[WORD];
    size_t length = least(WORD - skip, size);
    store(whole, word);
    memcpy(bytes, whole + skip, length);
    return length;
}

void tlr_load_pattern_fill(
    uint32_t connection, uint64_t position, uint8_t *bytes, size_t size)
{
    uint64_t index = position / WORD;
    size_t skip = (size_t)(position % WORD);
    size_t at = 0;
    if (skip != 0) {
        at = fill_part(
            tlr_load_pattern_word(connection, index++), skip, bytes, size);
    }
    for (; size - at >= WORD; at += WORD) {
        store(bytes + at, tlr_load_pattern_word(connection, index++));
    }
    if (at < size) {
        (void)fill_part(tlr_load_pattern_word(connection, index), 0,
            bytes + at, size - at); /* fills the whole rest */
    }
}

/* How many bytes agree, of `size` in the word from `skip` on at most. */
static size_t verify_part(
    uint64_t word, size_t skip, const uint8_t *bytes, size_t size)
{
    uint8_t whole[WORD];
    size_t length = least(WORD - skip, size);
    size_t right = 0;
    store(whole, word);
    while (right < length && whole[skip + right] == bytes[right]) {
        right++;
    }
    return right;
}

size_t tlr_load_pattern_verify(
    uint32_t connection, uint64_t position, const uint8_t *bytes, size_t size)
{
    enum { BLOCK = 8 }; /* words between two looks at the result */
    uint64_t index = position / WORD;
    size_t skip = (size_t)(position % WORD);
    size_t at = 0;
    if (skip != 0) {
        size_t length = least(WORD - skip, size);
        at = verify_part(
            tlr_load_pattern_word(connection, index++), skip, bytes, size);
        if (at < length) {
            return at;
        }
    }
    while (size - at >= (size_t)BLOCK * WORD) {
        uint64_t differences = 0;
        for (unsigned i = 0; i < BLOCK; i++) {
            differences |=
                tlr_load_pattern_load(bytes + at + (size_t)i * WORD) ^
                tlr_load_pattern_word(connection, index + i);
        }
        if (differences != 0) {
            break; /* found to the byte below */
        }
        at += (size_t)BLOCK * WORD;
        index += BLOCK;
    }
    while (at < size) {
        size_t length = least(WORD, size - at);
        size_t right = verify_part(tlr_load_pattern_word(connection, index++),
            0, bytes + at, length);
        at += right;
        if (right < length) {
            return at;
        }
    }
    return size;
}
