/* SPDX-License-Identifier: MIT */
/*
 * The protocol of redis, RESP2. A command is an array of strings,
 *
 *     *2\r\n  $3\r\nGET\r\n  $5\r\nhello\r\n
 *
 * and so its beginning tells how much is still to come.
 */
#include "kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kv_append(struct kv_text *text, const char *data, size_t size)
{
    size_t room = text->room > 0 ? text->room : 1024;
    char *base = text->base;

    while (room < text->length + size) {
        room *= 2;
    }
    if (room > text->room) {
        base = realloc(base, room);
        if (base == NULL) {
            return UV_ENOMEM;
        }
        text->base = base;
        text->room = room;
    }
    memcpy(base + text->length, data, size);
    text->length += size;
    return 0;
}

int kv_say(struct kv_text *text, const char *words)
{
    return kv_append(text, words, strlen(words));
}

int kv_say_bulk(struct kv_text *text, uv_buf_t bulk)
{
    char head[32];
    int err;

    (void)snprintf(head, sizeof(head), "$%lu\r\n", (unsigned long)bulk.len);
    err = kv_say(text, head);
    if (err == 0) {
        err = kv_append(text, bulk.base, bulk.len);
    }
    return err == 0 ? kv_say(text, "\r\n") : err;
}

/* A line such as "$3\r\n": returns what kv_parse() does, and moves on. */
static int parse_number(const struct kv_text *text, size_t *at, char mark,
                        size_t most, size_t *number)
{
    const char *line = text->base + *at;
    size_t left = text->length - *at;
    size_t i;

    *number = 0;
    for (i = 1; i < left && line[i] >= '0' && line[i] <= '9'; i++) {
        *number = *number * 10 + (size_t)(line[i] - '0');
        if (*number > most) {
            return UV_EPROTO;
        }
    }
    if (left > 0 && (*line != mark || (i == 1 && left > 1) || i > 20 ||
                     (i < left && line[i] != '\r') ||
                     (i + 1 < left && line[i + 1] != '\n'))) {
        return UV_EPROTO;
    }
    *at += i + 2;
    return left >= i + 2;
}

int kv_parse(const struct kv_text *text, size_t at, struct kv_command *command)
{
    size_t count;
    size_t size;
    int ok;

    while (at + 1 < text->length && memcmp(text->base + at, "\r\n", 2) == 0) {
        at += 2; /* redis-cli --pipe sends an empty line */
    }
    if (at + 1 == text->length && text->base[at] == '\r') {
        return 0;
    }
    ok = parse_number(text, &at, '*', KV_ARGS_MOST, &count);
    for (command->argc = 0; ok > 0 && (size_t)command->argc < count;) {
        ok = parse_number(text, &at, '$', KV_SIZE_MOST, &size);
        if (ok > 0) {
            command->argv[command->argc++] =
                uv_buf_init(text->base + at, (unsigned)size);
            at += size + 2;
            ok = at <= text->length;
        }
    }
    command->end = at;
    return ok > 0 && count == 0 ? UV_EPROTO : ok;
}
