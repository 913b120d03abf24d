/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- saying it ------------------------------------------------------ */

static void print_line(const struct line *line)
{
    const struct stream *up = &line->up;
    const struct stream *down = &line->down;

    (void)fprintf(
        stderr,
        "  line %u: up %zu of %zu, down %zu of %zu+%zu;"
        " peer:%s%s%s%s%s%s%s%s; server:%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s\n",
        line_index(line), up->taken, up->length, down->taken, down->length,
        down->maybe, line->wired ? " wired" : "",
        line->refused ? " refused" : "", line->late ? " late" : "",
        line->half_closed ? " half-closed" : "", line->gone ? " gone" : "",
        line->torn ? " torn" : "", line->saw_end ? " saw-end" : "",
        line->saw_reset ? " saw-reset" : "", line->ghost ? " ghost" : "",
        line->outbound ? " outbound" : "", line->adopted ? " adopted" : "",
        line->connecting ? " connecting" : "", line->opened ? " opened" : "",
        line->closed ? " closed" : "",
        line->reading != READ_NONE ? " reading" : "",
        line->writing ? " writing" : "", line->shutting ? " shutting" : "",
        line->fin_asked ? " fin" : "", line->close_asked ? " close" : "",
        line->reset_asked ? " reset" : "", line->eof_told ? " eof" : "",
        line->error_told ? " error" : "", line->doomed ? " doomed" : "");
}

void fault(const char *file, int at, const struct line *line,
           const char *format, ...)
{
    va_list arguments;
    unsigned i;

    (void)fprintf(stderr, "FAULT %s:%d: ", file, at);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n");
    if (line != NULL) {
        print_line(line);
    } else {
        for (i = 0; i < world.line_count; i++) {
            print_line(&world.lines[i]);
        }
    }
    (void)fprintf(stderr,
                  "  world:%s%s%s%s stopped %u, starved %u, turns %llu\n",
                  world.on_host ? " host" : " workers",
                  world.finishing ? " finishing" : "",
                  world.drained ? " drained" : "",
                  world.may_stop ? " may-stop" : "", world.stopped,
                  atomic_load(&world.starved),
                  (unsigned long long)world.turns);
    abort();
}

void trace(const struct line *line, const char *format, ...)
{
    static int wanted = -1;
    va_list arguments;

    if (wanted < 0) {
        wanted = getenv("FUZZ_TRACE") != NULL;
    }
    if (wanted == 0) {
        return;
    }
    if (line != NULL) {
        (void)fprintf(stderr, "line %u: ", line_index(line));
    }
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n");
}

/* ---- streams -------------------------------------------------------- */

/* Every sixteenth byte or so ends a line, for tlr_read_until(). */
static uint8_t byte_at(uint64_t salt, uint64_t position)
{
    uint64_t mixed =
        (position * 64 + salt + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return ((mixed >> 40) & 15) == 0 ? '\n' : (uint8_t)(mixed >> 56);
}

void stream_make(uint8_t *bytes, size_t size, uintptr_t salt, size_t position)
{
    size_t i;

    for (i = 0; i < size; i++) {
        bytes[i] = byte_at(salt, position + i);
    }
    world.volume += size;
}

static void make_room(struct stream *stream, size_t size)
{
    size_t needed = stream->length + stream->maybe + size;

    if (needed > stream->room) {
        stream->room = needed * 2;
        stream->bytes = realloc(stream->bytes, stream->room);
        REQUIRE(NULL, stream->bytes != NULL, "no memory for the fuzzer");
    }
}

void stream_append(struct stream *stream, const void *bytes, size_t size)
{
    make_room(stream, size);
    if (size > 0) {
        memcpy(stream->bytes + stream->length, bytes, size);
    }
    stream->length += size;
    world.volume += size;
}

void stream_append_maybe(struct stream *stream, const void *bytes,
                         size_t size)
{
    make_room(stream, size);
    if (size > 0) {
        memcpy(stream->bytes + stream->length + stream->maybe, bytes, size);
    }
    stream->maybe += size;
}

/* ---- lines ---------------------------------------------------------- */

unsigned line_index(const struct line *line)
{
    return (unsigned)(line - world.lines);
}

struct line *line_new(void)
{
    return world.line_count < LINES_MOST ? &world.lines[world.line_count++]
                                         : NULL;
}

struct line *line_of_port(unsigned port, bool adopted)
{
    unsigned i;

    for (i = 0; i < world.line_count; i++) {
        struct line *line = &world.lines[i];

        if (port != 0 && line->port == port && line->adopted == adopted &&
            !line->opened && !line->outbound && !line->refused) {
            return line;
        }
    }
    return NULL;
}

bool line_is_open(const struct line *line)
{
    return line->opened && !line->closed;
}

/* ---- the peer's end ------------------------------------------------- */

void peer_got(struct line *line, const uint8_t *bytes, size_t size)
{
    struct stream *down = &line->down;

    world.events++;
    if (line->ghost) {
        return;
    }
    REQUIRE(line, line->opened, "%zu bytes of a connection never opened",
            size);
    REQUIRE(line, down->taken + size <= down->length + down->maybe,
            "the peer got %zu bytes that nobody wrote",
            down->taken + size - down->length - down->maybe);
    REQUIRE(line, memcmp(down->bytes + down->taken, bytes, size) == 0,
            "the peer got other bytes than those written, after %zu",
            down->taken);
    down->taken += size;
}

/* Whether the library had a reason to refuse a peer that has connected. */
static bool may_refuse(const struct line *line)
{
    return atomic_load(&world.starved) > 0 || world.may_stop || line->late ||
           world.limited;
}

void peer_got_end(struct line *line)
{
    world.events++;
    line->saw_end = true;
    trace(line, "peer: end");
    if (line->ghost) {
        return;
    }
    if (!line->opened) {
        REQUIRE(line, may_refuse(line) || line->connecting || line->closed,
                "FIN, and it was never opened");
        return;
    }
    REQUIRE(line,
            line->fin_asked || line->close_asked || world.may_stop,
            "FIN that nobody asked for");
    /* FIN says that this is all: so it has to be. */
    REQUIRE(line, line->down.taken >= line->down.length,
            "FIN, and %zu bytes are missing",
            line->down.length - line->down.taken);
}

void peer_got_error(struct line *line, int err)
{
    world.events++;
    line->saw_reset = true;
    trace(line, "peer: %s", uv_err_name(err));
    if (line->ghost) {
        return;
    }
    if (!line->opened) {
        REQUIRE(line, may_refuse(line) || line->connecting || line->closed,
                "%s, and it was never opened", uv_err_name(err));
        return;
    }
    REQUIRE(line, line->reset_asked || world.may_stop || line->doomed ||
                      line->torn,
            "%s, and nobody reset it", uv_err_name(err));
}

/* ---- the server's end ----------------------------------------------- */

/* What it is to read next. */
static const uint8_t *next_of(const struct stream *stream)
{
    static const uint8_t nothing[1];

    return stream->bytes == NULL ? nothing : stream->bytes + stream->taken;
}

static bool has_delimiter(const struct line *line, const uint8_t *bytes,
                          size_t size, size_t *end)
{
    size_t i;

    for (i = 0; i + line->delimiter_length <= size; i++) {
        if (memcmp(bytes + i, line->delimiter, line->delimiter_length) == 0) {
            *end = i + line->delimiter_length;
            return true;
        }
    }
    return false;
}

static void got_data(struct line *line, size_t size, const char *data)
{
    struct stream *up = &line->up;
    size_t end = 0;

    world.seen.reads++;
    world.seen.bytes_in += size;
    REQUIRE(line, up->taken + size <= up->length,
            "%zu bytes read that the peer never sent",
            up->taken + size - up->length);
    REQUIRE(line, memcmp(next_of(up), data, size) == 0,
            "other bytes read than those sent, after %zu", up->taken);
    if (line->reading == READ_EXACTLY) {
        REQUIRE(line, size == line->wanted, "%zu bytes instead of %zu", size,
                line->wanted);
    } else if (line->reading == READ_UNTIL) {
        REQUIRE(line,
                has_delimiter(line, next_of(up), size, &end) &&
                    end == size && size <= line->wanted,
                "%zu bytes, at most %zu, the first delimiter ends at %zu",
                size, line->wanted, end);
    } else {
        /* What is left of a longer read comes before it, and what it was
         * too much by: at most the buffer that came last. */
        REQUIRE(line, size <= world.options.read_buffer + line->largest,
                "%zu bytes at once", size);
    }
    up->taken += size;
}

static void got_end(struct line *line)
{
    const struct stream *up = &line->up;
    size_t left = up->length - up->taken;
    size_t end;

    line->eof_told = true;
    if (line->ghost) {
        return;
    }
    REQUIRE(line, line->half_closed || line->gone,
            "EOF, and the peer has not ended");
    if (line->reading == READ_SOME) {
        REQUIRE(line, left == 0, "EOF, and %zu bytes are missing", left);
    } else if (line->reading == READ_EXACTLY) {
        REQUIRE(line, left < line->wanted, "EOF instead of %zu bytes of %zu",
                line->wanted, left);
    } else {
        REQUIRE(line,
                left < line->wanted &&
                    !has_delimiter(line, next_of(up), left, &end),
                "EOF, and there was a delimiter, or too much");
    }
}

static void got_too_much(struct line *line)
{
    const struct stream *up = &line->up;
    size_t end;

    REQUIRE(line, line->reading == READ_UNTIL, "EMSGSIZE");
    if (line->ghost) {
        return;
    }
    REQUIRE(line,
            up->length - up->taken >= line->wanted &&
                !has_delimiter(line, next_of(up), line->wanted,
                               &end),
            "EMSGSIZE, and %zu bytes at most are no reason", line->wanted);
}

void server_got(struct line *line, ssize_t nread, const char *data)
{
    bool ends = line->close_asked || line->reset_asked || world.may_stop;

    REQUIRE(line, line->reading != READ_NONE, "a read that nobody asked for");
    REQUIRE(line, nread != 0, "0 bytes");
    if (nread > 0 && line->ghost) {
        world.seen.reads++;
        world.seen.bytes_in += (uint64_t)nread;
    } else if (nread > 0) {
        got_data(line, (size_t)nread, data);
    } else if (nread == UV_EOF) {
        got_end(line);
    } else if (nread == UV_EMSGSIZE) {
        got_too_much(line);
    } else if (nread == UV_ECANCELED) {
        REQUIRE(line, ends, "a read cancelled, and nobody closed");
    } else if (nread == UV_ENOBUFS) {
        REQUIRE(line, atomic_load(&world.starved) > 0, "ENOBUFS");
    } else if (nread == UV_ENOMEM) {
        REQUIRE(line, atomic_load(&world.starved) > 0, "ENOMEM");
        line->doomed = true;
    } else {
        REQUIRE(line, line->gone || line->ghost || world.may_stop,
                "a read failed: %s", uv_err_name((int)nread));
        line->error_told = true;
    }
    line->reading = READ_NONE;
}

static bool cause_fits(const struct line *line, enum tlr_cause cause)
{
    bool peer_ended = line->half_closed || line->gone || line->ghost;

    switch (cause) {
    case TLR_CLOSED_BY_PEER:
        return line->close_asked && peer_ended;
    case TLR_CLOSED_BY_HANDLER:
        /* At once, if it cannot wait for the peer: no reset is left to do. */
        return line->close_asked &&
               (!line->reset_asked ||
                (line->close_first &&
                 (line->gone || line->ghost ||
                  atomic_load(&world.starved) > 0)));
    case TLR_CLOSED_BY_RESET:
        return line->reset_asked;
    case TLR_CLOSED_BY_ERROR:
        return line->gone || line->ghost || line->doomed ||
               line->send_failed || line->outbound ||
               (line->close_asked && atomic_load(&world.starved) > 0);
    case TLR_CLOSED_BY_STOP:
    case TLR_CLOSED_OWING:
        return world.may_stop;
    default:
        return false;
    }
}

/* tlr_close() waits for the peer's end, up to five seconds. */
static bool may_be_over(const struct line *line)
{
    return line->half_closed || line->gone || line->ghost || line->torn ||
           line->reset_asked || line->doomed || line->error_told ||
           world.may_stop || line->saw_reset ||
           uv_hrtime() - line->close_time > UINT64_C(4900000000);
}

void server_closed(struct line *line, enum tlr_cause cause)
{
    trace(line, "on_close %d", (int)cause);
    REQUIRE(line, line->conn != NULL && !line->closed, "closed twice");
    REQUIRE(line, line->reading == READ_NONE, "a read was never completed");
    REQUIRE(line, !line->writing, "a write was never completed");
    REQUIRE(line, !line->shutting, "a shutdown was never completed");
    REQUIRE(line, !line->connecting, "a connect was never completed");
    if (line->opened) {
        REQUIRE(line, cause_fits(line, cause), "cause %d", (int)cause);
        REQUIRE(line, may_be_over(line), "did not wait for the peer's end");
        REQUIRE(line,
                !line->open_at_drain || line->drain_told || world.may_stop ||
                    !world.on_host ||
                    line->close_turn <= world.turn_of_drain + 3,
                "was not told of the drain");
        world.seen.closed++;
        if ((unsigned)cause < TLR_CAUSES_MOST) {
            world.seen.causes[cause]++;
        }
    }
    line->closed = true;
    line->conn = NULL;
}

/* ---- counters ------------------------------------------------------- */

/* A write that failed on the way is counted by its beginning only. */
static bool wrote_all(const struct line *line)
{
    return !line->gone && !line->reset_asked && !world.may_stop &&
           !line->send_failed && !line->error_told && !line->doomed;
}

static void check_sums(const struct tlr_counters *c, bool at_the_end)
{
    size_t received = 0;
    size_t written = 0;
    size_t sent = 0;
    unsigned i;

    for (i = 0; i < world.line_count; i++) {
        const struct line *line = &world.lines[i];

        received += wrote_all(line) && at_the_end ? line->down.taken : 0;
        written += line->down.length + line->down.maybe;
        sent += line->up.length;
    }
    REQUIRE(NULL, c->bytes_out >= received && c->bytes_out <= written,
            "bytes_out %llu, received %zu, written %zu",
            (unsigned long long)c->bytes_out, received, written);
    REQUIRE(NULL, c->bytes_in >= world.seen.bytes_in && c->bytes_in <= sent,
            "bytes_in %llu, read %llu, sent %zu",
            (unsigned long long)c->bytes_in,
            (unsigned long long)world.seen.bytes_in, sent);
    REQUIRE(NULL,
            c->writes >= world.seen.writes &&
                (!at_the_end ||
                 c->writes <= world.seen.writes + world.seen.sends),
            "writes %llu, seen %llu, sends %llu",
            (unsigned long long)c->writes,
            (unsigned long long)world.seen.writes,
            (unsigned long long)world.seen.sends);
    REQUIRE(NULL, c->emulated == 0, "emulated");
    REQUIRE(NULL, c->refused == 0 || atomic_load(&world.starved) > 0 ||
                      world.limited || world.may_stop,
            "refused %llu", (unsigned long long)c->refused);
}

#define SAME(name, figure)                                        \
    REQUIRE(NULL, c.name == (figure), "%s %llu instead of %llu",  \
            #name, (unsigned long long)c.name,                    \
            (unsigned long long)(figure))

void check_counters(bool at_the_end)
{
    struct tlr_counters c;
    unsigned i;

    REQUIRE(NULL,
            tlr_server_counters(world.server, TLR_ALL_WORKERS, &c,
                                sizeof(c)) == 0,
            "no counters");
    if (at_the_end) {
        SAME(accepted, world.seen.opened);
        SAME(open, 0u);
        SAME(connected, world.seen.connected);
        SAME(reads, world.seen.reads);
        SAME(posts, world.seen.posts);
        for (i = 0; i < TLR_CAUSES; i++) {
            SAME(closed[i], world.seen.causes[i]);
        }
    } else if (world.on_host && world.trampolines == 0) {
        SAME(accepted, world.seen.opened);
        REQUIRE(NULL, c.open <= c.accepted, "open");
        REQUIRE(NULL, c.reads >= world.seen.reads, "reads");
    }
    if (at_the_end || world.on_host) {
        check_sums(&c, at_the_end);
    }
}
