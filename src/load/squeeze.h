/* SPDX-License-Identifier: MIT */
/*
 * zlib's compression, where the program was built with zlib (squeeze_zlib.c);
 * else there is none (squeeze_none.c). CMake picks the file. Any thread may call.
 */
#ifndef TLR_LOAD_SQUEEZE_H
#define TLR_LOAD_SQUEEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether there is. */
bool tlr_load_squeeze_is_here(void);

/* Both write *written bytes, of `room`. They return 0, UV_ENOBUFS where there is
 * not room enough, UV_ENOMEM, or UV_ENOTSUP where there is no zlib; expanding also
 * UV_EINVAL: it is not what zlib has compressed, whole and nothing behind it. */
int tlr_load_squeeze(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written);
int tlr_load_expand(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written);

#endif
