/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* No process here has more; a look at each is quick. */
#define MOST 65536

static int limit(void)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    return files.rlim_cur < MOST ? (int)files.rlim_cur : MOST;
}

static size_t count_one_by_one(void)
{
    const int end = limit();
    size_t count = 0;
    int fd;

    for (fd = 0; fd < end; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

/* Faster; but it takes a descriptor itself, and there may be none left. */
size_t count_descriptors(void)
{
    DIR *folder = opendir("/dev/fd");
    size_t count = 0;
    const struct dirent *entry;

    if (folder == NULL) {
        return count_one_by_one();
    }
    while ((entry = readdir(folder)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count - 1;
}

size_t count_inheritable(void)
{
    const int end = limit();
    size_t count = 0;
    int fd;

    for (fd = 3; fd < end; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count += flags != -1 && (flags & FD_CLOEXEC) == 0;
    }
    return count;
}

void make_inheritable(uv_os_sock_t sock)
{
    assert_int_equal(fcntl(sock, F_SETFD, 0), 0);
}

void make_blocking(uv_os_sock_t sock)
{
    int flags = fcntl(sock, F_GETFL);

    assert_int_equal(fcntl(sock, F_SETFL, flags & ~O_NONBLOCK), 0);
}

bool connect_locally(uv_os_sock_t pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    return true;
}

bool give_another_port(uv_os_sock_t sock)
{
    (void)sock;
    return false;
}

bool limit_descriptors(size_t more)
{
    static rlim_t before;
    struct rlimit files;
    size_t lowest = 0;
    int fd;

    if (under_valgrind()) {
        return false;
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (before == 0) {
        before = files.rlim_cur;
    }
    /* New ones get the lowest numbers: these `more` are to be the last. */
    for (fd = 0; more != SIZE_MAX && lowest <= more; fd++) {
        lowest += fcntl(fd, F_GETFD) == -1;
    }
    files.rlim_cur = more == SIZE_MAX ? before : (rlim_t)fd - 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    return true;
}

bool writes_show_progress(void)
{
    return true;
}

bool late_resets_are_told(void)
{
    return true;
}

bool ports_are_chosen_late(void)
{
#if defined(__linux__)
    return true;
#else
    return false;
#endif
}

bool ends_leave_writes_alone(void)
{
    return true;
}

unsigned rounds_here(unsigned rounds)
{
#ifdef __SANITIZE_THREAD__
    return rounds / 5;
#else
    return rounds;
#endif
}

void thread_name(char *name, size_t size)
{
    if (pthread_getname_np(pthread_self(), name, size) != 0) {
        name[0] = '\0';
    }
}

size_t thread_stack_size(void)
{
    size_t size = 0;
#if defined(__linux__)
    pthread_attr_t attributes;

    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &size);
        (void)pthread_attr_destroy(&attributes);
    }
#endif
    return size;
}
