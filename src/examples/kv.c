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

static void on_worker_end(struct tlr_server *server, unsigned worker)
{
    kv_store_clear(tlr_server_data(server, worker));
}

int main(int argc, char **argv)
{
    struct tlr_options options;

    tlr_options_init(&options, sizeof(options));
    kv_serve(&options);
    options.loops = argc > 2 ? atoi(argv[2]) : TLR_LOOPS_PER_CPU;
    options.max_connections = 10000;
    options.mailbox = 65536;
    options.worker_data_size = sizeof(struct kv_store);
    options.on_worker_end = on_worker_end;
    return serve(&options, argc > 1 ? atoi(argv[1]) : 7379);
}
