/* SPDX-License-Identifier: MIT */
/*
 * The first few errors of a run, in full: the others are only counted, for a
 * server that fails fails often. Any thread adds; one thread takes.
 */
#ifndef TLR_LOAD_PROBLEMS_H
#define TLR_LOAD_PROBLEMS_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

enum { TLR_LOAD_PROBLEMS = 5, TLR_LOAD_PROBLEM_LENGTH = 512 };

struct tlr_load_problems {
    uv_mutex_t lock;
    unsigned added;
    unsigned taken;
    char lines[TLR_LOAD_PROBLEMS][TLR_LOAD_PROBLEM_LENGTH];
};

/* "byte" or "bytes". */
const char *tlr_load_problem_bytes(uint64_t count);

int tlr_load_problems_init(struct tlr_load_problems *problems);
void tlr_load_problems_close(struct tlr_load_problems *problems);

/* Copies `line`. Returns whether there was room for it. */
bool tlr_load_problems_add(
    struct tlr_load_problems *problems, const char *line);

/* Copies the next one that was not taken yet; false: there is none. */
bool tlr_load_problems_take(struct tlr_load_problems *problems,
    char line[TLR_LOAD_PROBLEM_LENGTH]);

#endif
