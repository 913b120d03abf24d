/* SPDX-License-Identifier: MIT */
/*
 * accept4() that fails when a test wants it to. By itself in a file, so that only
 * the programs that ask for it have it in place of the C library's.
 */
#include "support.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_uint left;
static atomic_int error;

bool fail_accepts(int err, unsigned times)
{
    atomic_store(&error, -err);
    atomic_store(&left, times);
    return true;
}

unsigned accepts_to_fail(void)
{
    return atomic_load(&left);
}

/* By another name: glibc's own declaration has a type that no other can have. */
int failing_accept4(int sock, struct sockaddr *address, socklen_t *length,
                    int flags) __asm__("accept4");

int failing_accept4(int sock, struct sockaddr *address, socklen_t *length,
                    int flags)
{
    unsigned now = atomic_load(&left);

    while (now > 0) {
        if (atomic_compare_exchange_weak(&left, &now, now - 1)) {
            errno = atomic_load(&error);
            return -1;
        }
    }
    return (int)syscall(SYS_accept4, sock, address, length, flags);
}
