/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them: whole numbers, sizes, lengths of time. Nothing
 * here depends on the locale, overflows or accepts trailing characters. Any
 * thread may call; a result is written only on success.
 */
#ifndef TLR_CLI_PARSE_H
#define TLR_CLI_PARSE_H

#include <stdint.h>

/*
 * A decimal whole number without a sign.
 * Returns 0, UV_EINVAL if `text` is none, or UV_ERANGE if it is below `min` or
 * above `max`.
 */
int tlr_cli_parse_number(
    const char *text, uint64_t min, uint64_t max, uint64_t *number);

/*
 * A size in bytes: 64, 64B, 64k = 64K = 64KiB, 1M = 1MiB, 2G = 2GiB; powers of
 * 1024. "kB" is refused: it means 1000 to some and 1024 to others.
 * Returns 0, UV_EINVAL or UV_ERANGE as above.
 */
int tlr_cli_parse_size(
    const char *text, uint64_t min, uint64_t max, uint64_t *bytes);

/*
 * A length of time, seconds when it has no unit: 2.5, 2s, 500ms, 1m, 1h. A
 * part of a millisecond is rounded up, so that only 0 becomes 0.
 * `min_ms` and `max_ms` are in milliseconds, and so is the result.
 * Returns 0, UV_EINVAL or UV_ERANGE as above.
 */
int tlr_cli_parse_seconds(
    const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ms);

#endif
