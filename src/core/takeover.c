/* SPDX-License-Identifier: MIT */
/*
 * The new process's side: see takeover.h. Before the start there is nothing on
 * the host's loop, and so it blocks, up to the program's time limit.
 */
#include <string.h>

#include "handoff.h"
#include "server.h"

#define VERSION 1

static const char magic[8] = {'t', 'e', 'l', 'l', 'e', 'r', '>', '>'};

void tlr_takeover_fill(struct tlr_takeover_message *message,
                       enum tlr_takeover_kind kind)
{
    memset(message, 0, sizeof(*message));
    memcpy(message->magic, magic, sizeof(magic));
    message->version = VERSION;
    message->kind = kind;
    message->pid = uv_os_getpid();
}

int tlr_takeover_check(const struct tlr_takeover_message *message)
{
    if (memcmp(message->magic, magic, sizeof(magic)) != 0) {
        return UV_EPROTO;
    }
    if (message->version != VERSION) {
        return UV_EPROTONOSUPPORT;
    }
    return message->count <= TLR_TAKEOVER_AT_ONCE &&
                   message->total <= TLR_TAKEOVER_MOST &&
                   message->count <= message->total
               ? 0
               : UV_EPROTO;
}

/* ---- getting the sockets --------------------------------------------- */

static uint64_t left(uint64_t due)
{
    uint64_t now = uv_hrtime();

    return now < due ? (due - now) / 1000000 + 1 : 0;
}

static void drop(struct tlr_takeover_reader *reader, unsigned from)
{
    for (; from < reader->count; from++) {
        tlr_handoff_close(reader->socks[from]);
    }
    reader->count = 0;
}

/* A whole message. After an error no socket is left in it. */
static int receive(uv_os_sock_t link, uint64_t due,
                   struct tlr_takeover_reader *reader)
{
    int err;

    memset(reader, 0, sizeof(*reader));
    do {
        err = tlr_takeover_wait(link, left(due));
        if (err == 0) {
            err = tlr_takeover_receive(link, true, reader);
        }
    } while (err == UV_EAGAIN);
    if (err == 0 && reader->message.kind == TLR_TAKEOVER_REFUSED) {
        err = reader->message.error < 0 ? reader->message.error : UV_EPROTO;
    }
    if (err != 0) {
        drop(reader, 0);
    }
    return err == UV_EOF ? UV_ECONNRESET : err;
}

/* They are in order, or come from no server of ours: then it ends here. */
static int use_sockets(struct tlr_server *server,
                       struct tlr_takeover_reader *reader)
{
    int err = 0;
    unsigned i;

    for (i = 0; i < reader->count && err == 0; i++) {
        err = tlr_server_listen_socket(server, reader->socks[i]);
    }
    if (err != 0) {
        drop(reader, i - 1);
    }
    return err;
}

static int receive_sockets(struct tlr_server *server, uv_os_sock_t link,
                           uint64_t due, int64_t *pid)
{
    struct tlr_takeover_reader reader;
    uint32_t got = 0;
    uint32_t total = 0;
    int err;

    do {
        err = receive(link, due, &reader);
        if (err == 0 && (reader.message.kind != TLR_TAKEOVER_SOCKETS ||
                         (got > 0 && reader.message.total != total) ||
                         reader.count > reader.message.total - got ||
                         (reader.count == 0 && reader.message.total > 0))) {
            drop(&reader, 0);
            err = UV_EPROTO;
        }
        if (err != 0) {
            return err;
        }
        total = reader.message.total;
        got += reader.count;
        *pid = reader.message.pid;
        err = use_sockets(server, &reader);
    } while (err == 0 && got < total);
    return err;
}

/*
 * The first thing on a new connection: there is room for it. A refusal may be
 * there already, and is read, whatever becomes of this.
 */
static void greet(uv_os_sock_t link)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, TLR_TAKEOVER_HELLO);
    (void)tlr_takeover_send(link, &message, NULL);
}

int tlr_server_take_over(struct tlr_server *server, const char *path,
                         uint64_t timeout, int64_t *pid)
{
    uint64_t due = uv_hrtime() + timeout * 1000000;
    struct tlr_takeover_id file;
    uv_os_sock_t link;
    int64_t other = 0;
    int err;

    if (server->state != SERVER_NEW) {
        return UV_EBUSY;
    }
    if (server->endpoints != NULL || server->successor.linked ||
        timeout == 0 || timeout > TLR_TAKEOVER_TIMEOUT_MOST) {
        return UV_EINVAL;
    }
    err = tlr_takeover_connect(path, timeout, &link, &file);
    if (err != 0) {
        return err;
    }
    greet(link);
    err = receive_sockets(server, link, due, &other);
    if (err != 0) {
        tlr_endpoints_abandon(server);
        tlr_handoff_close(link);
        return err;
    }
    server->successor.file = file;
    server->successor.linked = true;
    server->successor.link = link;
    server->successor.timeout = timeout;
    server->config.held = true;
    if (pid != NULL) {
        *pid = other;
    }
    return 0;
}

/* ---- the start ------------------------------------------------------- */

void tlr_takeover_forget(struct tlr_server *server)
{
    if (server->successor.linked) {
        server->successor.linked = false;
        tlr_handoff_close(server->successor.link);
    }
}

/*
 * No answer: it is stuck, and finds READY when it is no more. Gone: nobody else
 * has the sockets now. Both times it is for us to serve. If READY could not be
 * sent it is not: the other one goes on, and sees the link's end.
 */
int tlr_takeover_commit(struct tlr_server *server)
{
    struct tlr_takeover_message message;
    struct tlr_takeover_reader reader;
    uv_os_sock_t link = server->successor.link;
    int err;

    if (!server->successor.linked) {
        return 0;
    }
    tlr_takeover_fill(&message, TLR_TAKEOVER_READY);
    err = tlr_takeover_send(link, &message, NULL);
    if (err != 0 && err != UV_EPIPE && err != UV_ECONNRESET) {
        return err;
    } /* if it has gone it may have refused before */
    err = receive(link, uv_hrtime() + server->successor.timeout * 1000000,
                  &reader);
    drop(&reader, 0); /* none are to come */
    tlr_takeover_forget(server);
    return err != 0 && reader.length == sizeof(reader.message) &&
                   reader.message.kind == TLR_TAKEOVER_REFUSED
               ? err
               : 0;
}
