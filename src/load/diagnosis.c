/* SPDX-License-Identifier: MIT */
/*
 * Eight bytes in a row of any stream, if they start at a word of it, turn back
 * into a connection's number and a position (pattern.h). So a word is looked
 * for at each offset; one that names a connection of this run, and is followed
 * by what follows it in that stream, is a piece of that stream. Its place says
 * what happened.
 */
#include "diagnosis.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "pattern.h"

enum {
    WORD = 8,
    /* Any 15 bytes of a stream in a row hold one of its words. */
    ENOUGH = 2 * WORD - 1,
    /* A word and four bytes more: by chance, once in 2^32 words that name a
     * connection of this run. */
    CERTAIN = WORD + 4
};

/* A run of bytes of one stream. */
struct piece {
    size_t offset; /* in what arrived */
    size_t length;
    uint32_t connection;
    uint64_t position; /* in that connection's stream */
};

static bool is_byte_of(uint32_t connection, uint64_t position, uint8_t byte)
{
    return tlr_load_pattern_verify(connection, position, &byte, 1) == 1;
}

/* The piece around the word at `offset`, no further back than `from`. */
static struct piece grow(const uint8_t *bytes, size_t size, size_t from,
    struct piece word)
{
    struct piece piece = word;
    piece.length = tlr_load_pattern_verify(
        piece.connection, piece.position, bytes + piece.offset,
        size - piece.offset);
    while (piece.offset > from && piece.position > 0 &&
           is_byte_of(piece.connection, piece.position - 1,
               bytes[piece.offset - 1])) {
        piece.offset--;
        piece.position--;
        piece.length++;
    }
    return piece;
}

/* The first piece of any stream from `from` on. `reached` is a position that
 * the streams have about come to: it decides where few bytes have to do. */
static bool find_piece(const uint8_t *bytes, size_t size, size_t from,
    uint64_t reached, uint32_t connections, struct piece *found)
{
    uint64_t reach = 2 * reached + (UINT64_C(1) << 26);
    for (size_t at = from; at < size && size - at >= WORD; at++) {
        struct piece word = {.offset = at};
        uint64_t index;
        tlr_load_pattern_origin(
            tlr_load_pattern_load(bytes + at), &word.connection, &index);
        if (word.connection >= connections) {
            continue;
        }
        word.position = index * WORD;
        *found = grow(bytes, size, from, word);
        if (found->length >= CERTAIN || word.position < reach) {
            return true;
        }
    }
    return false;
}

/* A later piece has come: is the one that was due behind it? By chance a byte
 * or two at its start may have looked right already: a word's worth at most. */
static bool is_swapped(const uint8_t *bytes, size_t size,
    const struct piece *first, uint64_t due, uint32_t connections)
{
    struct piece second;
    return find_piece(bytes, size, first->offset + first->length, due,
               connections, &second) &&
           second.connection == first->connection &&
           second.position + WORD >= due && second.position < first->position;
}

/* An earlier piece than due has come. It is a repetition if it came at once; behind
 * some bytes of no stream, if it is from further back than chance makes it. */
static bool is_repetition(const struct piece *piece, uint64_t position)
{
    return piece->offset == 0 || piece->position + WORD < position;
}

struct tlr_load_diagnosis tlr_load_diagnose(uint32_t connection,
    uint64_t position, const uint8_t *bytes, size_t size, uint32_t connections)
{
    struct tlr_load_diagnosis diagnosis = {
        .finding = size < ENOUGH ? TLR_LOAD_TOO_FEW : TLR_LOAD_CORRUPTED,
        .length = size,
    };
    struct piece piece;
    if (!find_piece(bytes, size, 0, position, connections, &piece)) {
        return diagnosis;
    }
    uint64_t due = position + piece.offset;
    diagnosis.connection = piece.connection;
    diagnosis.position = piece.position;
    if (piece.connection != connection) {
        diagnosis.finding = TLR_LOAD_FOREIGN;
        diagnosis.length = piece.length;
    } else if (piece.position == due) {
        diagnosis.finding = TLR_LOAD_CHANGED;
        diagnosis.length = piece.offset;
    } else if (piece.position < due) {
        bool again = is_repetition(&piece, position);
        diagnosis.finding = again ? TLR_LOAD_DOUBLED : TLR_LOAD_INSERTED;
        diagnosis.length = (again ? position : due) - piece.position;
    } else {
        diagnosis.finding = is_swapped(bytes, size, &piece, due, connections)
                                ? TLR_LOAD_SWAPPED
                                : TLR_LOAD_LOST;
        diagnosis.length = piece.position - due;
    }
    return diagnosis;
}

/* Its own stream's bytes, again. */
static void add_doubled(const struct tlr_load_diagnosis *diagnosis,
    uint32_t connection, uint64_t first, char *text, size_t room)
{
    uint64_t length = diagnosis->length;
    const char *were = length == 1 ? "byte was" : "bytes were";
    if (diagnosis->position < first) {
        (void)snprintf(text, room,
            "what arrived was sent in an earlier session of connection "
            "%" PRIu32 ": %" PRIu64 " %s doubled",
            connection, length, were);
        return;
    }
    (void)snprintf(text, room,
        "what arrived is connection %" PRIu32 "'s own stream from byte "
        "%" PRIu64 " on again: %" PRIu64 " %s doubled",
        connection, diagnosis->position - first, length, were);
}

/* Every line here fits: they are cut off nowhere. */
const char *tlr_load_diagnosis_text(const struct tlr_load_diagnosis *diagnosis,
    uint32_t connection, uint64_t first, char text[TLR_LOAD_DIAGNOSIS_LENGTH])
{
    /* By chance the last of some inserted bytes may look like one before. */
    uint64_t position =
        diagnosis->position > first ? diagnosis->position - first : 0;
    uint64_t length = diagnosis->length;
    const char *were = length == 1 ? "byte was" : "bytes were";
    size_t room = TLR_LOAD_DIAGNOSIS_LENGTH;
    switch (diagnosis->finding) {
    case TLR_LOAD_LOST:
        (void)snprintf(text, room,
            "what arrived is connection %" PRIu32 "'s own stream from byte "
            "%" PRIu64 " on: %" PRIu64 " %s lost",
            connection, position, length, were);
        break;
    case TLR_LOAD_DOUBLED:
        add_doubled(diagnosis, connection, first, text, room);
        break;
    case TLR_LOAD_INSERTED:
        (void)snprintf(text, room,
            "%" PRIu64 " foreign %s inserted, and the stream goes on rightly "
            "from byte %" PRIu64,
            length, were, position);
        break;
    case TLR_LOAD_SWAPPED:
        (void)snprintf(text, room,
            "what arrived is connection %" PRIu32 "'s own stream from byte "
            "%" PRIu64 " on, and after it what was due: swapped",
            connection, position);
        break;
    case TLR_LOAD_FOREIGN:
        (void)snprintf(text, room,
            "what arrived is of connection %" PRIu32 "'s stream, from byte "
            "%" PRIu64 " on: foreign",
            diagnosis->connection, diagnosis->position);
        break;
    case TLR_LOAD_CHANGED:
        (void)snprintf(text, room,
            "%" PRIu64 " %s corrupted, and the stream goes on rightly from "
            "byte %" PRIu64,
            length, were, position);
        break;
    case TLR_LOAD_CORRUPTED:
        (void)snprintf(text, room,
            "what arrived is not of any stream of this run: corrupted");
        break;
    case TLR_LOAD_TOO_FEW:
        (void)snprintf(text, room,
            "what arrived, %" PRIu64 " %s, is too little to tell whose it is",
            length, length == 1 ? "byte" : "bytes");
        break;
    }
    return text;
}
