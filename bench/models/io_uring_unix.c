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
 * From: io_uring(7), liburing. A buffer of the ring is out only until its send
 * has been tried, without waiting: what the kernel does not take is copied, and so
 * is what comes meanwhile. Peers that do not read cannot have all the buffers.
 */
#include "model.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/list.h"

enum {
    ENTRIES = 4096,      /* of the queue of what is asked for */
    BUFFERS = 512,       /* of the ring: a power of 2 */
    SIZE = 16384,        /* of a buffer */
    QUEUED_MOST = 262144, /* bytes: then a connection is not read from */
    REFUSED = 77
};

/* What a completion is about: one of these, or the address of a connection, to
 * which SENT may be added. */
enum { NOTHING, ACCEPTED, PAUSED, SENT = 1 };

static const struct model model = {
    .name = "model_io_uring",
    .summary = "An echo server on one thread that completes with io_uring.",
};

struct conn {
    int sock;
    unsigned delay;
    enum { NOT_READING, READING, CANCELLING } reading;
    bool sending;
    bool ended;   /* the peer sends no more, or there is an error */
    int buffer;   /* what goes out: this one of the ring's, or if it is -1 */
    char *out;    /* this memory; NULL: nothing does */
    size_t begin; /* of what is still to be sent of it */
    size_t end;
    char *queued; /* what has come meanwhile, or NULL */
    size_t queued_size;
    struct tlr_list link; /* in `conns` */
};

static struct model_options options;
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char (*memory)[SIZE]; /* of the buffers */
static struct tlr_list conns = {&conns, &conns};
static int listener;
static bool accepting;

/* The accept that is asked for fails, and that tells. */
static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
}

/* ---- asking ---- */

static struct io_uring_sqe *next_sqe(void)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&ring)) == NULL) {
        (void)io_uring_submit(&ring); /* it was full, and is empty then */
    }
    return sqe;
}

static void ask_accept(void)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, ACCEPTED);
    accepting = true;
}

static void ask_pause(void)
{
    static struct __kernel_timespec pause = {.tv_nsec = MODEL_PAUSE_MS * 1000000};
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_timeout(sqe, &pause, 0, 0);
    io_uring_sqe_set_data64(sqe, PAUSED);
}

static void ask_read(struct conn *conn)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_recv_multishot(sqe, conn->sock, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT; /* of group 0 */
    io_uring_sqe_set_data64(sqe, (uintptr_t)conn);
    conn->reading = READING;
}

/* The read completes once more, with ECANCELED if with nothing else. */
static void ask_not_to_read(struct conn *conn)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_cancel64(sqe, (uintptr_t)conn, 0);
    io_uring_sqe_set_data64(sqe, NOTHING);
    conn->reading = CANCELLING;
}

static void ask_send(struct conn *conn)
{
    struct io_uring_sqe *sqe = next_sqe();
    char *bytes = conn->buffer >= 0 ? memory[conn->buffer] : conn->out;
    io_uring_prep_send(sqe, conn->sock, bytes + conn->begin,
        conn->end - conn->begin, conn->buffer >= 0 ? MSG_DONTWAIT : 0);
    io_uring_sqe_set_data64(sqe, (uintptr_t)conn + SENT);
    conn->sending = true;
}

/* ---- a connection ---- */

static void give_back(int buffer)
{
    io_uring_buf_ring_add(buffers, memory[buffer], SIZE,
        (unsigned short)buffer, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffers, 1);
}

/* What is asked for completes then: by the end, or an error. */
static void break_off(const struct conn *conn)
{
    (void)shutdown(conn->sock, SHUT_RDWR);
}

static void queue(struct conn *conn, const char *bytes, size_t size)
{
    char *more = realloc(conn->queued, conn->queued_size + size);
    if (more == NULL) {
        break_off(conn);
        return;
    }
    memcpy(more + conn->queued_size, bytes, size);
    conn->queued = more;
    conn->queued_size += size;
}

/* Without a buffer (ENOBUFS) it is asked for again: those that are out are back
 * by then, since no send waits with one. */
static void on_read(struct conn *conn, const struct io_uring_cqe *cqe)
{
    int buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        conn->reading = NOT_READING;
    }
    if (cqe->res <= 0) {
        conn->ended = cqe->res != -ENOBUFS && cqe->res != -ECANCELED;
        return;
    }
    model_work(conn->delay);
    if (conn->end > 0) {
        queue(conn, memory[buffer], (size_t)cqe->res);
        give_back(buffer);
    } else {
        conn->buffer = buffer;
        conn->end = (size_t)cqe->res;
    }
}

/* What the kernel has not taken of a buffer, and then what is queued. */
static void go_to_queued(struct conn *conn)
{
    size_t left = conn->end - conn->begin;
    size_t size = left + conn->queued_size;
    char *bytes = left > 0 ? realloc(conn->queued, size) : conn->queued;
    if (left > 0 && bytes != NULL) {
        memmove(bytes + left, bytes, conn->queued_size);
        memcpy(bytes, memory[conn->buffer] + conn->begin, left);
    } else if (left > 0) { /* no memory */
        free(conn->queued);
        size = 0;
        break_off(conn);
    }
    if (conn->buffer >= 0) {
        give_back(conn->buffer);
    }
    free(conn->out);
    conn->buffer = -1;
    conn->out = bytes;
    conn->begin = 0;
    conn->end = size;
    conn->queued = NULL;
    conn->queued_size = 0;
}

static void on_sent(struct conn *conn, int res)
{
    conn->sending = false;
    if (res < 0 && res != -EAGAIN && res != -EINTR) {
        conn->begin = conn->end; /* nobody is there to get it */
        break_off(conn);
    }
    conn->begin += res > 0 ? (size_t)res : 0;
    if (conn->buffer >= 0 || conn->begin == conn->end) {
        go_to_queued(conn);
    }
}

static void close_conn(struct conn *conn)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_close(sqe, conn->sock);
    io_uring_sqe_set_data64(sqe, NOTHING);
    tlr_list_remove(&conn->link);
    free(conn->out);
    free(conn->queued);
    free(conn);
}

/* After each completion: what is to be asked for next. */
static void go_on(struct conn *conn)
{
    if (!conn->sending && conn->begin < conn->end) {
        ask_send(conn);
    }
    if (conn->reading == READING && conn->queued_size >= QUEUED_MOST) {
        ask_not_to_read(conn);
    } else if (conn->reading == NOT_READING && !conn->ended &&
               conn->queued_size < QUEUED_MOST) {
        ask_read(conn);
    }
    if (conn->ended && conn->reading == NOT_READING && !conn->sending) {
        close_conn(conn);
    }
}

/* ---- all of them ---- */

static void add(int sock)
{
    struct conn *conn = model_stopping() ? NULL : calloc(1, sizeof(*conn));
    if (conn == NULL) {
        (void)close(sock);
        return;
    }
    conn->sock = sock;
    conn->delay = model_delay(&options);
    conn->buffer = -1;
    tlr_list_append(&conns, &conn->link);
    go_on(conn);
}

static void on_accepted(const struct io_uring_cqe *cqe)
{
    accepting = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res >= 0) {
        add(cqe->res);
    }
    if (!accepting && model_stopping()) {
        for (struct tlr_list *l = conns.next; l != &conns; l = l->next) {
            break_off(TLR_CONTAINER_OF(l, struct conn, link));
        }
    } else if (!accepting && cqe->res < 0 && !model_accept_again(-cqe->res)) {
        ask_pause();
    } else if (!accepting) {
        ask_accept();
    }
}

static void on_completed(const struct io_uring_cqe *cqe)
{
    struct conn *conn =
        (struct conn *)(uintptr_t)(cqe->user_data & ~(uint64_t)SENT);
    if (cqe->user_data == ACCEPTED) {
        on_accepted(cqe);
    } else if (cqe->user_data == PAUSED) {
        ask_accept();
    } else if (cqe->user_data != NOTHING) {
        if ((cqe->user_data & SENT) != 0) {
            on_sent(conn, cqe->res);
        } else {
            on_read(conn, cqe);
        }
        go_on(conn);
    }
}

/* An accept is asked for until the listener is shut down, or a pause is. */
static void serve(void)
{
    ask_accept();
    while (!model_stopping() || accepting || !tlr_list_empty(&conns)) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned count = 0;
        (void)io_uring_submit_and_wait(&ring, 1); /* EINTR: nothing is here */
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            on_completed(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
    (void)io_uring_submit(&ring); /* the last ones are to be closed */
}

/* ---- the ring ---- */

/* SINGLE_ISSUER came with multishot reads, in Linux 6.0; DEFER_TASKRUN, with 6.1,
 * leaves the kernel's part of a completion until we wait. */
static int open_ring(void)
{
    unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL;
    int err = io_uring_queue_init(
        ENTRIES, &ring, flags | IORING_SETUP_DEFER_TASKRUN);
    return err == -EINVAL ? io_uring_queue_init(ENTRIES, &ring, flags) : err;
}

/* The buffers, and behind them what the kernel finds them by: both are to lie at
 * the begin of a page. */
static int open_buffers(void)
{
    size_t size = BUFFERS * (SIZE + sizeof(struct io_uring_buf));
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
        MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    buffers = (struct io_uring_buf_ring *)(memory + BUFFERS);
    io_uring_buf_ring_init(buffers);
    for (int i = 0; i < BUFFERS; i++) {
        give_back(i);
    }
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS};
    return io_uring_register_buf_ring(&ring, &reg, 0);
}

int main(int argc, char **argv)
{
    int status;
    if (!model_begin(&model, argc, argv, &options, &status)) {
        return status;
    }
    int err = open_ring();
    if (err == 0) {
        err = open_buffers();
    }
    if (err != 0) {
        (void)model_fail("the kernel has no io_uring of 6.0 for us", err);
        return REFUSED;
    }
    if (!model_listen(&options, 0, &listener)) {
        return TLR_CLI_STATUS_FAILURE;
    }
    model_on_stop(wake);
    model_announce(&options);
    serve();
    io_uring_queue_exit(&ring);
    (void)munmap(memory, BUFFERS * (SIZE + sizeof(struct io_uring_buf)));
    (void)close(listener);
    return model_end();
}
