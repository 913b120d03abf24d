/* SPDX-License-Identifier: MIT */
/*
 * All numbers of a head are big endian:
 *
 *      0  cookie           0x1c849303, and 0x10 for "words of up to 9 bytes"
 *      4  length           of the counts, in bytes
 *      8  shift            of the counts, in slots
 *     12  digits
 *     16  lowest value     that is told from 0
 *     24  highest value    that has a slot
 *     32  ratio            of a double to an integer; of other kinds only
 *
 * Then a word for each slot, up to that of the largest value: a count, or how many
 * slots in a row are empty, as a negative number. Compressed it is a cookie of its
 * own, a length, and what zlib makes of all of the above.
 */
#include "hdr.h"

#include <stdbool.h>

#include <uv.h>

#include "base64.h"
#include "squeeze.h"

#define COOKIE UINT32_C(0x1c849303)
#define COOKIE_PACKED UINT32_C(0x1c849304)
#define COOKIE_WORDS UINT32_C(0xf0) /* says how long words are */
#define COOKIE_V2 UINT32_C(0x10)
#define HIGHEST ((UINT64_C(1) << TLR_LOAD_HISTOGRAM_BITS) - 1)
#define RATIO UINT64_C(0x3ff0000000000000) /* 1.0 */

enum { DIGITS = 3, PACKED_HEAD = 8, WORD_MOST = 9 };

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
}

static uint64_t get(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

/* ---- words ---- */

/* Seven bits in each byte, the lowest first, and 0x80 if there are more; but all
 * eight in the ninth. */
static size_t put_word(uint8_t *to, uint64_t word)
{
    size_t length = 0;
    while (length < WORD_MOST - 1 && word >= 0x80) {
        to[length++] = (uint8_t)(word | 0x80);
        word >>= 7;
    }
    to[length++] = (uint8_t)word;
    return length;
}

/* Returns its length, or 0: it goes on behind the end. */
static size_t get_word(const uint8_t *from, size_t size, uint64_t *word)
{
    *word = 0;
    for (size_t i = 0; i < size && i < WORD_MOST; i++) {
        uint64_t bits = i < WORD_MOST - 1 ? from[i] & 0x7f : from[i];
        *word |= bits << 7 * i;
        if (i == WORD_MOST - 1 || (from[i] & 0x80) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* 0, -1, 1, -2 ... are 0, 1, 2, 3 ... */
static uint64_t word_of_count(uint64_t count)
{
    return count << 1;
}

static uint64_t word_of_empty(uint64_t slots)
{
    return (slots << 1) - 1;
}

/* ---- plain ---- */

size_t tlr_load_hdr_encode(const struct tlr_load_histogram *histogram,
    uint8_t bytes[TLR_LOAD_HDR_MOST])
{
    size_t end = tlr_load_histogram_slot(histogram->max) + 1;
    size_t length = TLR_LOAD_HDR_HEAD;
    for (size_t i = 0; i < end;) {
        size_t from = i;
        while (i < end && histogram->slots[i] == 0) {
            i++;
        }
        /* One empty slot is a count like others: so the others write it. */
        if (i > from + 1) {
            length += put_word(&bytes[length], word_of_empty(i - from));
        } else {
            i = from;
            length += put_word(
                &bytes[length], word_of_count(histogram->slots[i++]));
        }
    }
    put(bytes, COOKIE | COOKIE_V2, 4);
    put(bytes + 4, length - TLR_LOAD_HDR_HEAD, 4);
    put(bytes + 8, 0, 4);
    put(bytes + 12, DIGITS, 4);
    put(bytes + 16, 1, 8);
    put(bytes + 24, HIGHEST, 8);
    put(bytes + 32, RATIO, 8);
    return length;
}

/* How many slots a histogram has whose values go up to `highest`. */
static uint64_t slots_up_to(uint64_t highest)
{
    uint64_t buckets = 1;
    while (highest >> buckets >= TLR_LOAD_HISTOGRAM_HALF) {
        buckets++;
    }
    return (buckets + 1) * TLR_LOAD_HISTOGRAM_HALF;
}

static int check_head(const uint8_t *bytes, size_t size)
{
    if (size < TLR_LOAD_HDR_HEAD ||
        get(bytes, 4) != (COOKIE | COOKIE_V2) ||
        get(bytes + 4, 4) != size - TLR_LOAD_HDR_HEAD) {
        return UV_EINVAL;
    }
    uint64_t shift = get(bytes + 8, 4);
    uint64_t lowest = get(bytes + 16, 8);
    uint64_t highest = get(bytes + 24, 8);
    if (lowest < 1 || highest < 2 * lowest || highest >> 63 != 0) {
        return UV_EINVAL;
    }
    /* A shift is by whole powers of two, 1024 slots each. The 1 that the
     * JavaScript implementation writes there is none, and it reads it as none. */
    return get(bytes + 12, 4) == DIGITS && lowest == 1 && shift <= 1
               ? 0
               : UV_ENOTSUP;
}

static int take_count(
    struct tlr_load_histogram *histogram, uint64_t slot, uint64_t count)
{
    if (count == 0) {
        return 0;
    }
    /* Both are below 2^63, so that their sum does not overflow. */
    if (slot >= TLR_LOAD_HISTOGRAM_SLOTS ||
        (histogram->count + count) >> 63 != 0) {
        return UV_ERANGE;
    }
    if (histogram->count == 0) {
        histogram->min = tlr_load_histogram_smallest((size_t)slot);
    }
    histogram->max = tlr_load_histogram_largest((size_t)slot);
    histogram->count += count;
    histogram->slots[slot] = count;
    return 0;
}

static int read_counts(struct tlr_load_histogram *histogram,
    const uint8_t *bytes, size_t size, uint64_t slots)
{
    uint64_t slot = 0;
    for (size_t at = 0; at < size;) {
        uint64_t word;
        size_t length = get_word(bytes + at, size - at, &word);
        /* Half of it, rounded up: how many are empty, if it is odd. */
        uint64_t number = (word >> 1) + (word & 1);
        bool empty = (word & 1) != 0;
        if (length == 0 || slot >= slots ||
            (empty && number > slots - slot)) {
            return UV_EINVAL;
        }
        int err = empty ? 0 : take_count(histogram, slot, number);
        if (err != 0) {
            return err;
        }
        slot += empty ? number : 1;
        at += length;
    }
    return 0;
}

int tlr_load_hdr_decode(struct tlr_load_histogram *histogram,
    const uint8_t *bytes, size_t size)
{
    tlr_load_histogram_init(histogram);
    int err = check_head(bytes, size);
    if (err == 0) {
        err = read_counts(histogram, bytes + TLR_LOAD_HDR_HEAD,
            size - TLR_LOAD_HDR_HEAD, slots_up_to(get(bytes + 24, 8)));
    }
    if (err != 0) {
        tlr_load_histogram_clear(histogram);
    }
    return err;
}

/* ---- as text ---- */

int tlr_load_hdr_to_text(const struct tlr_load_histogram *histogram,
    struct tlr_load_hdr_room *room)
{
    size_t size = tlr_load_hdr_encode(histogram, room->plain);
    size_t packed = 0;
    int err = tlr_load_squeeze(room->plain, size, room->packed + PACKED_HEAD,
        sizeof(room->packed) - PACKED_HEAD, &packed);
    if (err == 0) {
        put(room->packed, COOKIE_PACKED | COOKIE_V2, 4);
        put(room->packed + 4, packed, 4);
        tlr_load_base64_encode(
            room->packed, PACKED_HEAD + packed, room->text);
    }
    return err;
}

int tlr_load_hdr_unpack(struct tlr_load_histogram *histogram,
    const uint8_t *packed, size_t size, struct tlr_load_hdr_room *room)
{
    size_t length = 0;
    tlr_load_histogram_init(histogram);
    if (size < PACKED_HEAD ||
        (get(packed, 4) & ~COOKIE_WORDS) != COOKIE_PACKED ||
        get(packed + 4, 4) != size - PACKED_HEAD) {
        return UV_EINVAL;
    }
    int err = tlr_load_expand(packed + PACKED_HEAD, size - PACKED_HEAD,
        room->plain, sizeof(room->plain), &length);
    return err != 0 ? err
                    : tlr_load_hdr_decode(histogram, room->plain, length);
}

int tlr_load_hdr_from_text(struct tlr_load_histogram *histogram,
    const char *text, size_t length, struct tlr_load_hdr_room *room,
    size_t *size)
{
    tlr_load_histogram_init(histogram);
    int err = tlr_load_base64_decode(
        text, length, room->packed, sizeof(room->packed), size);
    return err != 0 ? err
                    : tlr_load_hdr_unpack(
                          histogram, room->packed, *size, room);
}
