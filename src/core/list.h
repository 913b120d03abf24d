/* SPDX-License-Identifier: MIT */
/*
 * A circular doubly linked list whose links are members of what is listed.
 *
 *     struct tlr_list all;               // the head
 *     struct thing { struct tlr_list link; };
 *     tlr_list_init(&all);
 *     tlr_list_append(&all, &thing->link);
 *     thing = TLR_CONTAINER_OF(all.next, struct thing, link);
 *
 * Allocates nothing. Not thread-safe.
 */
#ifndef TLR_LIST_H
#define TLR_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define TLR_CONTAINER_OF(pointer, type, member)                                \
    ((type *)((char *)(pointer) - offsetof(type, member)))

struct tlr_list {
    struct tlr_list *next;
    struct tlr_list *prev;
};

/* Makes a head empty, or a link a member of no list. */
static inline void tlr_list_init(struct tlr_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool tlr_list_empty(const struct tlr_list *head)
{
    return head->next == head;
}

static inline void tlr_list_append(struct tlr_list *head,
                                   struct tlr_list *link)
{
    link->next = head;
    link->prev = head->prev;
    head->prev->next = link;
    head->prev = link;
}

/* Harmless for a link that is in no list, once initialised. */
static inline void tlr_list_remove(struct tlr_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    tlr_list_init(link);
}

/* Moves all of `from` to the empty head `to`. */
static inline void tlr_list_move(struct tlr_list *to, struct tlr_list *from)
{
    if (!tlr_list_empty(from)) {
        *to = *from;
        to->next->prev = to;
        to->prev->next = to;
        tlr_list_init(from);
    }
}

#endif
