/* SPDX-License-Identifier: MIT */
/*
 * The tables, and the commands: PING, ECHO, SET, GET, DEL and INCR, with the
 * replies of redis.
 */
#include "kv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kv_entry {
    struct kv_entry *next;
    uv_buf_t key;
    uv_buf_t value;
    char bytes[]; /* of both, and a \0 */
};

unsigned kv_hash(uv_buf_t key)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    size_t i;

    for (i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char)key.base[i]) * 16777619u;
    }
    return hash ^ hash >> 16;
}

/* Where the key's entry hangs, or would: there is NULL then. */
static struct kv_entry **find(struct kv_store *store, uv_buf_t key)
{
    /* The low bits have told the worker: here they are all much the same. */
    struct kv_entry **at = &store->chains[kv_hash(key) >> 8 & 65535];

    while (*at != NULL && ((*at)->key.len != key.len ||
                           memcmp((*at)->bytes, key.base, key.len) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static int removed(struct kv_entry **at)
{
    struct kv_entry *entry = *at;

    if (entry != NULL) {
        *at = entry->next;
        free(entry);
    }
    return entry != NULL;
}

static int put(struct kv_entry **at, uv_buf_t key, uv_buf_t value)
{
    struct kv_entry *entry = malloc(sizeof(*entry) + key.len + value.len + 1);

    if (entry == NULL) {
        return UV_ENOMEM;
    }
    memcpy(entry->bytes, key.base, key.len);
    memcpy(entry->bytes + key.len, value.base, value.len);
    entry->bytes[key.len + value.len] = '\0';
    entry->key = uv_buf_init(entry->bytes, (unsigned)key.len);
    entry->value = uv_buf_init(entry->bytes + key.len, (unsigned)value.len);
    (void)removed(at); /* the old one, if any */
    entry->next = *at;
    *at = entry;
    return 0;
}

void kv_store_clear(struct kv_store *store)
{
    size_t i;

    for (i = 0; i < sizeof(store->chains) / sizeof(store->chains[0]); i++) {
        while (removed(&store->chains[i])) {
        }
    }
}

/* A number is what it would be written as: no "+1", "01", " 1" or "1.0". */
static int increment(struct kv_entry **at, uv_buf_t key, struct kv_text *reply)
{
    long long number = *at == NULL ? 0 : strtoll((*at)->value.base, NULL, 10);
    char text[32];
    int length = snprintf(text, sizeof(text), "%lld", number);

    if (*at != NULL && ((size_t)length != (*at)->value.len ||
                        memcmp(text, (*at)->value.base, (size_t)length) != 0)) {
        return kv_say(reply, "-ERR value is not an integer or out of range\r\n");
    } else if (number == INT64_MAX) {
        return kv_say(reply, "-ERR increment or decrement would overflow\r\n");
    }
    length = snprintf(text, sizeof(text), ":%lld\r\n", number + 1);
    return put(at, key, uv_buf_init(text + 1, (unsigned)length - 3)) != 0
               ? UV_ENOMEM
               : kv_say(reply, text);
}

static int is(uv_buf_t word, const char *name)
{
    size_t i = 0;

    while (i < word.len && tolower((unsigned char)word.base[i]) == name[i]) {
        i++;
    }
    return i == word.len && name[i] == '\0';
}

static int unknown(uv_buf_t name, struct kv_text *reply)
{
    char words[128];
    size_t i;

    (void)snprintf(words, sizeof(words), "-ERR unknown command '%.*s'",
                   name.len < 64 ? (int)name.len : 64, name.base);
    for (i = 0; words[i] != '\0'; i++) {
        words[i] = iscntrl((unsigned char)words[i]) ? ' ' : words[i];
    }
    return kv_say(reply, words) != 0 ? UV_ENOMEM : kv_say(reply, "\r\n");
}

int kv_run(struct kv_store *store, const struct kv_command *command,
           struct kv_text *reply)
{
    const uv_buf_t *argv = command->argv;
    int argc = command->argc;
    struct kv_entry **at = find(store, argv[argc > 1]);

    if (is(argv[0], "ping") && argc <= 2) {
        return argc == 1 ? kv_say(reply, "+PONG\r\n")
                         : kv_say_bulk(reply, argv[1]);
    } else if (is(argv[0], "echo") && argc == 2) {
        return kv_say_bulk(reply, argv[1]);
    } else if (is(argv[0], "get") && argc == 2) {
        return *at == NULL ? kv_say(reply, "$-1\r\n")
                           : kv_say_bulk(reply, (*at)->value);
    } else if (is(argv[0], "set") && argc == 3) {
        return put(at, argv[1], argv[2]) != 0 ? UV_ENOMEM
                                              : kv_say(reply, "+OK\r\n");
    } else if (is(argv[0], "del") && argc == 2) {
        return kv_say(reply, removed(at) ? ":1\r\n" : ":0\r\n");
    } else if (is(argv[0], "incr") && argc == 2) {
        return increment(at, argv[1], reply);
    }
    return unknown(argv[0], reply);
}
