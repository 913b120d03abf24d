/* SPDX-License-Identifier: MIT */
/*
 * The bytes a connection sends: a stream that can be computed from the
 * connection's number and a position in it, and found again from what arrives.
 *
 * The stream is a row of 64-bit words, little-endian. A word is made bijectively
 * of (connection, index of the word), so that no word occurs twice in a run and
 * any word that arrives can be turned back into whose it is and where it
 * belongs. Pure functions; any thread may call.
 */
#ifndef TLR_LOAD_PATTERN_H
#define TLR_LOAD_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* 2^20 connections with 2^47 bytes (128 TiB) each; from there on it repeats. */
enum { TLR_LOAD_PATTERN_CONNECTIONS = 1 << 20 };

uint64_t tlr_load_pattern_word(uint32_t connection, uint64_t index);

/* The inverse: whose word it is, and at which index. */
void tlr_load_pattern_origin(
    uint64_t word, uint32_t *connection, uint64_t *index);

/* Writes `size` bytes of the stream, from byte `position` on, to `bytes`. */
void tlr_load_pattern_fill(
    uint32_t connection, uint64_t position, uint8_t *bytes, size_t size);

/* Compares. Returns how many bytes are right before the first wrong one:
 * `size` when all are. */
size_t tlr_load_pattern_verify(
    uint32_t connection, uint64_t position, const uint8_t *bytes, size_t size);

/* Eight bytes, wherever they lie, as a word of the stream. */
uint64_t tlr_load_pattern_load(const uint8_t *bytes);

#endif
