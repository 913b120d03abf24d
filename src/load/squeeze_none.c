/* SPDX-License-Identifier: MIT */
#include "squeeze.h"

#include <uv.h>

bool tlr_load_squeeze_is_here(void)
{
    return false;
}

int tlr_load_squeeze(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written)
{
    (void)bytes;
    (void)size;
    (void)to;
    (void)room;
    *written = 0;
    return UV_ENOTSUP;
}

int tlr_load_expand(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written)
{
    return tlr_load_squeeze(bytes, size, to, room, written);
}
