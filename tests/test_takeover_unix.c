/* SPDX-License-Identifier: MIT */
/*
 * One server takes over from another: the fixture's is the old one, on the loop
 * of the test; the new one runs on a thread of its own, since taking over
 * blocks. And all that a stranger at the UNIX socket can do, on either side.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/handoff.h"
#include "core/server.h"
#include "core/takeover.h"

#define PATIENCE 20000 /* milliseconds, of a takeover */

/* ---- a place --------------------------------------------------------- */

static char folder[64];
static char path[80];

static int set_up(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/teller-takeover-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/echo", folder);
    return setup(state);
}

/* Nothing may be left in the folder, or it cannot be removed. */
static int tear_down(void **state)
{
    int err = teardown(state);

    assert_int_equal(rmdir(folder), 0);
    return err;
}

static bool exists(void)
{
    struct stat stat;

    return lstat(path, &stat) == 0;
}

/* ---- the old one ----------------------------------------------------- */

static int64_t taken_by;
static atomic_int *awaited; /* while it is taken over, if there is such a thing */

static void on_taken_over(struct tlr_server *server, int64_t pid)
{
    struct tlr_progress progress;

    tlr_server_progress(server, &progress, sizeof(progress));
    assert_int_equal(progress.phase, TLR_PHASE_DRAINING);
    taken_by = pid;
    while (awaited != NULL && atomic_load(awaited) == 0) {
        uv_sleep(1); /* the old one is stuck, with all that it has open */
    }
}

static int offer_with(struct fixture *f, unsigned timeout)
{
    struct tlr_offer offer;

    taken_by = 0;
    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    offer.timeout = timeout;
    offer.on_taken_over = on_taken_over;
    return tlr_server_offer(f->server, &offer);
}

static void offer(struct fixture *f)
{
    assert_int_equal(offer_with(f, PATIENCE), 0);
}

static void start_offering(struct fixture *f)
{
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    offer(f);
    assert_false(exists());
    start_created(f);
    assert_true(exists());
}

/* ---- the new one ----------------------------------------------------- */

enum what { NOTHING_YET, START, GIVE_UP };

struct next {
    struct fixture *f;
    struct tlr_options options;
    uint64_t timeout;
    bool offers;
    bool offers_late; /* once it has started */
    int64_t pid; /* of the old one */
    uv_thread_t thread;
    uv_loop_t loop;
    struct tlr_server *server;
    atomic_int tried; /* the takeover has been; taken tells */
    int taken;
    atomic_int what; /* it is to do then */
    atomic_int over; /* that was done; started tells */
    int started;
    int offered; /* late */
};

static void next_stopped(struct tlr_server *server)
{
    (void)server;
}

static int next_offer(struct next *next, const char *where)
{
    struct tlr_offer offer;

    tlr_offer_init(&offer, sizeof(offer));
    offer.path = where;
    return tlr_server_offer(next->server, &offer);
}

static void do_what(struct next *next)
{
    if (next->offers) {
        assert_int_equal(next_offer(next, path), 0);
    }
    if (atomic_load(&next->what) == START) {
        next->started = tlr_server_start(next->server);
    }
    if (next->offers_late) {
        next->offered = next_offer(next, path);
    }
    atomic_store(&next->over, 1);
}

static void next_main(void *arg)
{
    struct next *next = arg;

    assert_int_equal(uv_loop_init(&next->loop), 0);
    assert_int_equal(
        tlr_server_create(&next->server, &next->loop, &next->options), 0);
    next->taken = tlr_server_take_over(next->server, path, next->timeout,
                                       &next->pid);
    atomic_store(&next->tried, 1);
    while (atomic_load(&next->what) == NOTHING_YET) {
        uv_sleep(1); /* a thread of the test, not the test: it is waited for */
    }
    do_what(next);
    (void)uv_run(&next->loop, UV_RUN_DEFAULT);
    tlr_server_destroy(next->server);
    (void)uv_run(&next->loop, UV_RUN_DEFAULT); /* a failed start's rest */
    assert_int_equal(uv_loop_close(&next->loop), 0);
}

static bool was_tried(void *data)
{
    return atomic_load(&((struct next *)data)->tried) != 0;
}

static bool is_over(void *data)
{
    return atomic_load(&((struct next *)data)->over) != 0;
}

static void next_init(struct fixture *f, struct next *next)
{
    memset(next, 0, sizeof(*next));
    next->f = f;
    next->options = f->options;
    next->options.on_stopped = next_stopped;
    next->options.user = next;
    next->timeout = PATIENCE;
}

static void next_begin(struct next *next)
{
    assert_int_equal(uv_thread_create(&next->thread, next_main, next), 0);
}

static int next_take_over(struct next *next)
{
    next_begin(next);
    run_until(&next->f->loop, was_tried, next);
    return next->taken;
}

static int next_do(struct next *next, enum what what)
{
    atomic_store(&next->what, what);
    run_until(&next->f->loop, is_over, next);
    return next->started;
}

/* One that does not run: it ends by itself. */
static void next_end(struct next *next)
{
    atomic_store(&next->what, GIVE_UP);
    run_until(&next->f->loop, is_over, next);
    assert_int_equal(uv_thread_join(&next->thread), 0);
}

/* One that does. */
static void next_stop(struct next *next)
{
    tlr_server_stop(next->server);
    assert_int_equal(uv_thread_join(&next->thread), 0);
}

static uint64_t accepted_by(const struct tlr_server *server)
{
    struct tlr_counters counters;

    assert_int_equal(tlr_server_counters(server, TLR_ALL_WORKERS, &counters,
                                         sizeof(counters)),
                     0);
    return counters.accepted;
}

static void exchange_some(struct fixture *f)
{
    struct client clients[16];
    unsigned i;

    for (i = 0; i < COUNT(clients); i++) {
        client_connect(f, &clients[i]);
        client_exchange(f, &clients[i]);
    }
    for (i = 0; i < COUNT(clients); i++) {
        client_close(f, &clients[i]);
    }
}

/* Whatever was tried: the old one serves, and the next one can have it. */
static void expect_untouched(struct fixture *f)
{
    struct next next;

    assert_int_equal(f->stopped, 0);
    assert_int_equal(taken_by, 0);
    exchange_some(f);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_do(&next, START), 0);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(taken_by, getpid());
    exchange_some(f);
    next_stop(&next);
    assert_int_equal(unlink(path), 0); /* nobody offers there any more */
}

/* ---- it works -------------------------------------------------------- */

static void the_next_one_serves_and_the_old_one_finishes(void **state)
{
    struct fixture *f = *state;
    struct client old;
    struct next next;
    struct sockaddr_storage address;

    start_offering(f);
    client_connect(f, &old);
    client_exchange(f, &old);
    next_init(f, &next);
    next.offers = true;
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next.pid, getpid());
    assert_int_equal(tlr_server_addresses(next.server), 1);
    assert_int_equal(tlr_server_address(next.server, 0, &address), 0);
    assert_memory_equal(&address, &f->address, sizeof(struct sockaddr_in));
    assert_int_equal(next_do(&next, START), 0);
    assert_int_equal(taken_by, getpid());
    exchange_some(f);
    assert_int_equal(accepted_by(f->server), 1);
    assert_int_equal(accepted_by(next.server), 16);
    client_exchange(f, &old); /* is served as before */
    assert_int_equal(f->stopped, 0);
    client_close(f, &old);
    run_until(&f->loop, is_stopped, f);
    assert_true(exists()); /* the new one's */
    next_stop(&next);
    assert_false(exists());
}

/* The old one has room for one, and the next ones wait in the kernel's queue. */
static void fill_and_queue(struct fixture *f, struct client *old,
                           struct client *queued, unsigned count)
{
    unsigned i;

    f->options.max_connections = 1;
    start_offering(f);
    client_connect(f, old);
    client_exchange(f, old);
    for (i = 0; i < count; i++) {
        client_connect(f, &queued[i]);
    }
}

/*
 * The old one has no room for them; it must neither reset them nor wait for
 * room to take them in: they are the new one's.
 */
static void who_waits_in_the_kernels_queue_is_served_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct client old;
    struct client queued[20];
    struct next next;
    unsigned i;

    fill_and_queue(f, &old, queued, COUNT(queued));
    next_init(f, &next);
    next.options.max_connections = 0;
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_do(&next, START), 0);
    for (i = 0; i < COUNT(queued); i++) {
        client_exchange(f, &queued[i]);
    }
    assert_int_equal(accepted_by(f->server), 1);
    assert_int_equal(accepted_by(next.server), COUNT(queued));
    client_exchange(f, &old);
    client_close(f, &old);
    run_until(&f->loop, is_stopped, f);
    for (i = 0; i < COUNT(queued); i++) {
        client_close(f, &queued[i]);
    }
    next_stop(&next);
    assert_int_equal(unlink(path), 0);
}

/* Nor does it once it has room: the next one has none yet, and they wait. */
static void the_old_one_takes_none_of_them_any_more(void **state)
{
    struct fixture *f = *state;
    struct client old;
    struct client queued[5];
    struct next next;
    unsigned i;

    fill_and_queue(f, &old, queued, COUNT(queued));
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_do(&next, START), 0);
    client_close(f, &old);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(accepted_by(f->server), 1);
    for (i = 0; i < COUNT(queued); i++) { /* whoever is first */
        client_send(&queued[i], "x", 1);
        client_half_close(&queued[i]);
    }
    for (i = 0; i < COUNT(queued); i++) {
        client_wait_end(f, &queued[i]);
        assert_int_equal(queued[i].received, 1);
        client_close(f, &queued[i]);
    }
    assert_int_equal(accepted_by(next.server), COUNT(queued));
    next_stop(&next);
    assert_int_equal(unlink(path), 0);
}

/* From each way of sharing out to each other one. */
static void the_balance_may_change(void **state)
{
    struct fixture *f = *state;
    const struct mode *modes[] = {NULL, NULL, NULL, NULL};
    static const struct mode three = {3, TLR_BALANCE_REUSEPORT};
    static const struct mode one = {1, TLR_BALANCE_ROUND_ROBIN};
    static const struct mode host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
    static const struct mode two = {2, TLR_BALANCE_REUSEPORT};
    struct next nexts[COUNT(modes)];
    unsigned i;

    modes[0] = &three;
    modes[1] = &one;
    modes[2] = &two;
    modes[3] = &host;
    start_offering(f);
    for (i = 0; i < COUNT(modes); i++) {
        next_init(f, &nexts[i]);
        nexts[i].options.loops = modes[i]->loops;
        nexts[i].options.balance = modes[i]->balance;
        nexts[i].offers = true;
        assert_int_equal(next_take_over(&nexts[i]), 0);
        assert_int_equal(next_do(&nexts[i], START), 0);
        exchange_some(f);
        assert_int_equal(accepted_by(nexts[i].server), 16);
    }
    run_until(&f->loop, is_stopped, f);
    for (i = 0; i + 1 < COUNT(modes); i++) { /* they have drained */
        assert_int_equal(uv_thread_join(&nexts[i].thread), 0);
    }
    next_stop(&nexts[i]);
}

static void more_sockets_than_one_message_holds(void **state)
{
    struct fixture *f = *state;
    struct next next;
    struct sockaddr_storage address;
    unsigned i;

    create_server(f);
    for (i = 0; i < 2 * TLR_TAKEOVER_AT_ONCE + 3; i++) {
        listen_on(f, "127.0.0.1", 0);
    }
    offer(f);
    start_created(f);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(tlr_server_addresses(next.server),
                     tlr_server_addresses(f->server));
    assert_int_equal(next_do(&next, START), 0);
    run_until(&f->loop, is_stopped, f);
    for (i = 0; i < tlr_server_addresses(next.server); i++) {
        assert_int_equal(tlr_server_address(next.server, i, &address), 0);
        f->address = address;
        if (i % 40 == 0) {
            exchange_some(f);
        }
    }
    next_stop(&next);
    assert_int_equal(unlink(path), 0);
}

static atomic_int released;

static void wait_for_release(struct tlr_server *server, unsigned worker)
{
    (void)server;
    (void)worker;
    while (atomic_load(&released) == 0) {
        uv_sleep(1);
    }
}

static bool all_listen(void *data)
{
    struct fixture *f = data;
    uv_os_sock_t socks[8];
    size_t count = COUNT(socks);
    size_t i;

    assert_int_equal(tlr_server_sockets(f->server, 0, socks, &count), 0);
    assert_int_equal(count, 2);
    for (i = 0; i < count && tlr_handoff_is_listening(socks[i]); i++) {
    }
    return i == count;
}

static void listen_on_one_of_several(struct fixture *f)
{
    uv_os_sock_t sock;

    assert_int_equal(
        uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&f->address), 0);
    assert_int_equal(tlr_handoff_listen((struct sockaddr *)&f->address, 0,
                                        TLR_HANDOFF_REUSEPORT, &sock),
                     0);
    assert_int_equal(tlr_handoff_name(sock, &f->address), 0);
    assert_int_equal(tlr_server_listen_socket(f->server, sock), 0);
}

/*
 * The second worker's is bound, and listens once its thread has begun: too late
 * to be passed on, and in time for peers that must not be lost.
 */
static void a_socket_that_does_not_listen_yet_is_kept(void **state)
{
    struct fixture *f = *state;
    struct client first;
    struct client queued[20];
    struct next next;
    unsigned i;
    int taken;

    if (!tlr_handoff_has_reuseport()) {
        skip();
    }
    atomic_store(&released, 0);
    f->options.max_connections = 1;
    f->options.on_worker_start = wait_for_release;
    create_server(f);
    listen_on_one_of_several(f);
    offer(f);
    start_created(f);
    next_init(f, &next);
    next.options.max_connections = 0;
    next.options.on_worker_start = NULL;
    taken = next_take_over(&next);
    atomic_store(&released, 1);
    assert_int_equal(taken, 0);
    run_until(&f->loop, all_listen, f);
    client_connect(f, &first);
    client_exchange(f, &first);
    for (i = 0; i < COUNT(queued); i++) {
        client_connect(f, &queued[i]);
    }
    assert_int_equal(next_do(&next, START), 0);
    client_close(f, &first);
    for (i = 0; i < COUNT(queued); i++) {
        client_send(&queued[i], "x", 1);
        client_half_close(&queued[i]);
    }
    for (i = 0; i < COUNT(queued); i++) {
        client_wait_end(f, &queued[i]);
        assert_int_equal(queued[i].received, 1);
        client_close(f, &queued[i]);
    }
    run_until(&f->loop, is_stopped, f);
    exchange_some(f);
    next_stop(&next);
    assert_int_equal(unlink(path), 0);
}

/* One that runs already can begin to offer, too. */
static void an_offer_may_come_late(void **state)
{
    struct fixture *f = *state;

    start_server(f);
    offer(f);
    assert_true(exists());
    assert_int_equal(offer_with(f, PATIENCE), UV_EBUSY);
    expect_untouched(f);
}

/* Of the next one, too: the old one's socket may be open for long, still. */
static void the_next_one_may_offer_late(void **state)
{
    struct fixture *f = *state;
    struct next next;

    start_offering(f);
    next_init(f, &next);
    next.offers_late = true;
    assert_int_equal(next_take_over(&next), 0);
    awaited = &next.over;
    assert_int_equal(next_do(&next, START), 0);
    awaited = NULL;
    assert_int_equal(next.offered, 0);
    run_until(&f->loop, is_stopped, f);
    assert_true(exists()); /* the new one's */
    next_stop(&next);
    assert_false(exists());
}

static void the_deadline_of_the_offer_is_that_of_the_drain(void **state)
{
    struct fixture *f = *state;
    struct tlr_offer offer;
    struct client stays;
    struct next next;

    start_server(f);
    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    offer.deadline = 50;
    assert_int_equal(tlr_server_offer(f->server, &offer), 0);
    client_connect(f, &stays);
    client_exchange(f, &stays);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_do(&next, START), 0);
    run_until(&f->loop, is_stopped, f);
    assert_int_equal(counters_of(f, TLR_ALL_WORKERS).closed[TLR_CLOSED_BY_STOP],
                     1);
    client_close(f, &stays);
    next_stop(&next);
    assert_int_equal(unlink(path), 0);
}

/* ---- the new one fails ------------------------------------------------ */

static void one_that_gives_up_has_changed_nothing(void **state)
{
    struct fixture *f = *state;
    struct next next;

    start_offering(f);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_do(&next, GIVE_UP), 0);
    next_end(&next);
    expect_untouched(f);
}

/*
 * Each allocation of the start fails once. With more workers than there are
 * sockets further ones are opened; nobody may have been queued on these.
 */
static void a_start_that_fails_has_changed_nothing(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    unsigned n;
    int err = UV_ENOMEM;

    start_offering(f);
    for (n = 1; err != 0; n++) {
        struct next next;

        next_init(f, &next);
        next.options.loops = 3;
        memory_init(&memory);
        next.options.allocator = memory.allocator;
        assert_int_equal(next_take_over(&next), 0);
        atomic_store(&memory.fail_to, UINT32_MAX);
        atomic_store(&memory.fail_from, atomic_load(&memory.allocations) + n);
        err = next_do(&next, START);
        atomic_store(&memory.fail_from, 0);
        if (err != 0) {
            assert_int_equal(err, UV_ENOMEM);
            exchange_some(f);
            next_end(&next);
        } else {
            run_until(&f->loop, is_stopped, f);
            exchange_some(f);
            next_stop(&next);
        }
        assert_int_equal(atomic_load(&memory.live), 0);
    }
    assert_true(n > 3);
    assert_int_equal(unlink(path), 0);
}

static void one_that_takes_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct next next;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(offer_with(f, 50), 0);
    start_created(f);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    run_for(&f->loop, 100);
    assert_int_equal(next_do(&next, START), UV_ETIMEDOUT);
    next_end(&next);
    assert_int_equal(f->stopped, 0);
    assert_int_equal(taken_by, 0);
    exchange_some(f);
}

/*
 * Its workers run when it hears that; they must not have accepted anybody. The
 * queue is full of peers, so that they would have had to do.
 */
static void one_that_is_refused_late_has_accepted_nobody(void **state)
{
    struct fixture *f = *state;
    struct client first;
    struct client queued[10];
    unsigned i;

    f->options.max_connections = 1;
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(offer_with(f, 5), 0);
    start_created(f);
    client_connect(f, &first);
    client_exchange(f, &first);
    for (i = 0; i < COUNT(queued); i++) {
        client_connect(f, &queued[i]);
    }
    for (i = 0; i < 10; i++) {
        struct next next;

        next_init(f, &next);
        next.options.loops = 32; /* starting them takes a while */
        next.options.max_connections = 0;
        assert_int_equal(next_take_over(&next), 0);
        run_for(&f->loop, 20);
        assert_int_equal(next_do(&next, START), UV_ETIMEDOUT);
        next_end(&next);
    }
    client_close(f, &first);
    for (i = 0; i < COUNT(queued); i++) {
        client_send(&queued[i], "x", 1);
        client_half_close(&queued[i]);
    }
    for (i = 0; i < COUNT(queued); i++) {
        client_wait_end(f, &queued[i]);
        assert_int_equal(queued[i].received, 1);
        client_close(f, &queued[i]);
    }
}

static void the_second_waits_and_has_its_turn_if_the_first_fails(void **state)
{
    struct fixture *f = *state;
    struct next first;
    struct next second;

    start_offering(f);
    next_init(f, &first);
    next_init(f, &second);
    assert_int_equal(next_take_over(&first), 0);
    next_begin(&second);
    run_for(&f->loop, 30);
    assert_false(was_tried(&second));
    assert_int_equal(next_do(&first, GIVE_UP), 0);
    next_end(&first);
    run_until(&f->loop, was_tried, &second);
    assert_int_equal(second.taken, 0);
    assert_int_equal(next_do(&second, START), 0);
    run_until(&f->loop, is_stopped, f);
    exchange_some(f);
    next_stop(&second);
    assert_int_equal(unlink(path), 0);
}

static void the_second_is_refused_if_the_first_succeeds(void **state)
{
    struct fixture *f = *state;
    struct next first;
    struct next second;

    start_offering(f);
    next_init(f, &first);
    next_init(f, &second);
    assert_int_equal(next_take_over(&first), 0);
    next_begin(&second);
    run_for(&f->loop, 30);
    assert_int_equal(next_do(&first, START), 0);
    run_until(&f->loop, was_tried, &second);
    assert_true(second.taken == UV_ECONNRESET ||
                second.taken == UV_ECONNREFUSED);
    assert_int_equal(tlr_server_addresses(second.server), 0);
    next_end(&second);
    run_until(&f->loop, is_stopped, f);
    next_stop(&first);
    assert_int_equal(unlink(path), 0);
}

static void the_second_waits_no_longer_than_it_wants(void **state)
{
    struct fixture *f = *state;
    struct next first;
    struct next second;

    start_offering(f);
    next_init(f, &first);
    next_init(f, &second);
    second.timeout = 50;
    assert_int_equal(next_take_over(&first), 0);
    assert_int_equal(next_take_over(&second), UV_ETIMEDOUT);
    next_end(&second);
    assert_int_equal(next_do(&first, GIVE_UP), 0);
    next_end(&first);
    expect_untouched(f);
}

/* ---- without a server ---------------------------------------------------- */

static int bind_raw(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, where, strlen(where));
    assert_int_equal(
        bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
    return sock;
}

static int listen_raw(const char *where)
{
    int sock = bind_raw(where);

    assert_int_equal(listen(sock, 1), 0);
    return sock;
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
    return sock;
}

static void make_non_blocking(int sock)
{
    int flags = fcntl(sock, F_GETFL);

    assert_int_equal(fcntl(sock, F_SETFL, flags | O_NONBLOCK), 0);
}

struct link {
    int sock;
    struct tlr_takeover_reader reader;
    int result;
};

static bool link_has_something(void *data)
{
    struct link *link = data;

    link->result =
        tlr_takeover_receive(link->sock, true, &link->reader);
    return link->result != UV_EAGAIN;
}

/* What the old one says next. Sockets are closed. */
static int hear(struct fixture *f, int sock, struct tlr_takeover_message *said)
{
    struct link link = {.sock = sock};
    unsigned i;

    make_non_blocking(sock);
    run_until(&f->loop, link_has_something, &link);
    for (i = 0; i < link.reader.count; i++) {
        (void)close(link.reader.socks[i]);
    }
    *said = link.reader.message;
    return link.result;
}

static void expect_refusal(struct fixture *f, int sock, int error)
{
    struct tlr_takeover_message said;

    assert_int_equal(hear(f, sock, &said), 0);
    assert_int_equal(said.kind, TLR_TAKEOVER_REFUSED);
    assert_int_equal(said.error, error);
    assert_int_equal(hear(f, sock, &said), UV_EOF);
    (void)close(sock);
}

static void say(int sock, enum tlr_takeover_kind kind)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, kind);
    assert_int_equal(tlr_takeover_send(sock, &message, NULL), 0);
}

/* ---- the old one goes ------------------------------------------------- */

static void if_the_old_one_stops_meanwhile_the_next_serves(void **state)
{
    struct fixture *f = *state;
    struct next next;

    start_offering(f);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    drain_server(f, TLR_NO_DEADLINE);
    assert_false(exists());
    assert_int_equal(next_do(&next, START), 0);
    exchange_some(f);
    assert_int_equal(taken_by, 0);
    next_stop(&next);
}

static void one_that_drains_is_not_there_any_more(void **state)
{
    struct fixture *f = *state;
    struct client stays;
    struct next next;

    start_offering(f);
    client_connect(f, &stays);
    client_exchange(f, &stays);
    tlr_server_drain(f->server, TLR_NO_DEADLINE);
    assert_false(exists());
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), UV_ENOENT);
    next_end(&next);
    assert_int_equal(offer_with(f, PATIENCE), UV_EBUSY);
    client_close(f, &stays);
    run_until(&f->loop, is_stopped, f);
}

/* Nobody may wait for a host whose loop does not turn any more. */
static void a_blocking_stop_ends_what_is_offered_at_once(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message said;
    struct tlr_takeover_reader reader = {.length = 0};
    int served;
    int waiting;

    start_offering(f);
    served = connect_raw();
    say(served, TLR_TAKEOVER_HELLO);
    assert_int_equal(hear(f, served, &said), 0);
    waiting = connect_raw();
    make_non_blocking(waiting);
    assert_int_equal(tlr_server_stop_wait(f->server, 0), 0);
    assert_false(exists());
    assert_int_equal(tlr_takeover_receive(served, true, &reader), UV_EOF);
    assert_true(tlr_takeover_receive(waiting, true, &reader) != UV_EAGAIN);
    (void)close(served);
    (void)close(waiting);
}

struct caller {
    uv_thread_t thread;
    uv_os_sock_t link;
    int err;
};

static void call(void *arg)
{
    struct caller *caller = arg;
    struct tlr_takeover_id id;

    caller->err = tlr_takeover_connect(path, PATIENCE, &caller->link, &id);
    if (caller->err == 0) {
        (void)close(caller->link);
    }
}

/* As between the old one's close of its socket and the new one's in its place. */
static int call_somebody_who_is_a_little_late(struct fixture *f)
{
    int sock = bind_raw(path);
    struct caller caller;

    assert_int_equal(uv_thread_create(&caller.thread, call, &caller), 0);
    run_for(&f->loop, 20);
    assert_int_equal(listen(sock, 1), 0);
    assert_int_equal(uv_thread_join(&caller.thread), 0);
    (void)close(sock);
    assert_int_equal(unlink(path), 0);
    return caller.err;
}

/* On a loaded machine it may be very late. */
static void who_is_a_little_late_is_waited_for(void **state)
{
    unsigned tries = 0;
    int err;

    do {
        err = call_somebody_who_is_a_little_late(*state);
    } while (err == UV_ECONNREFUSED && ++tries < 50);
    assert_int_equal(err, 0);
}

/* ---- the path --------------------------------------------------------- */

static void a_file_of_the_dead_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct next next;
    struct stat stat;

    (void)close(bind_raw(path));
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), UV_ECONNREFUSED);
    next_end(&next);
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    offer(f);
    start_created(f);
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_mode & 0777, 0600);
    expect_untouched(f);
}

static void who_is_alive_at_the_path_is_not_pushed_out(void **state)
{
    struct fixture *f = *state;
    struct tlr_server *other;
    struct tlr_offer offer;

    start_offering(f);
    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    assert_int_equal(tlr_server_create(&other, &f->loop, &f->options), 0);
    assert_int_equal(tlr_server_offer(other, &offer), UV_EADDRINUSE);
    tlr_server_destroy(other);
    expect_untouched(f);
}

/* Nor by one that takes over elsewhere. */
static void nor_is_who_is_alive_at_another_path(void **state)
{
    struct fixture *f = *state;
    char another[sizeof(path) + 1];
    struct next next;
    int sock;

    (void)snprintf(another, sizeof(another), "%s2", path);
    start_offering(f);
    sock = listen_raw(another);
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), 0);
    assert_int_equal(next_offer(&next, another), UV_EADDRINUSE);
    assert_int_equal(next_offer(&next, path), 0);
    next_end(&next);
    (void)close(sock);
    assert_int_equal(unlink(another), 0);
}

static void write_file(const char *words)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(words, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *words)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, words);
}

static void a_file_that_is_no_socket_is_never_removed(void **state)
{
    struct fixture *f = *state;
    struct next next;

    write_file("precious");
    next_init(f, &next);
    assert_int_equal(next_take_over(&next), UV_ECONNREFUSED);
    next_end(&next);
    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(offer_with(f, PATIENCE), UV_EEXIST);
    start_created(f);
    assert_int_equal(offer_with(f, PATIENCE), UV_EEXIST);
    drain_server(f, 0);
    expect_file("precious");
    assert_int_equal(unlink(path), 0);
}

static bool is_a_socket(void *data)
{
    struct stat stat;

    (void)data;
    return lstat(path, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

/* It comes between the offer and the start, and goes again. */
static void not_even_one_that_comes_late(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    offer(f);
    write_file("precious");
    start_created(f);
    exchange_some(f);
    expect_file("precious");
    assert_int_equal(unlink(path), 0);
    run_until(&f->loop, is_a_socket, NULL);
    expect_untouched(f);
}

static void at_the_end_only_its_own_file_is_removed(void **state)
{
    struct fixture *f = *state;

    start_offering(f);
    assert_int_equal(unlink(path), 0);
    write_file("somebody else's");
    drain_server(f, 0);
    expect_file("somebody else's");
    assert_int_equal(unlink(path), 0);
}

static void one_that_never_starts_leaves_no_file(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    listen_on(f, "127.0.0.1", 0);
    offer(f);
}

static void paths_that_will_not_do(void **state)
{
    struct fixture *f = *state;
    char most[TLR_TAKEOVER_PATH_MOST + 2];
    struct tlr_offer offer;
    int64_t pid;

    tlr_offer_init(&offer, sizeof(offer));
    memset(most, 'x', sizeof(most));
    memcpy(most, folder, strlen(folder));
    most[strlen(folder)] = '/';
    most[sizeof(most) - 1] = '\0';
    create_server(f);
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_EINVAL);
    offer.path = most;
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_ENAMETOOLONG);
    assert_int_equal(tlr_server_take_over(f->server, most, PATIENCE, &pid),
                     UV_ENAMETOOLONG);
    offer.path = "";
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_EINVAL);
    offer.path = "/nowhere-at-all/echo";
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_ENOENT);
    assert_int_equal(
        tlr_server_take_over(f->server, offer.path, PATIENCE, NULL),
        UV_ENOENT);
    most[TLR_TAKEOVER_PATH_MOST] = '\0';
    offer.path = most;
    assert_int_equal(
        tlr_server_take_over(f->server, most, PATIENCE, NULL), UV_ENOENT);
    assert_int_equal(tlr_server_offer(f->server, &offer), 0);
}

static void options_that_will_not_do(void **state)
{
    struct fixture *f = *state;
    struct tlr_offer offer;

    create_server(f);
    assert_int_equal(tlr_server_take_over(f->server, path, 0, NULL),
                     UV_EINVAL);
    assert_int_equal(
        tlr_server_take_over(f->server, path, TLR_TAKEOVER_TIMEOUT_MOST + 1,
                             NULL),
        UV_EINVAL);
    tlr_offer_init(&offer, sizeof(offer));
    offer.path = path;
    offer.timeout = 0;
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_EINVAL);
    offer.timeout = TLR_TAKEOVER_TIMEOUT_MOST + 1;
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_EINVAL);
    offer.timeout = 1;
    offer.size++;
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_E2BIG);
    offer.size = sizeof(offer) - 1;
    assert_int_equal(tlr_server_offer(f->server, &offer), UV_EINVAL);
    listen_on(f, "127.0.0.1", 0);
    assert_int_equal(tlr_server_take_over(f->server, path, PATIENCE, NULL),
                     UV_EINVAL);
    start_created(f);
    assert_int_equal(tlr_server_take_over(f->server, path, PATIENCE, NULL),
                     UV_EBUSY);
}

/* ---- strangers at the old one's ---------------------------------------- */

static void garbage_is_refused(void **state)
{
    char garbage[sizeof(struct tlr_takeover_message)];
    struct fixture *f = *state;
    int sock;

    memset(garbage, 'x', sizeof(garbage));
    start_offering(f);
    sock = connect_raw();
    assert_int_equal(send(sock, garbage, sizeof(garbage), 0),
                     sizeof(garbage));
    expect_refusal(f, sock, UV_EPROTO);
    expect_untouched(f);
}

static void another_version_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message message;
    int sock;

    start_offering(f);
    sock = connect_raw();
    tlr_takeover_fill(&message, TLR_TAKEOVER_HELLO);
    message.version++;
    assert_int_equal(tlr_takeover_send(sock, &message, NULL), 0);
    expect_refusal(f, sock, UV_EPROTONOSUPPORT);
    expect_untouched(f);
}

static void ready_comes_too_early(void **state)
{
    struct fixture *f = *state;
    int sock;

    start_offering(f);
    sock = connect_raw();
    say(sock, TLR_TAKEOVER_READY);
    expect_refusal(f, sock, UV_EPROTO);
    expect_untouched(f);
}

/* After each byte of a hello. */
static void a_peer_that_goes_in_the_middle_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message message;
    size_t size;

    start_offering(f);
    tlr_takeover_fill(&message, TLR_TAKEOVER_HELLO);
    for (size = 0; size <= sizeof(message); size++) {
        int sock = connect_raw();

        assert_int_equal(send(sock, &message, size, 0), size);
        (void)close(sock);
        run_for(&f->loop, 1);
    }
    expect_untouched(f);
}

/* And in pieces it is heard out. */
static void a_hello_may_come_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message message;
    struct tlr_takeover_message said;
    size_t i;
    int sock;

    start_offering(f);
    tlr_takeover_fill(&message, TLR_TAKEOVER_HELLO);
    sock = connect_raw();
    for (i = 0; i < sizeof(message); i++) {
        assert_int_equal(send(sock, (char *)&message + i, 1, 0), 1);
        run_for(&f->loop, 1);
    }
    assert_int_equal(hear(f, sock, &said), 0);
    assert_int_equal(said.kind, TLR_TAKEOVER_SOCKETS);
    assert_int_equal(said.total, said.count);
    (void)close(sock);
    expect_untouched(f);
}

static void garbage_in_place_of_ready_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message said;
    int sock;

    start_offering(f);
    sock = connect_raw();
    say(sock, TLR_TAKEOVER_HELLO);
    assert_int_equal(hear(f, sock, &said), 0);
    say(sock, TLR_TAKEOVER_TAKEN);
    assert_int_equal(hear(f, sock, &said), UV_EOF);
    (void)close(sock);
    expect_untouched(f);
}

/* Sockets that are sent to the old one are not kept. */
static void sockets_for_the_old_one_are_not_taken(void **state)
{
    struct fixture *f = *state;
    struct tlr_takeover_message message;
    size_t before;
    int sock;

    start_offering(f);
    exchange_some(f);
    wait_open(f, 0);
    before = count_descriptors();
    sock = connect_raw();
    tlr_takeover_fill(&message, TLR_TAKEOVER_HELLO);
    message.count = 1;
    message.total = 1;
    assert_int_equal(tlr_takeover_send(sock, &message, &sock), 0);
    expect_refusal(f, sock, UV_EPROTO);
    run_for(&f->loop, 20);
    assert_int_equal(count_descriptors(), before);
    expect_untouched(f);
}

static int as_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct tlr_takeover_message message;
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path));
    if (nobody == NULL || setgid(nobody->pw_gid) != 0 ||
        setuid(nobody->pw_uid) != 0) {
        return 3;
    }
    if (connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return errno == EACCES ? 1 : 4;
    }
    if (recv(sock, &message, sizeof(message), MSG_WAITALL) !=
            sizeof(message) ||
        message.kind != TLR_TAKEOVER_REFUSED) {
        return 5;
    }
    return message.error == UV_EPERM ? 2 : 6;
}

struct child {
    pid_t pid;
    int status;
};

static bool child_has_ended(void *data)
{
    struct child *child = data;

    return waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

static int run_as_nobody(struct fixture *f)
{
    struct child child = {.pid = fork()};

    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        _exit(as_nobody());
    }
    run_until(&f->loop, child_has_ended, &child);
    assert_true(WIFEXITED(child.status));
    return WEXITSTATUS(child.status);
}

/* By the file's mode; and where that is as it should not be, by their user. */
static void another_user_may_not(void **state)
{
    struct fixture *f = *state;

    if (getuid() != 0) {
        print_message("skipped: only root can be another user\n");
        skip();
    }
    assert_int_equal(chmod(folder, 0755), 0);
    start_offering(f);
    assert_int_equal(run_as_nobody(f), 1);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(run_as_nobody(f), 2);
    expect_untouched(f);
}

/* ---- strangers in the old one's place ---------------------------------- */

struct fake {
    int sock;
    uv_thread_t thread;
    void (*act)(int link);
};

static void fake_main(void *arg)
{
    struct fake *fake = arg;
    struct tlr_takeover_message hello;
    int link = accept(fake->sock, NULL, NULL);

    assert_int_equal(recv(link, &hello, sizeof(hello), MSG_WAITALL),
                     sizeof(hello));
    fake->act(link);
    (void)close(link);
}

static void fake_begin(struct fake *fake)
{
    fake->sock = listen_raw(path);
    assert_int_equal(uv_thread_create(&fake->thread, fake_main, fake), 0);
}

static void fake_end(struct fake *fake)
{
    assert_int_equal(uv_thread_join(&fake->thread), 0);
    (void)close(fake->sock);
    assert_int_equal(unlink(path), 0);
}

static int three[3];

/* The error of taking over from somebody who acts like that. */
static int from(struct fixture *f, void (*act)(int link))
{
    struct fake fake = {.act = act};
    size_t before = count_descriptors();
    int err;

    fake_begin(&fake);
    err = tlr_server_take_over(f->server, path, PATIENCE, NULL);
    fake_end(&fake);
    assert_true(limit_descriptors(SIZE_MAX)); /* or they cannot be counted */
    assert_int_equal(tlr_server_addresses(f->server), 0);
    assert_int_equal(count_descriptors(),
                     before + (f->data == NULL ? 0 : COUNT(three)));
    return err;
}

static int open_listener(void)
{
    struct sockaddr_in address;
    uv_os_sock_t sock;

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(
        tlr_handoff_listen((struct sockaddr *)&address, 0, 0, &sock), 0);
    return sock;
}

static void send_sockets(int link, unsigned count, unsigned total,
                         unsigned claimed, const int *socks)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, TLR_TAKEOVER_SOCKETS);
    message.count = count;
    message.total = total;
    if (claimed == count) {
        assert_int_equal(tlr_takeover_send(link, &message, socks), 0);
    } else { /* another number than are there */
        struct iovec bytes = {&message, sizeof(message)};
        struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};

        message.count = claimed;
        assert_int_equal(sendmsg(link, &header, 0), sizeof(message));
    }
}

static void closes(int link)
{
    (void)link;
}

static void talks_nonsense(int link)
{
    char garbage[sizeof(struct tlr_takeover_message)];

    memset(garbage, 'x', sizeof(garbage));
    (void)send(link, garbage, sizeof(garbage), 0);
}

static void is_of_the_future(int link)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, TLR_TAKEOVER_SOCKETS);
    message.version = 99;
    (void)tlr_takeover_send(link, &message, NULL);
}

static void refuses(int link)
{
    struct tlr_takeover_message message;

    tlr_takeover_fill(&message, TLR_TAKEOVER_REFUSED);
    message.error = UV_ENOMEM;
    (void)tlr_takeover_send(link, &message, NULL);
}

static void refuses_without_a_reason(int link)
{
    say(link, TLR_TAKEOVER_REFUSED);
}

static void goes_after_one_of_two(int link)
{
    int sock = open_listener();

    send_sockets(link, 1, 2, 1, &sock);
    (void)close(sock);
}

static void changes_its_mind(int link)
{
    int sock = open_listener();

    send_sockets(link, 1, 2, 1, &sock);
    send_sockets(link, 1, 3, 1, &sock);
    (void)close(sock);
}

static void sends_more_than_it_says(int link)
{
    int socks[2] = {open_listener(), open_listener()};

    send_sockets(link, 1, 2, 1, socks);
    send_sockets(link, 2, 2, 2, socks);
    (void)close(socks[0]);
    (void)close(socks[1]);
}

static void sends_fewer_than_it_says(int link)
{
    send_sockets(link, 0, 2, 2, NULL);
}

static void sends_none_of_two(int link)
{
    send_sockets(link, 0, 2, 0, NULL);
}

static void sends_two_of_which_one_is_wrong(int link)
{
    int socks[3] = {open_listener(), link, open_listener()};

    send_sockets(link, 3, 3, 3, socks);
    (void)close(socks[0]);
    (void)close(socks[2]);
}

static void says_there_are_millions(int link)
{
    int sock = open_listener();

    send_sockets(link, 1, 1000000, 1, &sock);
    (void)close(sock);
}

static void says_taken_at_once(int link)
{
    say(link, TLR_TAKEOVER_TAKEN);
}

static void what_strangers_send_is_refused_and_closed(void **state)
{
    struct fixture *f = *state;

    create_server(f);
    assert_int_equal(from(f, closes), UV_ECONNRESET);
    assert_int_equal(from(f, talks_nonsense), UV_EPROTO);
    assert_int_equal(from(f, is_of_the_future), UV_EPROTONOSUPPORT);
    assert_int_equal(from(f, refuses), UV_ENOMEM);
    assert_int_equal(from(f, refuses_without_a_reason), UV_EPROTO);
    assert_int_equal(from(f, goes_after_one_of_two), UV_ECONNRESET);
    assert_int_equal(from(f, changes_its_mind), UV_EPROTO);
    assert_int_equal(from(f, sends_more_than_it_says), UV_EPROTO);
    assert_int_equal(from(f, sends_fewer_than_it_says), UV_EPROTO);
    assert_int_equal(from(f, sends_none_of_two), UV_EPROTO);
    assert_int_equal(from(f, sends_two_of_which_one_is_wrong), UV_ENOTSUP);
    assert_int_equal(from(f, says_there_are_millions), UV_EPROTO);
    assert_int_equal(from(f, says_taken_at_once), UV_EPROTO);
}

/* They stay open meanwhile: else there were room for them. */
static void sends_three(int link)
{
    unsigned i;

    for (i = 0; i < COUNT(three); i++) {
        three[i] = open_listener();
    }
    assert_true(limit_descriptors(1));
    send_sockets(link, 3, 3, 3, three);
    (void)shutdown(link, SHUT_WR);
    (void)recv(link, &link, sizeof(link), 0); /* until it has gone */
}

static void sockets_for_which_there_are_no_descriptors_are_closed(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    create_server(f);
    f->data = three; /* these it leaves open */
    assert_int_equal(from(f, sends_three), UV_EMFILE);
    for (i = 0; i < COUNT(three); i++) {
        (void)close(three[i]);
    }
}

/* Reads no more. */
static void sends_one_and_waits_for_the_end(int link)
{
    struct pollfd end = {.fd = link}; /* POLLHUP needs not be asked for */
    int sock = open_listener();

    send_sockets(link, 1, 1, 1, &sock);
    (void)close(sock);
    assert_int_equal(poll(&end, 1, 2 * PATIENCE), 1);
}

/* Two would serve, or it would be for the old one to find out. */
static void one_that_cannot_say_that_it_is_ready_fails(void **state)
{
    struct fixture *f = *state;
    struct fake fake = {.act = sends_one_and_waits_for_the_end};
    uv_os_sock_t sock;
    size_t count = 1;

    create_server(f);
    fake_begin(&fake);
    assert_int_equal(tlr_server_take_over(f->server, path, PATIENCE, NULL), 0);
    while (send(f->server->successor.link, "x", 1, 0) == 1) {
    } /* until there is no room */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tlr_server_start(f->server), UV_EAGAIN);
    assert_int_equal(tlr_server_sockets(f->server, 0, &sock, &count),
                     UV_ECANCELED); /* though it has not closed them yet */
    fake_end(&fake);
}

static void sends_two(int link)
{
    int socks[2] = {open_listener(), open_listener()};

    send_sockets(link, 2, 2, 2, socks);
    (void)close(socks[0]);
    (void)close(socks[1]);
}

/* Each address takes two blocks. */
static void without_memory_what_came_is_closed(void **state)
{
    struct fixture *f = *state;
    unsigned n;

    create_server(f);
    for (n = 1; n <= 4; n++) {
        unsigned next = atomic_load(&f->memory.allocations) + n;

        atomic_store(&f->memory.fail_to, next);
        atomic_store(&f->memory.fail_from, next);
        assert_int_equal(from(f, sends_two), UV_ENOMEM);
        atomic_store(&f->memory.fail_from, 0);
    }
}

static void without_memory_the_old_one_refuses(void **state)
{
    struct fixture *f = *state;
    unsigned next;
    int sock;

    start_offering(f);
    next = atomic_load(&f->memory.allocations) + 1;
    sock = connect_raw();
    atomic_store(&f->memory.fail_to, next);
    atomic_store(&f->memory.fail_from, next);
    say(sock, TLR_TAKEOVER_HELLO);
    expect_refusal(f, sock, UV_ENOMEM);
    atomic_store(&f->memory.fail_from, 0);
    expect_untouched(f);
}

static struct mode least = {2, TLR_BALANCE_LEAST};
static struct mode host = {TLR_LOOPS_HOST, TLR_BALANCE_LEAST};
static struct mode reuseport = {2, TLR_BALANCE_REUSEPORT};

#define WITH(function, mode)                                                   \
    {                                                                          \
        #function " (" #mode ")", function, set_up, tear_down, &(mode)         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(the_next_one_serves_and_the_old_one_finishes, least),
        WITH(the_next_one_serves_and_the_old_one_finishes, host),
        WITH(the_next_one_serves_and_the_old_one_finishes, reuseport),
        WITH(who_waits_in_the_kernels_queue_is_served_by_the_next, least),
        WITH(who_waits_in_the_kernels_queue_is_served_by_the_next, host),
        WITH(who_waits_in_the_kernels_queue_is_served_by_the_next, reuseport),
        WITH(the_old_one_takes_none_of_them_any_more, least),
        WITH(the_old_one_takes_none_of_them_any_more, host),
        WITH(the_old_one_takes_none_of_them_any_more, reuseport),
        WITH(the_balance_may_change, least),
        WITH(the_balance_may_change, reuseport),
        WITH(more_sockets_than_one_message_holds, host),
        WITH(a_socket_that_does_not_listen_yet_is_kept, reuseport),
        WITH(an_offer_may_come_late, least),
        WITH(the_next_one_may_offer_late, least),
        WITH(the_deadline_of_the_offer_is_that_of_the_drain, least),
        WITH(one_that_gives_up_has_changed_nothing, least),
        WITH(one_that_gives_up_has_changed_nothing, reuseport),
        WITH(a_start_that_fails_has_changed_nothing, least),
        WITH(a_start_that_fails_has_changed_nothing, reuseport),
        WITH(one_that_takes_too_long_is_refused, least),
        WITH(one_that_is_refused_late_has_accepted_nobody, least),
        WITH(one_that_is_refused_late_has_accepted_nobody, reuseport),
        WITH(the_second_waits_and_has_its_turn_if_the_first_fails, least),
        WITH(the_second_is_refused_if_the_first_succeeds, least),
        WITH(the_second_waits_no_longer_than_it_wants, least),
        WITH(if_the_old_one_stops_meanwhile_the_next_serves, least),
        WITH(if_the_old_one_stops_meanwhile_the_next_serves, reuseport),
        WITH(one_that_drains_is_not_there_any_more, least),
        WITH(a_blocking_stop_ends_what_is_offered_at_once, least),
        WITH(who_is_a_little_late_is_waited_for, least),
        WITH(a_file_of_the_dead_is_replaced, least),
        WITH(who_is_alive_at_the_path_is_not_pushed_out, least),
        WITH(nor_is_who_is_alive_at_another_path, least),
        WITH(a_file_that_is_no_socket_is_never_removed, least),
        WITH(not_even_one_that_comes_late, least),
        WITH(at_the_end_only_its_own_file_is_removed, least),
        WITH(one_that_never_starts_leaves_no_file, least),
        WITH(paths_that_will_not_do, least),
        WITH(options_that_will_not_do, least),
        WITH(garbage_is_refused, least),
        WITH(another_version_is_refused, least),
        WITH(ready_comes_too_early, least),
        WITH(a_peer_that_goes_in_the_middle_changes_nothing, least),
        WITH(a_hello_may_come_byte_by_byte, least),
        WITH(garbage_in_place_of_ready_changes_nothing, least),
        WITH(sockets_for_the_old_one_are_not_taken, least),
        WITH(another_user_may_not, least),
        WITH(what_strangers_send_is_refused_and_closed, least),
        WITH(sockets_for_which_there_are_no_descriptors_are_closed, least),
        WITH(one_that_cannot_say_that_it_is_ready_fails, least),
        WITH(without_memory_what_came_is_closed, least),
        WITH(without_memory_the_old_one_refuses, least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
