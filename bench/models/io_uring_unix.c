/* SPDX-License-Identifier: MIT */
/*
 * io_uring on one thread: accepting and reading are asked for once and complete
 * again and again (multishot); what is read comes in buffers of a ring that all
 * connections share; all that one turn asks for is one system call.
 *
 * Serves well: thousands of connections of which many are busy at a time, since
 * a turn's work shares its system call. Ends: as any single loop does, at one
 * processor or a handler that blocks; and where the kernel does not have it, or a
 * container forbids it: then this ends with status 77, and says so.
 *
 * From: io_uring(7), liburing. A buffer that has been read into is its
 * connection's until it is sent, and the ring gets another one when few are left:
 * peers that do not read cannot have all of them, and nothing is copied.
 */
#include "model.h"

#include <errno.h>
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ENTRIES = 4096,  /* of the queue of what is asked for */
    BUFFERS = 32768, /* the kernel's limit; none takes memory before its use */
    FIRST = 128,     /* in the ring at first; if half are left it gets more */
    OWED_MOST = 2,   /* buffers: then a connection is not read from */
    CONNS_MOST = 65536, /* a socket of a greater number is closed */
    REFUSED = 77
};

/* What a completion is about, beside its socket; for READ it is that alone. */
enum about { READ, SENT, CANCELLED, ACCEPTED, NOTHING };

static const struct model model = {
    .name = "model_io_uring",
    .summary = "An echo server on one thread that completes with io_uring.",
};

struct buffer {
    struct buffer *next; /* of its connection's */
    int size;            /* of what was read */
    char bytes[MODEL_BUFFER];
};

struct conn {
    int sock; /* its index in `conns` */
    enum { CLOSED, NOT_READING, READING, CANCELLING, ENDED } state;
    unsigned delay;
    unsigned owed; /* buffers, from the first to the last one */
    struct buffer *first;
    struct buffer *last;
};

static struct model_options options;
static struct io_uring ring;
static _Alignas(65536) struct io_uring_buf in_ring[BUFFERS]; /* any page's */
static struct buffer *buffers;
static unsigned used;      /* of them, the first ones */
static unsigned available; /* of these, in the ring */
static struct conn conns[CONNS_MOST];
static int listener;

/* The accept that is asked for fails, and that tells. */
static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
}

static struct io_uring_sqe *ask(enum about about, int sock)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&ring)) == NULL) {
        (void)io_uring_submit(&ring); /* it was full, and is empty then */
    }
    io_uring_sqe_set_data64(sqe, (uint64_t)about << 32 | (uint32_t)sock);
    return sqe;
}

static void provide(struct buffer *buffer)
{
    struct io_uring_buf_ring *br = (struct io_uring_buf_ring *)in_ring;
    io_uring_buf_ring_add(br, buffer->bytes, MODEL_BUFFER,
        (unsigned short)(buffer - buffers), io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(br, 1);
    available++;
}

static void send_first(struct conn *conn)
{
    io_uring_prep_send(ask(SENT, conn->sock), conn->sock,
        conn->first->bytes, (size_t)conn->first->size, MSG_WAITALL);
}

static void on_read(struct conn *conn, const struct io_uring_cqe *cqe)
{
    if (cqe->res <= 0) { /* ENOBUFS: the ring is empty just now */
        bool again = cqe->res == -ENOBUFS || cqe->res == -ECANCELED;
        conn->state = again ? NOT_READING : ENDED;
        return;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        conn->state = NOT_READING;
    }
    struct buffer *buffer = &buffers[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
    if (--available < FIRST / 2 && used < BUFFERS) {
        provide(&buffers[used++]);
    } else if (available < FIRST / 2) {
        (void)shutdown(conn->sock, SHUT_RDWR); /* gives back what it has */
    }
    model_work(conn->delay);
    buffer->size = cqe->res;
    *(conn->owed == 0 ? &conn->first : &conn->last->next) = buffer;
    conn->last = buffer;
    if (conn->owed++ == 0) {
        send_first(conn);
    }
}

/* All of it, or it has failed: then the others will, too. */
static void on_sent(struct conn *conn, const struct io_uring_cqe *cqe)
{
    struct buffer *buffer = conn->first;
    if (cqe->res != buffer->size) {
        (void)shutdown(conn->sock, SHUT_RDWR); /* reading ends */
    }
    conn->first = buffer->next;
    provide(buffer);
    if (--conn->owed > 0) {
        send_first(conn);
    }
}

/* After each completion. A read that is cancelled completes once more, and what
 * the kernel had by then comes still. */
static void go_on(struct conn *conn)
{
    if (conn->state == READING && conn->owed >= OWED_MOST) {
        io_uring_prep_cancel64(
            ask(CANCELLED, conn->sock), (uint64_t)conn->sock, 0);
        conn->state = CANCELLING;
    } else if (conn->state == ENDED && conn->owed == 0) {
        io_uring_prep_close(ask(NOTHING, 0), conn->sock);
        conn->state = CLOSED;
    } else if (conn->state == NOT_READING && conn->owed == 0) {
        struct io_uring_sqe *sqe = ask(READ, conn->sock);
        io_uring_prep_recv_multishot(sqe, conn->sock, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT; /* of group 0 */
        conn->state = READING;
    }
}

static void ask_accept(void)
{
    io_uring_prep_multishot_accept(
        ask(ACCEPTED, 0), listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Or a pause is over, which ends with ETIME. */
static void on_accepted(const struct io_uring_cqe *cqe)
{
    static struct __kernel_timespec nap = {.tv_nsec = MODEL_PAUSE_MS * 1000000};
    if (cqe->res >= CONNS_MOST) {
        (void)close(cqe->res);
    } else if (cqe->res >= 0) {
        conns[cqe->res] = (struct conn){.sock = cqe->res,
            .state = NOT_READING, .delay = model_delay(&options)};
        go_on(&conns[cqe->res]);
    } else if (cqe->res != -ETIME && !model_accept_again(-cqe->res)) {
        io_uring_prep_timeout(ask(ACCEPTED, 0), &nap, 0, 0);
        return;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        ask_accept();
    }
}

static void on_completed(const struct io_uring_cqe *cqe)
{
    struct conn *conn = &conns[(uint32_t)cqe->user_data];
    enum about about = (enum about)(cqe->user_data >> 32);
    if (about == ACCEPTED) {
        on_accepted(cqe);
    } else if (about == CANCELLED && cqe->res < 0 && conn->state == CANCELLING) {
        conn->state = READING; /* it was not waiting: it is cancelled again */
    } else if (about == READ || about == SENT) {
        (about == SENT ? on_sent : on_read)(conn, cqe);
        go_on(conn);
    }
}

static void serve(void)
{
    ask_accept();
    while (!model_stopping()) {
        struct io_uring_cqe *cqe;
        (void)io_uring_submit_and_wait(&ring, 1); /* EINTR: nothing is here */
        while (io_uring_peek_cqe(&ring, &cqe) == 0) {
            on_completed(cqe);
            io_uring_cqe_seen(&ring, cqe);
        }
    }
}

/* DEFER_TASKRUN, of Linux 6.1: the kernel does its part when we wait. */
static int open_ring(void)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)in_ring, .ring_entries = BUFFERS};
    buffers = mmap(NULL, BUFFERS * sizeof(*buffers), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (buffers == MAP_FAILED) {
        return -errno;
    }
    while (used < FIRST) {
        provide(&buffers[used++]);
    }
    int err = io_uring_queue_init(ENTRIES, &ring,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
            IORING_SETUP_DEFER_TASKRUN);
    return err != 0 ? err : io_uring_register_buf_ring(&ring, &reg, 0);
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    int err = open_ring();
    if (err != 0) {
        (void)model_fail("the kernel has no io_uring of 6.1 for us", err);
        return REFUSED;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    serve();
    io_uring_queue_exit(&ring); /* nothing is asked for any more */
    for (int sock = 0; sock < CONNS_MOST; sock++) {
        if (conns[sock].state != CLOSED) {
            (void)close(sock);
        }
    }
    (void)munmap(buffers, BUFFERS * sizeof(*buffers));
    (void)close(listener);
    return model_end();
}
