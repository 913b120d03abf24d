/* SPDX-License-Identifier: MIT */
/*
 * Counts the allocations of a program it is preloaded into, without the
 * program's doing anything for it.
 *
 *     LD_PRELOAD=alloc_count.so TLR_ALLOC_COUNT=FILE PROGRAM...
 *
 * The figures live in FILE, mapped into the program: whoever reads it sees
 * them as they are at that moment, and as they were at the end once the
 * program is gone. 8 numbers of 64 bits in the machine's order: struct figures.
 *
 * Each block gets a header that holds the size asked for; it is in none of the
 * figures. glibc rounds a block up in steps of 16 bytes, which is also the size
 * of the header, so that what is usable is what it would have been without it
 * (but for blocks of 8 bytes and less).
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct figures {
    _Atomic uint64_t mallocs; /* calls so far; aligned ones are among them */
    _Atomic uint64_t callocs;
    _Atomic uint64_t reallocs;
    _Atomic uint64_t frees;
    _Atomic uint64_t blocks;    /* that are live */
    _Atomic uint64_t requested; /* bytes of these, as asked for */
    _Atomic uint64_t usable;    /* bytes of these, as malloc gave them */
    _Atomic uint64_t reserved;
};

struct header {
    size_t requested;
    size_t offset; /* of the block that the program has, from malloc's */
};

#define HEADER sizeof(struct header)

/* glibc's own. dlsym() would be the other way, but allocates by itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static struct figures early; /* until the file is mapped */
static struct figures *figures = &early;

/* Before main(), while there is one thread only. */
__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv("TLR_ALLOC_COUNT");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *mapped = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(*figures)) == 0) {
        mapped = mmap(NULL, sizeof(*figures), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        (void)close(fd); /* nothing was written through it */
    }
    if (mapped != MAP_FAILED) {
        memcpy(mapped, &early, sizeof(early));
        figures = mapped;
    }
}

static struct header *header_of(void *block)
{
    return (struct header *)((char *)block - HEADER);
}

static uint64_t usable_size(void *block)
{
    size_t offset = header_of(block)->offset;

    return malloc_usable_size((char *)block - offset) - offset;
}

/* What malloc gave becomes a block of the program's. */
static void *born(void *memory, size_t offset, size_t requested)
{
    char *block = (char *)memory + offset;

    if (memory == NULL) {
        return NULL;
    }
    header_of(block)->requested = requested;
    header_of(block)->offset = offset;
    figures->blocks++;
    figures->requested += requested;
    figures->usable += usable_size(block);
    return block;
}

/* And back. */
static void *gone(void *block)
{
    figures->blocks--;
    figures->requested -= header_of(block)->requested;
    figures->usable -= usable_size(block);
    return (char *)block - header_of(block)->offset;
}

static int too_large(size_t size)
{
    if (size <= PTRDIFF_MAX) {
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    figures->mallocs++;
    if (too_large(size)) {
        return NULL;
    }
    return born(__libc_malloc(size + HEADER), HEADER, size);
}

void *calloc(size_t count, size_t size)
{
    figures->callocs++;
    if (size != 0 && too_large(count > PTRDIFF_MAX / size ? SIZE_MAX : 0)) {
        return NULL;
    }
    size *= count;
    return born(__libc_calloc(1, size + HEADER), HEADER, size);
}

void free(void *block)
{
    int saved = errno; /* free() leaves it alone */

    if (block != NULL) {
        figures->frees++;
        __libc_free(gone(block));
    }
    errno = saved;
}

static void *move_aligned(void *block, size_t size)
{
    size_t before = header_of(block)->requested;
    void *moved = born(__libc_malloc(size + HEADER), HEADER, size);

    if (moved != NULL) {
        memcpy(moved, block, before < size ? before : size);
        __libc_free(gone(block));
    }
    return moved;
}

void *realloc(void *block, size_t size)
{
    struct header was;
    uint64_t usable;
    void *memory;

    figures->reallocs++;
    if (too_large(size)) {
        return NULL;
    }
    if (block == NULL) {
        return born(__libc_malloc(size + HEADER), HEADER, size);
    }
    if (size == 0) {
        __libc_free(gone(block));
        return NULL;
    }
    was = *header_of(block);
    if (was.offset != HEADER) {
        return move_aligned(block, size);
    }
    usable = usable_size(block);
    memory = __libc_realloc(header_of(block), size + HEADER);
    if (memory != NULL) {
        figures->blocks--;
        figures->requested -= was.requested;
        figures->usable -= usable;
    }
    return born(memory, HEADER, size);
}

void *memalign(size_t alignment, size_t size)
{
    size_t offset = alignment < HEADER ? HEADER : alignment;

    figures->mallocs++;
    if (too_large(size) || too_large(size + offset)) {
        return NULL;
    }
    return born(__libc_memalign(alignment, size + offset), offset, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (memory == NULL) {
        return ENOMEM;
    }
    *block = memory;
    return 0;
}
