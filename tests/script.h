/* SPDX-License-Identifier: MIT */
/*
 * A server whose handler does what a test says, and writes down all that it is
 * told: on whichever thread. One connection at a time is looked at; handlers
 * of further ones may be the test's own.
 *
 *     script.opened = read_a_line;      // runs in on_open, on the worker
 *     start_server(f);
 *     client_connect(f, &client);
 *     on_worker(f, send_much);          // runs there, too; waits for it
 *     ...
 *     expect(f, "open, read 5, close peer");    // waits for on_close
 */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

#include "support.h"

#define MIB (1024 * 1024)

typedef void (*script_cb)(struct tlr_conn *conn);
typedef void (*script_status_cb)(struct tlr_conn *conn, int status);
typedef void (*script_read_cb)(struct tlr_conn *conn, ssize_t nread,
                               char *data);

struct script {
    uv_mutex_t mutex; /* of log */
    char log[8192];
    bool silent;           /* reads and writes that are well are not logged */
    struct tlr_conn *conn; /* from on_open (tlr_connect()) to on_close */
    unsigned worker;       /* whose it is */
    uv_os_fd_t fd;
    script_cb opened;
    script_read_cb received;
    script_status_cb written;
    script_status_cb connected;
    script_cb closed;
    script_cb drained;
    script_cb high;
    script_cb low;
    struct tlr_handler handler; /* the one that is logged */
};

extern struct script script;

/* setup() and teardown(), with that handler. */
int script_setup(void **state);
int script_teardown(void **state);

/* The three modes that each of these tests is run in. */
extern struct mode script_on_host;
extern struct mode script_one;
extern struct mode script_two;

#define TEST_IN(function, mode)                                        \
    cmocka_unit_test_prestate_setup_teardown(function, script_setup,   \
                                             script_teardown, &(mode))
#define TEST_ON_HOST(function) TEST_IN(function, script_on_host)
#define TEST_EVERYWHERE(function)                                     \
    TEST_IN(function, script_on_host), TEST_IN(function, script_one), \
        TEST_IN(function, script_two)

/* Waits for these words in the log; for on_close; and compares it. */
void wait_log(struct fixture *f, const char *words);
void wait_close(struct fixture *f);
void expect(struct fixture *f, const char *log);
void expect_so_far(const char *log);
unsigned count_log(const char *words);
void clear_log(void);
void log_status(const char *name, int status);

/* Runs this on the thread of script.conn, and waits until it has run. */
void on_worker(struct fixture *f, script_cb run);

/* Waits until on_open has returned. */
void wait_opened(struct fixture *f);

/* 20 MiB of the pattern. */
const char *script_pattern(void);

/* tlr_read(), and whatever comes is read on, to the end; then tlr_close(). */
void read_some(struct tlr_conn *conn);
void read_on(struct tlr_conn *conn, ssize_t nread, char *data);
void close_it(struct tlr_conn *conn);
void reset_it(struct tlr_conn *conn);

/* So many bytes have been read by the server. */
void wait_bytes_in(struct fixture *f, uint64_t bytes);

/* Waits for a number that another thread counts up. */
void wait_for(struct fixture *f, atomic_uint *number, unsigned value);

#endif
