/* SPDX-License-Identifier: MIT */
/*
 * A process's handles are multiples of 4, given out from the lowest free one
 * on, so a scan finds them. (GetProcessHandleCount is always 0 under Wine 8.)
 */
#include "support.h"

#include <winsock2.h>

#include "wine_win.h"

/* Under Wine the first thousands are enough, and each look costs. */
#define MOST 0x10000

/* Behind so many that are free nothing is expected any more. */
#define GAP 2048

/* Only sockets: other handles come and go with threads and the system. */
static bool is_socket(HANDLE handle)
{
    int type;
    int length = sizeof(type);

    return GetFileType(handle) == FILE_TYPE_PIPE &&
           getsockopt((SOCKET)handle, SOL_SOCKET, SO_TYPE, (char *)&type,
                      &length) == 0;
}

static size_t count(bool inheritable)
{
    size_t found = 0;
    unsigned missed = 0;
    uintptr_t value;

    for (value = 4; value < MOST && missed < GAP; value += 4) {
        DWORD flags;

        missed++;
        if (GetHandleInformation((HANDLE)value, &flags)) {
            missed = 0;
            found += (!inheritable || (flags & HANDLE_FLAG_INHERIT) != 0) &&
                     is_socket((HANDLE)value);
        }
    }
    return found;
}

size_t count_descriptors(void)
{
    return count(false);
}

size_t count_inheritable(void)
{
    return count(true);
}

void make_inheritable(uv_os_sock_t sock)
{
    assert_true(SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT,
                                     HANDLE_FLAG_INHERIT));
}

void make_blocking(uv_os_sock_t sock)
{
    u_long non_blocking = 0;

    assert_int_equal(ioctlsocket(sock, FIONBIO, &non_blocking), 0);
}

bool connect_locally(uv_os_sock_t pair[2])
{
    (void)pair;
    return false;
}

bool give_another_port(uv_os_sock_t sock)
{
    static HANDLE port; /* for as long as the socket lives */

    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    assert_non_null(port);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)sock, port, 0, 0), port);
    return true;
}

bool limit_descriptors(size_t more)
{
    (void)more;
    return false;
}

bool writes_show_progress(void)
{
    return false;
}

bool late_resets_are_told(void)
{
    return !is_wine();
}

bool ports_are_chosen_late(void)
{
    return false;
}

bool ends_leave_writes_alone(void)
{
    return !is_wine();
}

unsigned rounds_here(unsigned rounds)
{
    return is_wine() ? rounds / 5 : rounds;
}

void thread_name(char *name, size_t size)
{
    if (size > 0) {
        name[0] = '\0';
    }
}

size_t thread_stack_size(void)
{
    return 0;
}
