/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the library share: a host loop with a server on it,
 * clients on the same loop, memory that is counted and can run out, and a look
 * at what is left at the end.
 *
 *     static void something_holds(void **state)
 *     {
 *         struct fixture *f = *state;
 *         struct client client;
 *
 *         start_server(f);
 *         client_connect(f, &client);
 *         client_send(&client, "x", 1);
 *  *         client_close(f, &client);
 *     }
 *     ...
 *     cmocka_unit_test_setup_teardown(something_holds, setup, teardown)
 *
 * The teardown stops what still runs and fails the test if a handle, a byte or
 * a descriptor is left. Nothing sleeps: a test runs the loop until something
 * holds, and fails when that takes longer than DEADLINE.
 */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "core/teller.h"

/* Milliseconds; generous, since a sanitizer on a busy machine is slow. */
#define DEADLINE 60000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Counted memory. Failing is asked for by a test; any thread allocates. */
struct memory {
    atomic_size_t live;      /* blocks */
    atomic_size_t bytes;     /* in these */
    atomic_size_t most;      /* the most bytes there were */
    atomic_uint allocations; /* so far, those that failed included */
    atomic_uint fail_from;   /* the first that fails, from 1; 0: none does */
    atomic_uint fail_to;     /* the last one */
    struct tlr_allocator allocator;
};

struct fixture {
    uv_loop_t loop;
    struct tlr_options options; /* change before start_server() */
    struct tlr_server *server;
    struct sockaddr_storage address; /* the first one it listens on */
    bool started;
    unsigned stopped;                /* times that on_stopped was called */
    struct memory memory;
    size_t descriptors; /* that were open before; 0: is not looked at */
    void *data;         /* the test's */
};

/* A test's initial state for setup(): what to serve with, else 2 loops. */
struct mode {
    int loops;
    enum tlr_balance balance;
};

/* For cmocka: they make and check a fixture. */
int setup(void **state);
int teardown(void **state);

/* The options are those in f. */
void create_server(struct fixture *f);
void listen_on(struct fixture *f, const char *ip, unsigned flags); /* port 0 */
void start_created(struct fixture *f);

/* All of these, on a port of 127.0.0.1. */
void start_server(struct fixture *f);

/* Has it drain and waits for on_stopped. Milliseconds. */
void drain_server(struct fixture *f, uint64_t deadline);

/* The server's counters, summed up or of one worker. */
struct tlr_counters counters_of(const struct fixture *f, unsigned worker);

void memory_init(struct memory *memory);

/* ---- waiting -------------------------------------------------------- */

/* Runs the loop until `holds`, or fails the test after DEADLINE. */
typedef bool (*condition_cb)(void *data);
void run_until(uv_loop_t *loop, condition_cb holds, void *data);

/* Runs the loop for so long; for what is not to happen. */
void run_for(uv_loop_t *loop, uint64_t milliseconds);

bool is_stopped(void *fixture);

/* Seconds of CPU that this process has used. */
double cpu_seconds(void);

/* A counter of the server's is at least `value`: offsetof(struct tlr_counters, …) */
void wait_counter(struct fixture *f, size_t offset, uint64_t value);

/* So many connections are open at the server, or were accepted. */
void wait_open(struct fixture *f, uint64_t open);
void wait_accepted(struct fixture *f, uint64_t accepted);

/* ---- clients -------------------------------------------------------- */

/*
 * A client keeps what it receives, or only checks it against the pattern. It
 * reads at once, unless told to wait. The memory is the test's, until it has
 * been closed: client_close() waits for that.
 */
struct client {
    uv_tcp_t tcp; /* its data: the client */
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    bool connected;
    bool ended;    /* the server's FIN came */
    bool closed;   /* the handle is */
    int error;     /* the first one: of the connect, of a read or a write */
    bool patient;  /* does not read before client_read() */
    bool sipping;  /* stops reading after each read */
    bool checking; /* what comes is the pattern from byte 0 on */
    bool wrong;    /* and it was not */
    uint64_t received; /* bytes */
    uint64_t sent;     /* bytes whose write has completed */
    uint64_t wanted;   /* of client_wait() */
    char *kept;        /* what came, if not checking */
    size_t room;
};

/* Begins to connect to the server's first address, or to another one. */
void client_dial(struct fixture *f, struct client *client);
void client_dial_to(struct fixture *f, struct client *client,
                    const struct sockaddr_storage *address);

/* Until it is known how that went; and well. */
void client_wait_dialled(struct fixture *f, struct client *client);
void client_wait_connected(struct fixture *f, struct client *client);

/* Both. On Windows nothing can be sent before. */
void client_connect(struct fixture *f, struct client *client);

/* For one that is to wait with reading, or to check the pattern. */
#define CLIENT_PATIENT 1u
#define CLIENT_CHECKING 2u
void client_connect_as(struct fixture *f, struct client *client,
                       unsigned flags);
void client_read(struct client *client);

/* Waits for one read, of 64 KiB at most, but not longer than so. */
void client_sip(struct fixture *f, struct client *client,
                uint64_t milliseconds);

/* Sends a copy. */
void client_send(struct client *client, const void *data, size_t size);

/* Sends `size` bytes of the pattern, from `position` on. */
void client_send_pattern(struct client *client, uint64_t position,
                         size_t size);

void client_half_close(struct client *client);

/* Waits for so many bytes in all, for the end of the stream, for RST. */
void client_wait(struct fixture *f, struct client *client, uint64_t bytes);
void client_wait_end(struct fixture *f, struct client *client);
void client_wait_reset(struct fixture *f, struct client *client);

/* Waits until it has ended, well or not. */
void client_wait_over(struct fixture *f, struct client *client);

/* Until nothing has moved for a while: the pipes to the server are full. */
void client_wait_stalled(struct fixture *f, const struct client *clients,
                         size_t count);

/* Waits until it is connected, sends a byte and gets it back. */
void client_exchange(struct fixture *f, struct client *client);

/* Closes, if not closed yet, and waits for it; with RST the second. */
void client_close(struct fixture *f, struct client *client);
void client_reset(struct fixture *f, struct client *client);

/* Begins to close, without waiting. */
void client_hang_up(struct client *client);

/* client_dial() for so many, without a turn of the loop: the kernel queues them. */
void clients_dial(struct fixture *f, struct client *clients, size_t count);

/* client_close() for so many at once. */
void clients_close(struct fixture *f, struct client *clients, size_t count);

/* A byte of the pattern: each position of 2^32 has its own surroundings. */
char pattern_at(uint64_t position);

/* ---- the platform: support_unix.c, support_win.c --------------------- */

/* Descriptors of this process; on Windows, handles that are sockets. */
size_t count_descriptors(void);

/* How many of them a child process would inherit; standard ones left out. */
size_t count_inheritable(void);

/* Has children inherit it. */
void make_inheritable(uv_os_sock_t sock);

/* Has calls on it wait. */
void make_blocking(uv_os_sock_t sock);

/* Two sockets that are connected, but not over IP; false: there are none. */
bool connect_locally(uv_os_sock_t pair[2]);

/*
 * Ties a socket to a completion port that is no loop's. False where there are
 * no such ports.
 */
bool give_another_port(uv_os_sock_t sock);

/*
 * From now on only so many more can be opened; SIZE_MAX: as many as before.
 * False where there is no such limit, as under valgrind: its accept() takes one
 * from the queue before it is denied.
 */
bool limit_descriptors(size_t more);

/*
 * The next calls of accept() that the library makes fail, so many of them, with
 * a UV_E* code. False where that cannot be had.
 */
bool fail_accepts(int err, unsigned times);

/* How many are still to. */
unsigned accepts_to_fail(void);

/* The calling thread's; "" and 0 where there is no telling. */
void thread_name(char *name, size_t size);
size_t thread_stack_size(void);

/* Whether a write shows how far it has got, and not only when it is done. */
bool writes_show_progress(void);

/*
 * Whether a read tells a reset that came before it. Wine 8's says the stream
 * has ended (its server reads the error off the socket, and so loses it).
 */
bool late_resets_are_told(void);

/* Whether a socket that is bound to an address may have no port as yet. */
bool ports_are_chosen_late(void);

/* Whether the peer's end leaves what is queued for it alone. With Wine 8 it
 * fails (tlr_handoff_all_written()). */
bool ends_leave_writes_alone(void);

/* Where each block of memory is to be freed at the end. memcheck.sh says so. */
bool under_valgrind(void);

/* `rounds`, or a fifth where each takes ten times as long: under ThreadSanitizer
 * and under Wine. */
unsigned rounds_here(unsigned rounds);

#endif
