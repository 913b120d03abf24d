/* SPDX-License-Identifier: MIT */
#include "files.h"

static uv_file open_as(const char *path, int flags)
{
    uv_fs_t request;
    uv_file file = uv_fs_open(NULL, &request, path, flags, 0666, NULL);
    uv_fs_req_cleanup(&request);
    return file;
}

uv_file tlr_load_file_create(const char *path)
{
    return open_as(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC);
}

uv_file tlr_load_file_open(const char *path)
{
    return open_as(path, UV_FS_O_RDONLY);
}

uv_file tlr_load_file_keep(const char *path, bool *made)
{
    uv_file file =
        open_as(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL);
    *made = file >= 0;
    return file == UV_EEXIST /* a link's end may not be there */
               ? open_as(path, UV_FS_O_WRONLY | UV_FS_O_CREAT)
               : file;
}

int tlr_load_file_write(uv_file file, const struct tlr_cli_text *text)
{
    size_t written = 0;
    if (text->failed) {
        return UV_ENOMEM;
    }
    while (written < text->length) {
        uv_fs_t request;
        uv_buf_t rest = uv_buf_init(
            text->data + written, (unsigned)(text->length - written));
        int got = uv_fs_write(NULL, &request, file, &rest, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        if (got <= 0) {
            return got == 0 ? UV_EIO : got;
        }
        written += (size_t)got;
    }
    return 0;
}

int tlr_load_file_read(uv_file file, char *bytes, unsigned room)
{
    uv_fs_t request;
    uv_buf_t to = uv_buf_init(bytes, room);
    int got = uv_fs_read(NULL, &request, file, &to, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    return got;
}

int tlr_load_file_close(uv_file file)
{
    uv_fs_t request;
    int err = uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    return err;
}

int tlr_load_file_put(const char *path, const struct tlr_cli_text *text)
{
    if (text->failed) {
        return UV_ENOMEM;
    }
    uv_file file = tlr_load_file_create(path);
    if (file < 0) {
        return file;
    }
    int err = tlr_load_file_write(file, text);
    int closed = tlr_load_file_close(file);
    return err != 0 ? err : closed;
}
