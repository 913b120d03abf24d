/* SPDX-License-Identifier: MIT */
/*
 * main() where there is no libFuzzer: runs each file that is named, and each
 * file of a folder that is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "input.h"

static unsigned files;

/* In memory of exactly that size, for a sanitizer's sake. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    long length;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0 &&
        fseek(file, 0, SEEK_SET) == 0) {
        data = malloc((size_t)length);
        size = data == NULL ? 0 : fread(data, 1, (size_t)length, file);
    }
    (void)fclose(file);
    (void)fprintf(stderr, "%s: %lu bytes\n", path, (unsigned long)size);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    files++;
    return 0;
}

static int run_path(const char *path)
{
    char name[1024];
    uv_dirent_t entry;
    uv_fs_t scan;
    int status = 0;

    if (uv_fs_scandir(NULL, &scan, path, 0, NULL) < 0) {
        uv_fs_req_cleanup(&scan);
        return run_file(path);
    }
    while (status == 0 && uv_fs_scandir_next(&scan, &entry) == 0) {
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry.name);
        status = run_path(name);
    }
    uv_fs_req_cleanup(&scan);
    return status;
}

int main(int argc, char **argv)
{
    int status = 0;
    int i;

    for (i = 1; i < argc && status == 0; i++) {
        status = run_path(argv[i]);
    }
    (void)printf("%u inputs\n", files);
    return status != 0 || files == 0;
}
