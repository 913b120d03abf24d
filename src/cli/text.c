/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <errno.h>
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

/* Not uv_translate_sys_error(): on Windows that takes an error of the system's,
 * and errno is one of the C library's. */
static int error_of_stdio(void)
{
    switch (errno) {
    case EBADF:
        return UV_EBADF;
    case ENOSPC:
        return UV_ENOSPC;
    case EPIPE:
        return UV_EPIPE;
    case EFBIG:
        return UV_EFBIG;
    default:
        return UV_EIO;
    }
}

int tlr_cli_text_print(const struct tlr_cli_text *text, FILE *stream)
{
    if (text->failed) {
        return UV_ENOMEM;
    }
    errno = 0;
    if (text->length > 0 &&
        fwrite(text->data, 1, text->length, stream) != text->length) {
        return error_of_stdio();
    }
    return fflush(stream) == 0 ? 0 : error_of_stdio();
}

int tlr_cli_text_output(const struct tlr_cli_text *text, const char *program)
{
    int err = tlr_cli_text_print(text, stdout);
    if (err != 0) {
        (void)fprintf(stderr, "%s: cannot write to standard output: %s\n",
            program, uv_strerror(err));
    }
    return err;
}

void tlr_cli_text_free(struct tlr_cli_text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}
