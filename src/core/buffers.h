/* SPDX-License-Identifier: MIT */
/*
 * A loop's read buffers, all of one size but for those that a connection keeps
 * for a read that needs several. One is lent to the read that is
 * being delivered; whoever writes from it, one or several, shares it until the
 * last of these writes is done. Owned by a worker and used on its thread only.
 *
 * Put-back buffers are kept for the next read, a few of them: when a crowd of
 * slow peers has gone, so has the memory they needed.
 */
#ifndef TLR_BUFFERS_H
#define TLR_BUFFERS_H

#include <stdbool.h>

#include "check.h"
#include "memory.h"

struct tlr_buffer {
    union {
        struct tlr_buffer *next; /* in the list of free ones */
        uint64_t writes;         /* that share it */
    } is;
    unsigned users;          /* the read that it is lent to, and writes */
    uint32_t size;           /* bytes of data */
    char data[];
};

struct tlr_buffers {
    const struct tlr_allocator *allocator;
    size_t size;              /* bytes of data in each */
    struct tlr_buffer *free;  /* singly linked */
    unsigned free_count;
    struct tlr_buffer *lent;  /* to the read being delivered, or NULL */
    uint64_t kept;            /* bytes in those that writes share */
};

/* Allocates the first buffer, so that one loop's first read cannot fail. */
int tlr_buffers_init(struct tlr_buffers *buffers,
                     const struct tlr_allocator *allocator, size_t size);

/* Every buffer has to be back. */
void tlr_buffers_close(struct tlr_buffers *buffers);

/* A buffer of that size for the caller alone, put back later; or NULL. */
struct tlr_buffer *tlr_buffers_take(struct tlr_buffers *buffers, size_t size);

/* Lends a buffer that was taken to a read, or a delivery. */
void tlr_buffers_lend_taken(struct tlr_buffers *buffers,
                            struct tlr_buffer *buffer);

/* Lends a buffer to a read; NULL: no memory. */
struct tlr_buffer *tlr_buffers_lend(struct tlr_buffers *buffers);

/* Likewise one of those that are free, of which there must be one. */
static inline struct tlr_buffer *
tlr_buffers_lend_free(struct tlr_buffers *buffers)
{
    struct tlr_buffer *lent = buffers->free;

    TLR_CHECK(buffers->lent == NULL);
    buffers->free = lent->is.next;
    buffers->free_count--;
    lent->is.writes = 0;
    lent->users = 1;
    buffers->lent = lent;
    return lent;
}

/*
 * If `data` lies in the lent buffer, the caller shares it from now on, and puts
 * it back later. NULL otherwise: the memory is somebody else's.
 */
struct tlr_buffer *tlr_buffers_share(struct tlr_buffers *buffers,
                                     const void *data);

/* Puts back what was shared. */
void tlr_buffers_unshare(struct tlr_buffers *buffers,
                         struct tlr_buffer *buffer);

/* Puts back what was taken. */
void tlr_buffers_put(struct tlr_buffers *buffers, struct tlr_buffer *buffer);

/* The read is delivered. */
static inline void tlr_buffers_return_lent(struct tlr_buffers *buffers)
{
    struct tlr_buffer *lent = buffers->lent;

    buffers->lent = NULL;
    if (lent != NULL) {
        tlr_buffers_put(buffers, lent);
    }
}

#endif
