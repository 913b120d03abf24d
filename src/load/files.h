/* SPDX-License-Identifier: MIT */
/*
 * The one way to files: by libuv, and not by stdio. It takes UTF-8 everywhere
 * (stdio on Windows takes the machine's code page), and its errors are what is
 * returned. All of it blocks; any thread may call.
 */
#ifndef TLR_LOAD_FILES_H
#define TLR_LOAD_FILES_H

#include <stdbool.h>

#include <uv.h>

#include "cli/text.h"

/* Return a file to be closed, or an error. Create: empties what there is. */
uv_file tlr_load_file_create(const char *path);
uv_file tlr_load_file_open(const char *path);

/* The same to write to, of what is left as it is; *made: it was not there. */
uv_file tlr_load_file_keep(const char *path, bool *made);

/* Writes all of the text. Returns 0, UV_ENOMEM if an append has failed, or what
 * writing gives. */
int tlr_load_file_write(uv_file file, const struct tlr_cli_text *text);

/* Reads `room` bytes at most, from where the last read has ended. Returns how many
 * came, 0 at the end, or an error. */
int tlr_load_file_read(uv_file file, char *bytes, unsigned room);

int tlr_load_file_close(uv_file file);

/* A whole file of this text. Returns 0 or the first error; what there is of the
 * file then is left. */
int tlr_load_file_put(const char *path, const struct tlr_cli_text *text);

#endif
