/* SPDX-License-Identifier: MIT */
/* See takeover.h: by UNIX stream sockets and SCM_RIGHTS. */
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd_unix.h"

#define BACKLOG 16
#define RETRY 10    /* milliseconds, while the other one's queue is full */
#define REFUSALS 10 /* that are not believed: for 100 milliseconds */

/* ".12345678" and the 0 at the end */
#define ENDING 10

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE */
#endif
#if !defined(MSG_CMSG_CLOEXEC)
#define MSG_CMSG_CLOEXEC 0
#endif

/* macOS; elsewhere it is a flag of each call. */
static void raise_no_signal(int sock)
{
#if defined(SO_NOSIGPIPE)
    int on = 1;

    (void)setsockopt(sock, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#else
    (void)sock;
#endif
}

static int open_socket(int *sock)
{
    int err = tlr_fd_socket(AF_UNIX, sock);

    if (err == 0) {
        raise_no_signal(*sock);
    }
    return err;
}

static int fill_address(const char *path, struct sockaddr_un *address)
{
    size_t length = strlen(path);

    if (length == 0) {
        return UV_EINVAL;
    }
    if (length + ENDING > TLR_TAKEOVER_PATH_SIZE ||
        length >= sizeof(address->sun_path)) {
        return UV_ENAMETOOLONG;
    }
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return 0;
}

/* ---- the file -------------------------------------------------------- */

static void identify(const struct stat *stat, struct tlr_takeover_id *id)
{
    id->device = (uint64_t)stat->st_dev;
    id->number = (uint64_t)stat->st_ino;
}

static bool is_same(const struct tlr_takeover_id *a,
                    const struct tlr_takeover_id *b)
{
    return a->device == b->device && a->number == b->number;
}

/* UV_ENOENT, or UV_EEXIST for what is no socket. */
static int look_at(const char *path, struct tlr_takeover_id *id)
{
    struct stat stat;

    memset(id, 0, sizeof(*id));
    if (lstat(path, &stat) != 0) {
        return tlr_fd_error();
    }
    identify(&stat, id);
    return S_ISSOCK(stat.st_mode) ? 0 : UV_EEXIST;
}

/* Full queues are somebody's, too. */
static bool is_in_use(const struct sockaddr_un *address)
{
    int sock = -1; /* compilers do not know that errno is not 0 */
    bool used;

    if (open_socket(&sock) != 0) {
        return false;
    }
    used = connect(sock, (const struct sockaddr *)address,
                   sizeof(*address)) == 0 ||
           errno == EAGAIN || errno == EINPROGRESS;
    (void)close(sock);
    return used;
}

/* Another name for each attempt: leftovers of the dead may be in the way. */
static int name_temporary(const char *path, struct tlr_takeover_file *file,
                          struct sockaddr_un *address)
{
    unsigned long some = (unsigned long)(uv_hrtime() >> 10) ^
                         ((unsigned long)uv_os_getpid() << 16);

    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    (void)snprintf(file->temporary, sizeof(file->temporary), "%.94s.%08lx",
                   path, some & 0xffffffff);
    if (strlen(file->temporary) >= sizeof(address->sun_path)) {
        return UV_ENAMETOOLONG;
    }
    memset(address->sun_path, 0, sizeof(address->sun_path));
    memcpy(address->sun_path, file->temporary, strlen(file->temporary));
    return 0;
}

/* Nobody can connect before listen(), so the mode is in time. */
static int bind_temporary(int sock, const struct sockaddr_un *address,
                          struct tlr_takeover_file *file)
{
    int err;

    if (bind(sock, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return tlr_fd_error();
    }
    err = look_at(file->temporary, &file->id);
    if (err == 0 && (chmod(file->temporary, S_IRUSR | S_IWUSR) != 0 ||
                     listen(sock, BACKLOG) != 0)) {
        err = tlr_fd_error();
    }
    if (err != 0) {
        (void)unlink(file->temporary);
    }
    return err;
}

int tlr_takeover_bind(const char *path, const struct tlr_takeover_id *mine,
                      struct tlr_takeover_file *file, uv_os_sock_t *sock)
{
    struct sockaddr_un address;
    struct tlr_takeover_id there;
    int err = fill_address(path, &address);

    memset(file, 0, sizeof(*file));
    if (err != 0) {
        return err;
    }
    err = look_at(path, &there);
    if (err != 0 && err != UV_ENOENT) {
        return err;
    }
    if (err == 0 && !is_same(&there, mine) && is_in_use(&address)) {
        return UV_EADDRINUSE;
    }
    err = name_temporary(path, file, &address);
    if (err == 0) {
        err = open_socket(sock);
    }
    if (err != 0) {
        return err;
    }
    err = bind_temporary(*sock, &address, file);
    if (err != 0) {
        (void)close(*sock);
    }
    return err;
}

int tlr_takeover_publish(struct tlr_takeover_file *file)
{
    struct tlr_takeover_id there;
    int err = look_at(file->path, &there);

    if (err != 0 && err != UV_ENOENT) {
        return err;
    }
    if (rename(file->temporary, file->path) != 0) {
        return tlr_fd_error();
    }
    file->temporary[0] = '\0';
    return 0;
}

void tlr_takeover_remove(struct tlr_takeover_file *file)
{
    const char *path =
        file->temporary[0] != '\0' ? file->temporary : file->path;
    struct tlr_takeover_id there;

    if (look_at(path, &there) == 0 && is_same(&there, &file->id)) {
        (void)unlink(path); /* may have gone just now */
    }
}

/* ---- the other one --------------------------------------------------- */

static int peer_user(int link, uid_t *user)
{
#if defined(SO_PEERCRED) && defined(__linux__)
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return tlr_fd_error();
    }
    *user = peer.uid;
    return 0;
#else
    gid_t group;

    return getpeereid(link, user, &group) == 0 ? 0 : tlr_fd_error();
#endif
}

static int check_peer(int link)
{
    uid_t user = (uid_t)-1; /* as above */
    int err = peer_user(link, &user);

    if (err != 0) {
        return err;
    }
    return user == 0 || user == geteuid() ? 0 : UV_EPERM;
}

static void refuse(int link, int error)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, TLR_TAKEOVER_REFUSED);
    message.error = error;
    (void)tlr_takeover_send(link, &message, NULL); /* as far as it goes */
}

int tlr_takeover_accept(uv_os_sock_t sock, uv_os_sock_t *link)
{
    int err = tlr_fd_accept(sock, NULL, NULL, link);

    if (err != 0) {
        return err;
    }
    raise_no_signal(*link);
    err = check_peer(*link);
    if (err != 0) {
        refuse(*link, err);
        (void)close(*link);
    }
    return err;
}

/*
 * When one process has taken over from another the path is for a moment still
 * the one's, who has closed its socket, and not yet the other's.
 */
static int try_to_connect(int link, const struct sockaddr_un *address,
                          uint64_t due)
{
    unsigned refused = 0;

    while (connect(link, (const struct sockaddr *)address,
                   sizeof(*address)) != 0) {
        int err = tlr_fd_error();

        if (err == UV_ECONNREFUSED
                ? refused++ == REFUSALS || uv_hrtime() >= due
                : err != UV_EAGAIN && err != UV_EINTR) {
            return err;
        }
        if (uv_hrtime() >= due) {
            return UV_ETIMEDOUT;
        }
        uv_sleep(RETRY);
    }
    return 0;
}

/*
 * After connecting: if another file has come in its place since, then of a
 * process that has taken over, too, and we get nothing from the one before.
 */
static void see_where(const char *path, struct tlr_takeover_id *id)
{
    struct stat file;

    memset(id, 0, sizeof(*id));
    if (stat(path, &file) == 0) {
        identify(&file, id);
    }
}

/* Root may: it takes over from servers that have given up their privileges. */
int tlr_takeover_connect(const char *path, uint64_t milliseconds,
                         uv_os_sock_t *link, struct tlr_takeover_id *id)
{
    struct sockaddr_un address;
    int err = fill_address(path, &address);

    if (err == 0) {
        err = open_socket(link);
    }
    if (err != 0) {
        return err;
    }
    err = try_to_connect(*link, &address,
                         uv_hrtime() + milliseconds * 1000000);
    if (err == 0 && geteuid() != 0) {
        err = check_peer(*link);
    }
    if (err != 0) {
        (void)close(*link);
        return err;
    }
    see_where(path, id);
    return 0;
}

/* ---- messages -------------------------------------------------------- */

union control {
    struct cmsghdr header; /* aligns it */
    char bytes[CMSG_SPACE(TLR_TAKEOVER_AT_ONCE * sizeof(int))];
};

static void attach(struct msghdr *header, union control *control,
                   const uv_os_sock_t *socks, unsigned count)
{
    struct cmsghdr *part;

    memset(control, 0, sizeof(*control));
    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(count * sizeof(int));
    part = &control->header; /* the first */
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(part), socks, count * sizeof(int));
}

/* So little is sent whole or not at all. */
int tlr_takeover_send(uv_os_sock_t link,
                      const struct tlr_takeover_message *message,
                      const uv_os_sock_t *socks)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): not const, and only read */
    struct iovec bytes = {(void *)(uintptr_t)message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    union control control;
    ssize_t sent;

    if (socks != NULL && message->count > 0) {
        attach(&header, &control, socks, message->count);
    }
    do {
        sent = sendmsg(link, &header, MSG_NOSIGNAL);
    } while (sent == -1 && errno == EINTR);
    if (sent == -1) {
        return tlr_fd_error();
    }
    return (size_t)sent == sizeof(*message) ? 0 : UV_EIO;
}

/* The system has kept its bounds: there is room for AT_ONCE in a message. */
static void detach(struct msghdr *header, struct tlr_takeover_reader *reader)
{
    struct cmsghdr *part;

    for (part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        size_t length = part->cmsg_len - CMSG_LEN(0);
        size_t i;

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (i = 0; i + sizeof(int) <= length; i += sizeof(int)) {
            int sock;

            memcpy(&sock, CMSG_DATA(part) + i, sizeof(sock));
            if (reader->count < TLR_TAKEOVER_AT_ONCE) {
                (void)fcntl(sock, F_SETFD, FD_CLOEXEC);
                reader->socks[reader->count++] = sock;
            } else {
                (void)close(sock);
            }
        }
    }
}

static int receive_some(int link, bool socks,
                        struct tlr_takeover_reader *reader)
{
    struct iovec bytes = {(char *)&reader->message + reader->length,
                          sizeof(reader->message) - reader->length};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    union control control;
    ssize_t got;

    if (socks) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
    } /* else the system closes what comes */
    do {
        got = recvmsg(link, &header, MSG_CMSG_CLOEXEC);
    } while (got == -1 && errno == EINTR);
    if (got == -1) {
        return tlr_fd_error();
    }
    if (socks) {
        detach(&header, reader);
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0) {
        return socks ? UV_EMFILE : UV_EPROTO;
    }
    reader->length += (size_t)got;
    return got == 0 ? UV_EOF : 0;
}

int tlr_takeover_receive(uv_os_sock_t link, bool socks,
                         struct tlr_takeover_reader *reader)
{
    int err = 0;

    while (err == 0 && reader->length < sizeof(reader->message)) {
        err = receive_some(link, socks, reader);
    }
    if (err == 0) {
        err = tlr_takeover_check(&reader->message);
    }
    if (err == 0 && reader->message.count != reader->count) {
        err = UV_EPROTO;
    }
    return err;
}

int tlr_takeover_wait(uv_os_sock_t link, uint64_t milliseconds)
{
    struct pollfd poll_fd = {.fd = link, .events = POLLIN};
    int most = milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
    int ready = poll(&poll_fd, 1, most);

    if (ready == 0) {
        return UV_ETIMEDOUT;
    }
    return ready > 0 || errno == EINTR ? 0 : tlr_fd_error();
}
