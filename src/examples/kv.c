/* SPDX-License-Identifier: MIT */
/*
 * kv [PORT [LOOPS]]: PING, SET, GET, DEL and INCR, as redis has them. Each key
 * belongs to one worker, which has a table of its own and needs no lock:
 * kv_visit.c takes the commands there. A connection has one post on its way at
 * most, and there are fewer connections than a mailbox holds posts: tlr_post()
 * finds room.
 */
#include "kv.h"

#include <stdlib.h>

#include "serve.h"

struct kv_store *kv_stores[1024];

static void on_worker_start(struct tlr_server *server, unsigned worker)
{
    (void)server;
    kv_stores[worker] = calloc(1, sizeof(struct kv_store));
    if (kv_stores[worker] == NULL) {
        abort(); /* as redis does without memory */
    }
}

static void on_worker_end(struct tlr_server *server, unsigned worker)
{
    (void)server;
    kv_store_clear(kv_stores[worker]);
    free(kv_stores[worker]);
}

int main(int argc, char **argv)
{
    struct tlr_options options;

    tlr_options_init(&options, sizeof(options));
    kv_serve(&options);
    options.loops = argc > 2 ? atoi(argv[2]) : TLR_LOOPS_PER_CPU;
    options.max_connections = 10000;
    options.mailbox = 65536;
    options.on_worker_start = on_worker_start;
    options.on_worker_end = on_worker_end;
    return serve(&options, argc > 1 ? atoi(argv[1]) : 7379);
}
