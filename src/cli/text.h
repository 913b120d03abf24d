/* SPDX-License-Identifier: MIT */
/*
 * A string that grows as it is appended to. Help, tables and JSON are written
 * into one of these first, so that a test can read them and a program prints
 * them whole.
 *
 * The caller owns the struct; one thread at a time may use it. All zeroes is
 * an empty text. When memory runs out the text stays as it is, `failed` is set
 * and all further appends do nothing: look once, at the end.
 */
#ifndef TLR_CLI_TEXT_H
#define TLR_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Has the compiler compare a format with its arguments, where it can. */
#if defined(__MINGW_PRINTF_FORMAT)
#define TLR_CLI_PRINTF(fmt, args)                                              \
    __attribute__((format(__MINGW_PRINTF_FORMAT, fmt, args)))
#elif defined(__GNUC__)
#define TLR_CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TLR_CLI_PRINTF(fmt, args)
#endif

struct tlr_cli_text {
    char *data; /* NULL or zero-terminated */
    size_t length;
    size_t capacity;
    bool failed;
};

/* Appends what printf would print. The decimal point is the C locale's: the
 * programs never call setlocale(). */
void tlr_cli_text_add(struct tlr_cli_text *text, const char *format, ...)
    TLR_CLI_PRINTF(2, 3);

/* The text so far, "" when it is empty. Borrowed until the next append. */
const char *tlr_cli_text_get(const struct tlr_cli_text *text);

/* The same for what is to be told to people; "out of memory" if an append failed:
 * a line that is cut off, or empty, tells nobody anything. */
const char *tlr_cli_text_line(const struct tlr_cli_text *text);

/*
 * Writes the text to `stream` and flushes it. Returns 0, UV_ENOMEM if an
 * append failed, or why the stream did not take it all: UV_EIO if it does not say.
 */
int tlr_cli_text_print(const struct tlr_cli_text *text, FILE *stream);

/* The same to standard output; an error is told too, in a line on standard error
 * that begins with the name of the program. */
int tlr_cli_text_output(const struct tlr_cli_text *text, const char *program);

/* Releases the memory; the text is empty again. */
void tlr_cli_text_free(struct tlr_cli_text *text);

#endif
