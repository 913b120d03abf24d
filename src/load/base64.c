/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <uv.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

enum { PADDING = 64 };

void tlr_load_base64_encode(const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)bytes[i] << 16;
        word |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        word |= left > 2 ? bytes[i + 2] : 0;
        for (unsigned digit = 0; digit < 4; digit++) {
            *text++ = digits[left < digit ? PADDING
                                          : word >> (18 - 6 * digit) & 63];
        }
    }
    *text = '\0';
}

/* 64: it is none. */
static uint32_t value_of(char digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return (uint32_t)(digit - 'A');
    }
    if (digit >= 'a' && digit <= 'z') {
        return (uint32_t)(digit - 'a') + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return (uint32_t)(digit - '0') + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

int tlr_load_base64_decode(const char *text, size_t length, uint8_t *bytes,
    size_t room, size_t *size)
{
    size_t padding = 0;
    if (length % 4 != 0) {
        return UV_EINVAL;
    }
    while (padding < 2 && padding < length &&
           text[length - 1 - padding] == '=') {
        padding++;
    }
    *size = length / 4 * 3 - padding;
    if (*size > room) {
        return UV_ENOBUFS;
    }
    uint32_t word = 0;
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t value = i < length - padding ? value_of(text[i]) : 0;
        if (value > 63) {
            return UV_EINVAL;
        }
        word = word << 6 | value;
        for (unsigned byte = 0; i % 4 == 3 && byte < 3; byte++) {
            if (written < *size) {
                bytes[written++] = (uint8_t)(word >> (16 - 8 * byte));
            } else if ((word >> (16 - 8 * byte) & 0xff) != 0) {
                return UV_EINVAL; /* bits that belong to no byte */
            }
        }
    }
    return 0;
}
