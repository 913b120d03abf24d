/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <stdbool.h>
#include <string.h>

enum { WORD = 8, WORDS = 8, BLOCK = WORD * WORDS, INDEX_BITS = 41, SPARE = 3 };

/*
 * A block's words have 61 bits in common, a bijective mix of the connection's
 * number and the block's, and each differs from them by a constant whose lowest
 * three bits say which one it is. So only one mix is needed for 64 bytes, and the
 * rest is as fast as memory (the compiler makes vectors of it); and any word still
 * turns back into all three.
 *
 * The mix is the end of MurmurHash3 with one step less, in 61 bits: two odd
 * factors, which have an inverse modulo 2^61, and two shifts by 31, each its own
 * inverse. The offset keeps the first block of connection 0 from being 0. No two of
 * the constants have a byte in common at the same place, so that each byte of a
 * block differs from those 8 away.
 */
#define MASK ((UINT64_C(1) << 61) - 1)
#define OFFSET UINT64_C(0x1e3779b97f4a7c15)
#define FACTOR_1 UINT64_C(0x1f51afd7ed558ccd)
#define INVERSE_1 UINT64_C(0x0f74430c22a54005)
#define FACTOR_2 UINT64_C(0x04ceb9fe1a85ec53)
#define INVERSE_2 UINT64_C(0x1cb4b2f8129337db)
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

static const uint64_t salts[WORDS] = {
    UINT64_C(0x883079399b7c55a8), UINT64_C(0x43b7f1d15eedd3d1),
    UINT64_C(0xd34e4ba488af295a), UINT64_C(0x1467d4f0a11c68c3),
    UINT64_C(0x98b557ba59fc70b4), UINT64_C(0x6c1b23c3a2599dcd),
    UINT64_C(0x7d4daa7cf99f2a1e), UINT64_C(0x404ab4da2bf646a7)};

static uint64_t mix(uint64_t key)
{
    key = (key + OFFSET) & MASK;
    key = (key * FACTOR_1) & MASK;
    key ^= key >> 31;
    key = (key * FACTOR_2) & MASK;
    key ^= key >> 31;
    return key;
}

static uint64_t unmix(uint64_t key)
{
    key ^= key >> 31;
    key = (key * INVERSE_2) & MASK;
    key ^= key >> 31;
    key = (key * INVERSE_1) & MASK;
    return (key - OFFSET) & MASK;
}

/* What the words of the `block`-th block have in common. */
static uint64_t base_of(uint32_t connection, uint64_t block)
{
    return mix((uint64_t)connection << INDEX_BITS | (block & INDEX_MASK))
           << SPARE;
}

uint64_t tlr_load_pattern_word(uint32_t connection, uint64_t index)
{
    return base_of(connection, index / WORDS) ^ salts[index % WORDS];
}

void tlr_load_pattern_origin(
    uint64_t word, uint32_t *connection, uint64_t *index)
{
    unsigned which = word % WORDS;
    uint64_t key = unmix((word ^ salts[which]) >> SPARE);
    *connection = (uint32_t)(key >> INDEX_BITS);
    *index = (key & INDEX_MASK) * WORDS + which;
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

/* By way of an array: so that every compiler makes vectors of it. */
static void fill_block(uint64_t base, uint8_t *bytes)
{
    uint64_t words[WORDS];
    for (unsigned i = 0; i < WORDS; i++) {
        words[i] = base ^ salts[i];
    }
    if (is_little_endian()) {
        memcpy(bytes, words, BLOCK);
        return;
    }
    for (unsigned i = 0; i < WORDS; i++) {
        store(bytes + (size_t)i * WORD, words[i]);
    }
}

/* Words, up to the next block or to the end: less than a block. */
static size_t fill_words(
    uint32_t connection, uint64_t position, uint8_t *bytes, size_t size)
{
    uint64_t base = base_of(connection, position / BLOCK);
    size_t within = (size_t)(position % BLOCK);
    size_t length = least(BLOCK - within, size);
    size_t at = 0;
    while (at < length) {
        at += fill_part(base ^ salts[(within + at) / WORD],
            (within + at) % WORD, bytes + at, length - at);
    }
    return length;
}

void tlr_load_pattern_fill(
    uint32_t connection, uint64_t position, uint8_t *bytes, size_t size)
{
    size_t at = 0;
    if (position % BLOCK != 0) {
        at = fill_words(connection, position, bytes, size);
    }
    for (; size - at >= BLOCK; at += BLOCK) {
        fill_block(base_of(connection, (position + at) / BLOCK), bytes + at);
    }
    if (at < size) {
        (void)fill_words(connection, position + at, bytes + at,
            size - at); /* fills the whole rest */
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

static bool is_block(uint64_t base, const uint8_t *bytes)
{
    uint64_t words[WORDS];
    uint64_t differences = 0;
    if (is_little_endian()) {
        memcpy(words, bytes, BLOCK);
    } else {
        for (unsigned i = 0; i < WORDS; i++) {
            words[i] = tlr_load_pattern_load(bytes + (size_t)i * WORD);
        }
    }
    for (unsigned i = 0; i < WORDS; i++) {
        differences |= words[i] ^ base ^ salts[i];
    }
    return differences == 0;
}

/* How many are right of a block's rest; *length of them there are. */
static size_t verify_words(uint32_t connection, uint64_t position,
    const uint8_t *bytes, size_t size, size_t *length)
{
    uint64_t base = base_of(connection, position / BLOCK);
    size_t within = (size_t)(position % BLOCK);
    size_t right = 0;
    *length = least(BLOCK - within, size);
    while (right < *length) {
        size_t skip = (within + right) % WORD;
        size_t part = least(WORD - skip, *length - right);
        size_t agree = verify_part(base ^ salts[(within + right) / WORD], skip,
            bytes + right, part);
        right += agree;
        if (agree < part) {
            break;
        }
    }
    return right;
}

size_t tlr_load_pattern_verify(
    uint32_t connection, uint64_t position, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t length;
        size_t right;
        if ((position + at) % BLOCK == 0) {
            while (size - at >= BLOCK &&
                   is_block(base_of(connection, (position + at) / BLOCK),
                       bytes + at)) {
                at += BLOCK;
            }
        }
        if (at == size) {
            break;
        }
        /* The rest of a block, or one with a wrong byte in it. */
        right = verify_words(
            connection, position + at, bytes + at, size - at, &length);
        at += right;
        if (right < length) {
            break;
        }
    }
    return at;
}
