/* SPDX-License-Identifier: MIT */
/* What the library asks of the host's libuv. */
#ifndef TLR_LIBUV_H
#define TLR_LIBUV_H

#include <stdbool.h>

#include <uv.h>

/* Whether a thread can be tied to a CPU (since 1.45), and doing so. */
bool tlr_libuv_can_pin(void);
int tlr_libuv_pin(uv_thread_t *thread, int cpu);

/*
 * UV_EXDEV, and why: the loop belongs to another libuv than ours, or ours is not
 * the one that we were compiled for; UV_EBADF: it has been closed; or what
 * uv_loop_init() says. Any thread.
 */
int tlr_libuv_check(const uv_loop_t *loop, const char **why);

/*
 * uv_close() of a handle on the host's loop. A host that ends may have closed
 * all that it found there, by uv_walk(): then there is nothing left to close,
 * and `cb` is not called.
 */
void tlr_libuv_close(uv_handle_t *handle, uv_close_cb cb);

/* Bytes to allocate for a loop. */
size_t tlr_libuv_loop_size(void);

#endif
