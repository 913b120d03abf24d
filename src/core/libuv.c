/* SPDX-License-Identifier: MIT */
/*
 * One libuv, the host's.
 *
 * A process can hold two of them: a program linked to the system's, say, and
 * this library to a copy of its own. Handles then differ in size, and callbacks
 * in their address, and the first one that is put on the other's loop crashes.
 * Both show: sizes by asking, addresses in what uv_loop_init() writes to every
 * loop, the callback of its handle for finished work.
 */
#include "libuv.h"

#include <string.h>

#include "handoff.h"
#include "teller.h"

/* The oldest that has all that is used here. */
#define OLDEST 0x012c00 /* 1.44.0 */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Loops have grown within a version of libuv; more than this is another one. */
union probe {
    uv_loop_t loop;
    char room[sizeof(uv_loop_t) + 1024];
};

#if UV_VERSION_HEX >= 0x012d00

bool tlr_libuv_can_pin(void)
{
    return uv_cpumask_size() > 0;
}

#define CPUS_MOST 4096

int tlr_libuv_pin(uv_thread_t *thread, int cpu)
{
    char mask[CPUS_MOST] = {0};
    int size = uv_cpumask_size();

    if (size < 0) {
        return size;
    }
    if (cpu < 0 || cpu >= size || size > CPUS_MOST) {
        return UV_EINVAL;
    }
    mask[cpu] = 1;
    return uv_thread_setaffinity(thread, mask, NULL, (size_t)size);
}

#else

bool tlr_libuv_can_pin(void)
{
    return false;
}

int tlr_libuv_pin(uv_thread_t *thread, int cpu)
{
    (void)thread;
    (void)cpu;
    return UV_ENOTSUP;
}

#endif

void tlr_libuv_close(uv_handle_t *handle, uv_close_cb cb)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, cb);
    }
}

size_t tlr_libuv_loop_size(void)
{
    size_t size = uv_loop_size();

    return size > sizeof(uv_loop_t) ? size : sizeof(uv_loop_t);
}

static const struct {
    uv_handle_type type;
    size_t size;
} handles[] = {
    {UV_ASYNC, sizeof(uv_async_t)}, {UV_IDLE, sizeof(uv_idle_t)},
    {UV_POLL, sizeof(uv_poll_t)},   {UV_TCP, sizeof(uv_tcp_t)},
    {UV_TIMER, sizeof(uv_timer_t)},
};

static const struct {
    uv_req_type type;
    size_t size;
} requests[] = {
    {UV_CONNECT, sizeof(uv_connect_t)},
    {UV_SHUTDOWN, sizeof(uv_shutdown_t)},
    {UV_WRITE, sizeof(uv_write_t)},
};

/* What is embedded by value must not be larger than we know it. */
static bool sizes_fit(void)
{
    size_t i;

    for (i = 0; i < COUNT(handles); i++) {
        if (uv_handle_size(handles[i].type) > handles[i].size) {
            return false;
        }
    }
    for (i = 0; i < COUNT(requests); i++) {
        if (uv_req_size(requests[i].type) > requests[i].size) {
            return false;
        }
    }
    return uv_loop_size() <= sizeof(union probe);
}

static const char *check_version(void)
{
    unsigned runs = uv_version();

    if (runs < OLDEST) {
        return "the libuv that the library calls is older than 1.44";
    }
    if (runs >> 16 != UV_VERSION_MAJOR) {
        return "the library was compiled for another major version of libuv "
               "than the one it calls";
    }
    if (!sizes_fit()) {
        return "the library was compiled with the headers of another libuv "
               "than the one it calls: its handles are larger";
    }
    return NULL;
}

/* Where the loops' layout is not the one we know there is nothing to read. */
static bool same_libuv(const uv_loop_t *loop, const uv_loop_t *ours)
{
    return uv_loop_size() != sizeof(uv_loop_t) ||
           loop->wq_async.async_cb == ours->wq_async.async_cb;
}

int tlr_libuv_check(const uv_loop_t *loop, const char **why)
{
    union probe probe;
    int err;

    *why = check_version();
    if (*why != NULL) {
        return UV_EXDEV;
    }
    if (tlr_handoff_loop_is_closed(loop)) {
        *why = "the loop has been closed";
        return UV_EBADF;
    }
    memset(&probe, 0, sizeof(probe));
    err = uv_loop_init(&probe.loop);
    if (err != 0) {
        tlr_handoff_clean_failed_loop(&probe.loop);
        return err;
    }
    if (!same_libuv(loop, &probe.loop)) {
        *why = "the loop belongs to another libuv than the one that the "
               "library calls: there are two in this process";
        err = UV_EXDEV;
    }
    (void)uv_loop_close(&probe.loop); /* nothing is on it */
    return err;
}

const char *tlr_libuv_mismatch(const uv_loop_t *host)
{
    const char *why;

    return tlr_libuv_check(host, &why) == 0 ? NULL : why;
}
