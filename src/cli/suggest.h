/* SPDX-License-Identifier: MIT */
/* Which word of a list somebody probably meant. Pure; any thread may call. */
#ifndef TLR_CLI_SUGGEST_H
#define TLR_CLI_SUGGEST_H

#include <stddef.h>

/* How many letters must be changed, added, left out or swapped with their
 * neighbour to make one word of the other. Words are compared up to 63
 * letters. */
size_t tlr_cli_distance(const char *a, const char *b);

/*
 * How far `word` is from being meant as `candidate`: 0 for the start of it,
 * else the distance. `SIZE_MAX` when they have too little in common for a
 * suggestion to help.
 */
size_t tlr_cli_suggest_rank(const char *word, const char *candidate);

#endif
