/* SPDX-License-Identifier: MIT */
/*
 * Linked into a teller-load of a sanitizer's, whose allocator the shim (shim.c)
 * leaves alone: what the program itself asks for goes by here, and libuv, which is
 * linked in as well, gets by.
 */
#include "faults.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <uv.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static tlr_faults_hit_fn hit;

static int no_memory(void)
{
    return hit != NULL && hit(TLR_FAULT_MEMORY);
}

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return no_memory() ? NULL : __real_realloc(memory, size);
}

__attribute__((constructor)) static void begin(void)
{
    void *found = dlsym(RTLD_DEFAULT, "tlr_faults_hit");

    *(void **)&hit = found;
    (void)uv_replace_allocator(
        __real_malloc, __real_realloc, __real_calloc, free);
}
