/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

static bool reserve(struct tlr_cli_text *text, size_t more)
{
    size_t wanted = text->length + more + 1;
    if (wanted <= text->capacity) {
        return true;
    }
    size_t capacity = wanted > 2 * text->capacity ? wanted : 2 * text->capacity;
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void tlr_cli_text_add(struct tlr_cli_text *text, const char *format, ...)
{
    if (text->failed) {
        return;
    }
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_copy() did */
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format,
            again); /* the same call as above, which succeeded */
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

const char *tlr_cli_text_get(const struct tlr_cli_text *text)
{
    return text->data == NULL ? "" : text->data;
}

const char *tlr_cli_text_line(const struct tlr_cli_text *text)
{
    return text->failed ? "out of memory" : tlr_cli_text_get(text);
}

int tlr_cli_text_print(const struct tlr_cli_text *text, FILE *stream)
{
    if (text->failed) {
        return UV_ENOMEM;
    }
    if (text->length > 0 &&
        fwrite(text->data, 1, text->length, stream) != text->length) {
        return UV_EIO;
    }
    return fflush(stream) == 0 ? 0 : UV_EIO;
}

void tlr_cli_text_free(struct tlr_cli_text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}
