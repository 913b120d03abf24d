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
 * connection's until it is sent, and the ring has another one at once: peers that
 * do not read cannot have all of them, and nothing is copied.
 */
#include "model.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/list.h"

enum {
    ENTRIES = 4096, /* of the queue of what is asked for */
    BUFFERS = 512,  /* in the ring: a power of 2 */
    SIZE = 16384,   /* of a buffer */
    OWED_MOST = MODEL_BUFFER / SIZE, /* then a connection is not read from */
    REFUSED = 77
};

/* What a completion is about: one of these, or the address of a connection, to
 * which SENT may be added. */
enum { NOTHING, ACCEPTED, SENT = 1 };

static const struct model model = {
    .name = "model_io_uring",
    .summary = "An echo server on one thread that completes with io_uring.",
};

struct buffer {
    struct buffer *older; /* in `all` */
    struct buffer *next;  /* in `spare`, or of its connection's */
    int size;             /* of what was read */
    char bytes[SIZE];
};

struct conn {
    int sock;
    unsigned delay;
    bool reading;
    bool ended; /* the peer sends no more, or there is an error */
    bool sending;
    unsigned owed; /* buffers, from the first to the last one */
    struct buffer *first;
    struct buffer *last;
    struct tlr_list link; /* in `conns` */
};

static struct model_options options;
static struct io_uring ring;
static _Alignas(65536) struct io_uring_buf provided[BUFFERS]; /* any page's */
static struct buffer *in_ring[BUFFERS];
static struct buffer initial[BUFFERS];
static struct buffer *spare; /* as many as were ever held */
static struct buffer *all;   /* but the initial ones */
static struct tlr_list conns = {&conns, &conns};
static int listener;

/* The accept that is asked for fails, and that tells. */
static void wake(void)
{
    (void)shutdown(listener, SHUT_RDWR);
}

static struct io_uring_sqe *ask(uint64_t about)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&ring)) == NULL) {
        (void)io_uring_submit(&ring); /* it was full, and is empty then */
    }
    io_uring_sqe_set_data64(sqe, about);
    return sqe;
}

/* ---- buffers ---- */

/* Puts a spare or a new one into the ring, under this number; or without memory
 * the one that has it already, and returns false. */
static bool provide(unsigned id)
{
    struct io_uring_buf_ring *br = (struct io_uring_buf_ring *)provided;
    struct buffer *buffer = spare;
    if (buffer != NULL) {
        spare = buffer->next;
    } else if ((buffer = malloc(sizeof(*buffer))) != NULL) {
        buffer->older = all;
        all = buffer;
    }
    in_ring[id] = buffer != NULL ? buffer : in_ring[id];
    io_uring_buf_ring_add(br, in_ring[id]->bytes, SIZE, (unsigned short)id,
        io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(br, 1);
    return buffer != NULL;
}

/* ---- a connection ---- */

static void on_read(struct conn *conn, const struct io_uring_cqe *cqe)
{
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    struct buffer *buffer = in_ring[id];
    conn->reading = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res <= 0) { /* ENOBUFS: all are in use just now */
        conn->ended = cqe->res != -ENOBUFS && cqe->res != -ECANCELED;
        return;
    }
    if (!provide(id)) {
        (void)shutdown(conn->sock, SHUT_RDWR); /* reading ends */
        return;
    }
    model_work(conn->delay);
    buffer->size = cqe->res;
    *(conn->owed++ == 0 ? &conn->first : &conn->last->next) = buffer;
    conn->last = buffer;
}

/* All that was owed, or it has failed: then the others will, too. */
static void on_sent(struct conn *conn, const struct io_uring_cqe *cqe)
{
    struct buffer *buffer = conn->first;
    if (cqe->res != buffer->size) {
        (void)shutdown(conn->sock, SHUT_RDWR); /* reading ends */
    }
    conn->sending = false;
    conn->first = buffer->next;
    conn->owed--;
    buffer->next = spare;
    spare = buffer;
}

/* After each completion. A read that is cancelled completes once more, and what
 * the kernel had by then comes still. */
static void go_on(struct conn *conn)
{
    if (conn->owed > 0 && !conn->sending) {
        io_uring_prep_send(ask((uintptr_t)conn + SENT), conn->sock,
            conn->first->bytes, (size_t)conn->first->size, MSG_WAITALL);
        conn->sending = true;
    }
    if (conn->reading && conn->owed >= OWED_MOST) {
        io_uring_prep_cancel64(ask(NOTHING), (uintptr_t)conn, 0);
    } else if (!conn->reading && conn->owed == 0 && conn->ended) {
        io_uring_prep_close(ask(NOTHING), conn->sock);
        tlr_list_remove(&conn->link);
        free(conn);
    } else if (!conn->reading && conn->owed == 0) {
        struct io_uring_sqe *sqe = ask((uintptr_t)conn);
        io_uring_prep_recv_multishot(sqe, conn->sock, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT; /* of group 0 */
        conn->reading = true;
    }
}

/* ---- all of them ---- */

static void ask_accept(void)
{
    io_uring_prep_multishot_accept(
        ask(ACCEPTED), listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Or a pause is over, which ends with ETIME. */
static void on_accepted(const struct io_uring_cqe *cqe)
{
    static struct __kernel_timespec pause = {
        .tv_nsec = MODEL_PAUSE_MS * 1000000LL};
    struct conn *conn = cqe->res >= 0 ? calloc(1, sizeof(*conn)) : NULL;
    if (conn != NULL) {
        conn->sock = cqe->res;
        conn->delay = model_delay(&options);
        tlr_list_append(&conns, &conn->link);
        go_on(conn);
    } else if (cqe->res >= 0) {
        (void)close(cqe->res);
    } else if (cqe->res != -ETIME && !model_accept_again(-cqe->res)) {
        io_uring_prep_timeout(ask(ACCEPTED), &pause, 0, 0);
        return;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        ask_accept();
    }
}

static void on_completed(const struct io_uring_cqe *cqe)
{
    uintptr_t about = (uintptr_t)cqe->user_data;
    struct conn *conn = (struct conn *)(about & ~(uintptr_t)SENT);
    if (about == ACCEPTED) {
        on_accepted(cqe);
    } else if (about != NOTHING) {
        ((about & SENT) != 0 ? on_sent : on_read)(conn, cqe);
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

/* DEFER_TASKRUN, of Linux 6.1, leaves the kernel's part of a completion until we
 * wait. */
static int open_ring(void)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)provided, .ring_entries = BUFFERS};
    for (unsigned id = 0; id < BUFFERS; id++) {
        spare = &initial[id];
        (void)provide(id);
    }
    int err = io_uring_queue_init(ENTRIES, &ring,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
            IORING_SETUP_DEFER_TASKRUN);
    return err != 0 ? err : io_uring_register_buf_ring(&ring, &reg, 0);
}

static void close_all(void)
{
    io_uring_queue_exit(&ring); /* nothing is asked for any more */
    while (!tlr_list_empty(&conns)) {
        struct conn *conn = TLR_CONTAINER_OF(conns.next, struct conn, link);
        tlr_list_remove(&conn->link);
        (void)close(conn->sock);
        free(conn);
    }
    while (all != NULL) {
        struct buffer *buffer = all;
        all = buffer->older;
        free(buffer);
    }
    (void)close(listener);
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
    close_all();
    return model_end();
}
