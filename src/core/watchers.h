/* SPDX-License-Identifier: MIT */
/*
 * What libuv watches sockets with, seen to before it does so by itself: it ends
 * the process by abort() where there is no memory for that. A loop has a table
 * of its watchers by descriptor, which grows with the highest (up to 1.51 that
 * aborts), and the kernel has a list of its own (there all of them do).
 *
 * Windows has neither: there both do nothing.
 */
#ifndef TLR_WATCHERS_H
#define TLR_WATCHERS_H

#include <stdbool.h>

#include <uv.h>

/*
 * Makes room for all the descriptors that the process may have, up to 65,534,
 * in the table of a loop that does not run yet: 8 bytes each. It is done by way
 * of a handle that watches the highest of them and closes at once. True: `cb`
 * will come, and until then the handle is libuv's.
 */
bool tlr_watchers_grow(uv_loop_t *loop, uv_tcp_t *handle, uv_close_cb cb);

/*
 * Has the kernel know a handle that libuv has begun to watch in this turn of the
 * loop: from here on that cannot fail any more.
 * UV_ENOMEM; UV_ENOSPC: /proc/sys/fs/epoll/max_user_watches.
 */
int tlr_watchers_add(const uv_handle_t *handle);

/*
 * uv_poll_start(), and the same. After a failure uv_poll_stop() is to be called:
 * libuv may watch it already. UV_ENOMEM, from 1.52 on, too.
 */
static inline int tlr_watchers_poll(uv_poll_t *poll, int events,
                                    uv_poll_cb cb)
{
    int err = uv_poll_start(poll, events, cb);

    return err != 0 ? err : tlr_watchers_add((const uv_handle_t *)poll);
}

/* tlr_watchers_add() for a stream that is about to be watched, and is not. */
int tlr_watchers_add_stream(uv_stream_t *stream);

#endif
