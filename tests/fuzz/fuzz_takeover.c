/* SPDX-License-Identifier: MIT */
/*
 * What comes from the other process of a takeover: the bytes arrive in pieces,
 * some with descriptors. A message that is taken is whole, of ours, and has as
 * many descriptors as it says; and whatever it was, none stays open.
 *
 * A piece is two bytes, and what they announce: its length, and how many
 * descriptors go with it. The first byte of all says whether any are wanted.
 */
#include "require.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/takeover.h"

enum { GIVEN_MOST = 100 };

static int null_fd = -1;

static void send_piece(int to, const uint8_t *data, size_t size,
                       unsigned descriptors)
{
    union {
        struct cmsghdr header; /* aligns it */
        char bytes[CMSG_SPACE(GIVEN_MOST * sizeof(int))];
    } control;
    char bytes[256];
    struct iovec piece = {bytes, size};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};

    memcpy(bytes, data, size);
    if (descriptors > 0) {
        memset(&control, 0, sizeof(control));
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(descriptors * sizeof(int));
        for (unsigned i = 0; i < descriptors; i++) {
            memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null_fd,
                   sizeof(int));
        }
    }
    REQUIRE(sendmsg(to, &header, 0) == (ssize_t)size);
}

/* Whether it is one, and it stays open for no program that is started. */
static void check_descriptor(int fd)
{
    REQUIRE(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void check_message(const struct tlr_takeover_reader *reader)
{
    struct tlr_takeover_message ours;

    REQUIRE(reader->length == sizeof(reader->message));
    tlr_takeover_fill(&ours, TLR_TAKEOVER_HELLO);
    REQUIRE(memcmp(reader->message.magic, ours.magic, sizeof(ours.magic)) == 0);
    REQUIRE(reader->message.version == ours.version);
    REQUIRE(reader->message.count == reader->count);
    REQUIRE(reader->message.count <= reader->message.total);
    REQUIRE(reader->message.total <= TLR_TAKEOVER_MOST);
}

/* Returns what was said last. */
static int receive(int from, bool wanted, struct tlr_takeover_reader *reader)
{
    int err = tlr_takeover_receive(from, wanted, reader);

    REQUIRE(err == 0 || err == UV_EAGAIN || err == UV_EOF || err == UV_EPROTO ||
            err == UV_EPROTONOSUPPORT || err == UV_EMFILE);
    REQUIRE(reader->length <= sizeof(reader->message));
    REQUIRE(reader->count <= TLR_TAKEOVER_AT_ONCE);
    REQUIRE(wanted || reader->count == 0);
    if (err == 0) {
        check_message(reader);
    }
    return err;
}

static void release(struct tlr_takeover_reader *reader)
{
    for (unsigned i = 0; i < reader->count; i++) {
        check_descriptor(reader->socks[i]);
        REQUIRE(close(reader->socks[i]) == 0);
    }
    memset(reader, 0, sizeof(*reader));
}

/* The lowest descriptor that is free now. */
static int lowest(void)
{
    int fd = fcntl(null_fd, F_DUPFD, 0);

    REQUIRE(fd >= 0 && close(fd) == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tlr_takeover_reader reader = {.length = 0};
    struct input input = {data, 0, size};
    int ends[2];
    int before;
    int err = UV_EAGAIN;
    bool wanted;

    if (null_fd == -1) {
        null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        REQUIRE(null_fd >= 0);
    }
    before = lowest();
    REQUIRE(uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, 0) == 0);
    wanted = input_next(&input) % 4 != 0;
    while (err == UV_EAGAIN && !input_is_over(&input)) {
        size_t length = input_next(&input) % 64 + 1;
        unsigned descriptors = input_next(&input);

        if (length > input.back - input.front) {
            length = input.back - input.front;
        }
        if (length > 0) {
            send_piece(ends[1], data + input.front, length,
                       descriptors < 128 ? 0 : descriptors % GIVEN_MOST);
            input.front += length;
        }
        err = receive(ends[0], wanted, &reader);
        if (err == 0) {
            release(&reader); /* and the next message */
            err = UV_EAGAIN;
        }
    }
    release(&reader);
    REQUIRE(close(ends[0]) == 0 && close(ends[1]) == 0);
    REQUIRE(lowest() == before);
    return 0;
}
