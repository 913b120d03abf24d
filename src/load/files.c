/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>

#include <uv.h>

/* Not uv_translate_sys_error(): on Windows that takes an error of the system's,
 * and errno is one of the C library's. */
int tlr_load_file_error(void)
{
    switch (errno) {
    case ENOENT:
        return UV_ENOENT;
    case EACCES:
        return UV_EACCES;
    case EPERM:
        return UV_EPERM;
    case EISDIR:
        return UV_EISDIR;
    case ENOTDIR:
        return UV_ENOTDIR;
    case ENOSPC:
        return UV_ENOSPC;
    case EROFS:
        return UV_EROFS;
    case EMFILE:
        return UV_EMFILE;
    case ENOMEM:
        return UV_ENOMEM;
    default:
        return UV_EIO;
    }
}

int tlr_load_file_close(FILE *file)
{
    errno = 0;
    int err = fflush(file) != 0 ? tlr_load_file_error() : 0;
    if (err == 0 && ferror(file)) {
        err = UV_EIO; /* why is long forgotten */
    }
    errno = 0;
    if (fclose(file) != 0 && err == 0) {
        err = tlr_load_file_error();
    }
    return err;
}
