/* SPDX-License-Identifier: MIT */
/*
 * The parts of kv: how commands travel between the workers (kv_visit.c, the one
 * to read), the protocol (kv_resp.c), and the tables with the commands on them
 * (kv_store.c), of which the last two know nothing of connections and threads.
 */
#ifndef KV_H
#define KV_H

#include <teller.h>

/* Bytes that grow at the end; all zeroes is empty. free(base) in the end. */
struct kv_text {
    char *base;
    size_t length;
    size_t room;
};

/* Each returns 0 or UV_ENOMEM: then a part of it may be there. */
int kv_append(struct kv_text *text, const char *data, size_t size);
int kv_say(struct kv_text *text, const char *words);
int kv_say_bulk(struct kv_text *text, uv_buf_t bulk);

enum { KV_ARGS_MOST = 16, KV_SIZE_MOST = 1 << 20 };

/* A command: where its arguments are in the text, and where it ends there. */
struct kv_command {
    int argc;
    uv_buf_t argv[KV_ARGS_MOST];
    size_t end;
};

/*
 * Reads the command that begins at `at`. Returns 1; 0: not all of it is there
 * yet; UV_EPROTO: that is no command, or one of too many or too long arguments.
 */
int kv_parse(const struct kv_text *text, size_t at, struct kv_command *command);

/* Tells whose key it is. */
unsigned kv_hash(uv_buf_t key);

struct kv_entry;

/* A table of keys and values: chains. All zeroes is empty. */
struct kv_store {
    struct kv_entry *chains[1 << 16];
};

void kv_store_clear(struct kv_store *store);

/* Runs a command and appends its reply. Returns 0 or UV_ENOMEM. */
int kv_run(struct kv_store *store, const struct kv_command *command,
           struct kv_text *reply);

/* Sets the handler. */
void kv_serve(struct tlr_options *options);

#endif
