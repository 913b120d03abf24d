/* SPDX-License-Identifier: MIT */
/* Bytes as text, RFC 4648 section 4. Pure functions; any thread may call. */
#ifndef TLR_LOAD_BASE64_H
#define TLR_LOAD_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Writes (size + 2) / 3 * 4 characters and a zero. */
void tlr_load_base64_encode(const uint8_t *bytes, size_t size, char *text);

/* Returns 0, UV_EINVAL if `text` is not base64 as the above writes it, or
 * UV_ENOBUFS if it is more than `room` bytes. */
int tlr_load_base64_decode(const char *text, size_t length, uint8_t *bytes,
    size_t room, size_t *size);

#endif
