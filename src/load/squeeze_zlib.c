/* SPDX-License-Identifier: MIT */
#include "squeeze.h"

#include <string.h>

#include <uv.h>
#include <zlib.h>

bool tlr_load_squeeze_is_here(void)
{
    return true;
}

int tlr_load_squeeze(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written)
{
    uLongf length = (uLongf)room;
    int err = compress2(
        to, &length, bytes, (uLong)size, Z_DEFAULT_COMPRESSION);
    *written = err == Z_OK ? (size_t)length : 0;
    switch (err) {
    case Z_OK:
        return 0;
    case Z_MEM_ERROR:
        return UV_ENOMEM;
    default:
        return UV_ENOBUFS;
    }
}

/* Not uncompress(): what stands behind the end would go unnoticed. */
int tlr_load_expand(const uint8_t *bytes, size_t size, uint8_t *to,
    size_t room, size_t *written)
{
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    *written = 0;
    if (inflateInit(&stream) != Z_OK) {
        return UV_ENOMEM;
    }
    stream.next_in = (z_const Bytef *)bytes;
    stream.avail_in = (uInt)size;
    stream.next_out = to;
    stream.avail_out = (uInt)room;
    int err = inflate(&stream, Z_FINISH);
    bool whole = err == Z_STREAM_END && stream.avail_in == 0;
    bool full = err == Z_BUF_ERROR && stream.avail_out == 0;
    *written = whole ? (size_t)stream.total_out : 0;
    (void)inflateEnd(&stream); /* fails only for a stream that is none */
    if (whole) {
        return 0;
    }
    return err == Z_MEM_ERROR ? UV_ENOMEM : full ? UV_ENOBUFS : UV_EINVAL;
}
