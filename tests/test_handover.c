/* SPDX-License-Identifier: MIT */
/*
 * test_handover [ROUNDS [SEED]]: in each round a server of a random kind starts,
 * several threads hand it sockets and posts, and do whatever else any thread
 * may, while it is drained or stopped by a random one at a random time. With
 * delays at the points of tests/model/handover.pml. Then:
 *
 * - each post that was taken has run once, and no other has;
 * - each socket that was taken was opened or refused, and closed, once, and each
 *   that was not is still the caller's;
 * - no descriptor, handle or byte is left, and all loops can close.
 *
 * Round number i is what the seed SEED + i makes of it, but for the order in
 * which the threads get their turns. A round that fails prints its seed.
 */
#include "points.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/handoff.h"

#define ROUNDS 200
#define WORKERS_MOST 3
#define ACTORS_MOST 3
#define CLIENTS_MOST 8 /* of one actor */
#define POSTS_MOST 256
#define IDS_MOST 16

static uint64_t current; /* the round's seed */

#define CHECK(condition)                                                       \
    ((condition) ? (void)0 : failed(#condition, __LINE__))

static void failed(const char *condition, int line)
{
    fprintf(stderr, "test_handover 1 %llu: line %d: not so: %s\n",
            (unsigned long long)current, line, condition);
    abort();
}

/* Allowed answers while a server starts, serves and ends. */
static bool is_refusal(int err)
{
    return err == UV_EAGAIN || err == UV_ECANCELED || err == UV_ENOBUFS;
}

enum stopping { BY_DRAIN, BY_WAIT, BY_TIMER, BY_POST, BY_ACTOR, STOPPINGS };

struct post {
    atomic_uint runs;
    atomic_int result; /* of the call, once it has returned */
    unsigned depth;    /* so many more are posted from within */
};

struct round {
    uint64_t random; /* the host thread's */
    uv_loop_t loop;  /* the host's */
    uv_timer_t tick;
    struct tlr_server *server;
    struct tlr_options options;
    struct memory memory;
    struct sockaddr_storage address;
    enum stopping stopping;
    uint64_t deadline;
    bool dials;     /* clients come through the listening socket */
    bool lent_here; /* borrowed worker 0 is on the host's loop */
    bool stopped;
    atomic_uint acting;    /* actors that may still call */
    atomic_bool over;      /* the server has stopped */
    atomic_uint dialed;    /* connections that were tried */
    atomic_uint adopted;   /* sockets that were taken */
    atomic_uint connects;  /* tlr_connect() and its kin that gave a conn */
    atomic_uint opened;    /* on_open */
    atomic_uint closed;    /* on_close of these */
    atomic_uint ended;     /* on_close of all */
    atomic_uint run;       /* posts that have */
    atomic_uint post_count;
    struct post posts[POSTS_MOST];
    uv_mutex_t mutex; /* of the following */
    struct tlr_id ids[IDS_MOST];
};

/* ---- what the server does -------------------------------------------- */

struct conn_data {
    bool opened;
};

/* By the chance of the turns. */
static unsigned by_chance(unsigned n)
{
    static _Atomic uint64_t chance;
    uint64_t state = atomic_fetch_add(&chance, 0x9e3779b97f4a7c15u);

    return pick(&state, n);
}

static struct round *round_of(struct tlr_conn *conn)
{
    return tlr_conn_user(conn);
}

static void keep_id(struct round *r, struct tlr_id id)
{
    uv_mutex_lock(&r->mutex);
    r->ids[by_chance(IDS_MOST)] = id;
    uv_mutex_unlock(&r->mutex);
}

static struct tlr_id some_id(struct round *r)
{
    struct tlr_id id;

    uv_mutex_lock(&r->mutex);
    id = r->ids[by_chance(IDS_MOST)];
    uv_mutex_unlock(&r->mutex);
    return id;
}

static void on_open(struct tlr_conn *conn)
{
    struct conn_data *data = tlr_conn_data(conn);
    struct tlr_id id;

    data->opened = true;
    atomic_fetch_add(&round_of(conn)->opened, 1);
    if (by_chance(2) == 0) {
        CHECK(tlr_conn_id(conn, &id) == 0);
        keep_id(round_of(conn), id);
    }
    CHECK(tlr_read(conn) == 0);
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread > 0 && by_chance(8) == 0) {
        tlr_reset(conn);
    } else if (nread <= 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn);
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

static void on_drain(struct tlr_conn *conn)
{
    if (by_chance(2) == 0) {
        tlr_close(conn);
    }
}

static void on_close(struct tlr_conn *conn, enum tlr_cause cause)
{
    struct conn_data *data = tlr_conn_data(conn);

    (void)cause;
    atomic_fetch_add(&round_of(conn)->ended, 1);
    if (data->opened) {
        data->opened = false;
        atomic_fetch_add(&round_of(conn)->closed, 1);
    }
}

/* Answers at once, or leaves that to others, who may never do it. */
static int resolve(struct tlr_server *server, struct tlr_id id,
                   const char *node, const char *service)
{
    struct round *r = tlr_server_user(server);

    (void)node;
    (void)service;
    switch (r->deadline == TLR_NO_DEADLINE ? by_chance(2) : by_chance(3)) {
    case 0:
        (void)tlr_resolved(server, id, 0, &r->address, 1); /* or it has ended */
        return 0;
    case 1:
        return UV_EAI_NONAME;
    default:
        keep_id(r, id);
        return 0;
    }
}

static void on_stopped(struct tlr_server *server)
{
    struct round *r = tlr_server_user(server);

    CHECK(!r->stopped);
    r->stopped = true;
    atomic_store(&r->over, true);
}

/* ---- posts ----------------------------------------------------------- */

static void run_post(struct tlr_server *server, unsigned worker, void *data);
static void run_post_conn(struct tlr_conn *conn, int status, void *data);

static struct post *new_post(struct round *r, unsigned depth)
{
    unsigned index = atomic_fetch_add(&r->post_count, 1);

    if (index >= POSTS_MOST) {
        return NULL;
    }
    r->posts[index].depth = depth;
    return &r->posts[index];
}

static unsigned some_worker(struct round *r)
{
    unsigned worker = by_chance(tlr_server_workers(r->server) + 1);

    return worker == tlr_server_workers(r->server) ? TLR_HOST : worker;
}

static void post(struct round *r, unsigned depth)
{
    struct post *one = new_post(r, depth);
    int err;

    if (one == NULL) {
        return;
    }
    if (by_chance(3) == 0) {
        err = tlr_post_conn(r->server, some_id(r), run_post_conn, one);
        CHECK(err == 0 || err == UV_EINVAL || is_refusal(err));
    } else {
        err = tlr_post(r->server, some_worker(r), run_post, one);
        CHECK(err == 0 || is_refusal(err));
    }
    atomic_store(&one->result, err);
}

static void connect_from(struct round *r, unsigned worker)
{
    struct tlr_conn *conn;
    int err;

    if (!r->dials || worker == TLR_HOST) {
        return;
    }
    if (by_chance(2) == 0) {
        err = tlr_connect(r->server, worker, (struct sockaddr *)&r->address,
                          NULL, &conn);
    } else {
        err = tlr_connect_name(r->server, worker, "name", "service", NULL,
                               &conn);
    }
    CHECK(err == 0 || err == UV_ECANCELED);
    if (err == 0) {
        atomic_fetch_add(&r->connects, 1);
        atomic_fetch_add(&r->dialed, 1);
        /* So that a drain without a deadline ends. */
        if (r->deadline == TLR_NO_DEADLINE || by_chance(2) == 0) {
            tlr_close(conn);
        }
    }
}

static void has_run(struct round *r, struct post *one)
{
    CHECK(atomic_fetch_add(&one->runs, 1) == 0);
    atomic_fetch_add(&r->run, 1);
    CHECK(!atomic_load(&r->over));
    if (one->depth > 0) {
        post(r, one->depth - 1);
    }
}

static void run_post(struct tlr_server *server, unsigned worker, void *data)
{
    struct round *r = tlr_server_user(server);

    has_run(r, data);
    if (by_chance(4) == 0) {
        connect_from(r, worker);
    }
}

static struct round *the_round; /* run_post_conn() may have no connection */

static void run_post_conn(struct tlr_conn *conn, int status, void *data)
{
    has_run(the_round, data);
    CHECK((status == 0) == (conn != NULL));
    if (conn != NULL && by_chance(2) == 0) {
        tlr_reset(conn);
    }
}

/* ---- actors ---------------------------------------------------------- */

struct peer {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    bool there; /* the handle is open */
};

struct actor {
    struct round *round;
    uint64_t random;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_os_sock_t listener; /* where the sockets to adopt come from */
    struct sockaddr_storage address;
    struct peer peers[CLIENTS_MOST];
    unsigned count;
    bool connected; /* the last one that was waited for */
    bool stops;     /* this one has the server stop */
};

static void nothing(uv_timer_t *timer)
{
    (void)timer;
}

/* The loop wakes up each millisecond. */
static void begin_ticking(uv_loop_t *loop, uv_timer_t *tick)
{
    CHECK(uv_timer_init(loop, tick) == 0);
    CHECK(uv_timer_start(tick, nothing, 1, 1) == 0);
}

static void end_loop(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT); /* until all handles are closed */
    CHECK(uv_loop_close(loop) == 0);
}

static void on_peer_gone(uv_handle_t *handle)
{
    ((struct peer *)handle->data)->there = false;
}

static void hang_up(struct peer *peer)
{
    if (peer->there && !uv_is_closing((uv_handle_t *)&peer->tcp)) {
        uv_close((uv_handle_t *)&peer->tcp, on_peer_gone);
    }
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char room[64]; /* nobody looks */

    (void)handle;
    (void)size;
    *buffer = uv_buf_init(room, 0);
}

/* Without room libuv says so and reads nothing: all that is looked for is that
 * something has come. */
static void on_peer_read(uv_stream_t *stream, ssize_t nread,
                         const uv_buf_t *buffer)
{
    (void)nread;
    (void)buffer;
    hang_up(stream->data);
}

static void on_peer_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct peer *peer = connect->handle->data;
    struct actor *actor = connect->data;
    uv_buf_t byte = uv_buf_init("x", 1);

    actor->connected = true;
    if (status != 0) {
        hang_up(peer);
        return;
    }
    if (by_chance(2) == 0) {
        CHECK(uv_write(&peer->write, (uv_stream_t *)&peer->tcp, &byte, 1,
                       on_peer_written) == 0);
    }
    CHECK(uv_read_start((uv_stream_t *)&peer->tcp, give_room, on_peer_read) ==
          0);
}

/* Returns NULL if there are enough. */
static struct peer *dial(struct actor *actor,
                         const struct sockaddr_storage *address)
{
    struct peer *peer = &actor->peers[actor->count];

    if (actor->count == CLIENTS_MOST) {
        return NULL;
    }
    actor->count++;
    CHECK(uv_tcp_init(&actor->loop, &peer->tcp) == 0);
    peer->tcp.data = peer;
    peer->connect.data = actor;
    peer->there = true;
    actor->connected = false;
    if (uv_tcp_connect(&peer->connect, &peer->tcp,
                       (const struct sockaddr *)address, on_connected) != 0) {
        hang_up(peer);
        actor->connected = true;
    }
    return peer;
}

static void adopt(struct actor *actor)
{
    struct round *r = actor->round;
    unsigned worker = pick(&actor->random, 2) == 0
                          ? TLR_NEXT_WORKER
                          : pick(&actor->random,
                                 tlr_server_workers(r->server));
    struct sockaddr_storage name;
    uv_os_sock_t sock;
    int err;

    if (dial(actor, &actor->address) == NULL) {
        return;
    }
    do { /* whatever comes first: the peer's connection will */
        (void)uv_run(&actor->loop, UV_RUN_NOWAIT);
    } while (tlr_handoff_accept(actor->listener, &sock, &name) != 0);
    err = tlr_adopt(r->server, worker, sock);
    if (err == 0) {
        atomic_fetch_add(&r->adopted, 1);
    } else {
        CHECK(is_refusal(err) || err == UV_ENOTCONN);
        CHECK(tlr_handoff_name(sock, &name) == 0); /* it is still ours */
        tlr_handoff_close(sock);
    }
}

static void look(struct round *r)
{
    struct tlr_counters counters;
    struct tlr_progress progress;

    CHECK(tlr_server_counters(r->server, TLR_ALL_WORKERS, &counters,
                              sizeof(counters)) == 0);
    tlr_server_progress(r->server, &progress, sizeof(progress));
    CHECK(progress.phase <= TLR_PHASE_STOPPED);
    CHECK(counters.open <= counters.accepted);
}

static void answer(struct round *r)
{
    int err = tlr_resolved(r->server, some_id(r),
                           by_chance(2) == 0 ? 0 : UV_EAI_FAIL, &r->address,
                           1);

    CHECK(err == 0 || err == UV_EINVAL || is_refusal(err));
}

static void act(struct actor *actor)
{
    struct round *r = actor->round;

    switch (pick(&actor->random, 10)) {
    case 0:
    case 1:
        if (r->dials && dial(actor, &r->address) != NULL) {
            atomic_fetch_add(&r->dialed, 1);
        }
        break;
    case 2:
    case 3:
        adopt(actor);
        break;
    case 4:
        if (actor->count > 0) {
            hang_up(&actor->peers[pick(&actor->random, actor->count)]);
        }
        break;
    case 5:
        answer(r);
        break;
    case 6:
        look(r);
        break;
    default:
        post(r, pick(&actor->random, 3));
        break;
    }
    points_pause(&actor->random);
    (void)uv_run(&actor->loop, UV_RUN_NOWAIT);
}

static bool has_peers(const struct actor *actor)
{
    unsigned i;

    for (i = 0; i < actor->count; i++) {
        if (actor->peers[i].there) {
            return true;
        }
    }
    return false;
}

/* By hanging up, or by waiting for the server to do so. */
static void end_peers(struct actor *actor)
{
    bool wait = actor->round->deadline != TLR_NO_DEADLINE &&
                pick(&actor->random, 2) == 0;
    unsigned i;

    while (wait && has_peers(actor) && !atomic_load(&actor->round->over)) {
        (void)uv_run(&actor->loop, UV_RUN_ONCE);
    }
    for (i = 0; i < actor->count; i++) {
        hang_up(&actor->peers[i]);
    }
}

static void stop_from_here(struct actor *actor)
{
    struct round *r = actor->round;

    tlr_server_drain(r->server, r->deadline);
    points_pause(&actor->random);
    if (r->deadline != 0 && pick(&actor->random, 2) == 0) {
        tlr_server_stop(r->server);
    }
}

static void actor_main(void *arg)
{
    struct actor *actor = arg;
    unsigned steps = pick(&actor->random, 12);
    unsigned stop_at = pick(&actor->random, steps + 1);
    unsigned i;

    for (i = 0; i <= steps; i++) {
        if (actor->stops && i == stop_at) {
            stop_from_here(actor);
        }
        act(actor);
    }
    atomic_fetch_sub(&actor->round->acting, 1);
    end_peers(actor);
    uv_close((uv_handle_t *)&actor->tick, NULL);
    end_loop(&actor->loop);
    tlr_handoff_close(actor->listener);
}

static void actor_start(struct actor *actor, struct round *r, uint64_t random)
{
    struct sockaddr_in any;

    actor->round = r;
    actor->random = random;
    CHECK(uv_ip4_addr("127.0.0.1", 0, &any) == 0);
    CHECK(tlr_handoff_listen((struct sockaddr *)&any, 16, 0,
                             &actor->listener) == 0);
    CHECK(tlr_handoff_name(actor->listener, &actor->address) == 0);
    CHECK(uv_loop_init(&actor->loop) == 0);
    begin_ticking(&actor->loop, &actor->tick);
    CHECK(uv_thread_create(&actor->thread, actor_main, actor) == 0);
}

/* ---- borrowed loops -------------------------------------------------- */

struct lender {
    struct round *round;
    uint64_t random;
    unsigned index;
    uv_thread_t thread;
    bool runs;
};

static void lender_main(void *arg)
{
    struct lender *lender = arg;
    uv_loop_t loop;
    int err;

    CHECK(uv_loop_init(&loop) == 0);
    points_pause(&lender->random);
    err = tlr_server_attach(lender->round->server, lender->index, &loop);
    CHECK(err == 0 || err == UV_ECANCELED);
    atomic_fetch_sub(&lender->round->acting, 1);
    end_loop(&loop);
}

/* Some never come. */
static void lend(struct round *r, struct lender *lenders)
{
    unsigned i;

    for (i = 0; i < r->options.borrowed; i++) {
        struct lender *lender = &lenders[i];

        if (i == 0 && r->lent_here) {
            int err = tlr_server_attach(r->server, 0, &r->loop);

            CHECK(err == 0 || err == UV_ECANCELED);
        } else if (pick(&r->random, 8) > 0) {
            lender->round = r;
            lender->random = next_random(&r->random);
            lender->index = i;
            lender->runs = true;
            atomic_fetch_add(&r->acting, 1);
            CHECK(uv_thread_create(&lender->thread, lender_main, lender) == 0);
        }
    }
}

/* ---- the host -------------------------------------------------------- */

static uint64_t some_deadline(uint64_t *random)
{
    switch (pick(random, 3)) {
    case 0:
        return 0;
    case 1:
        return 1 + pick(random, 10);
    default:
        return TLR_NO_DEADLINE;
    }
}

static void choose_loops(struct round *r)
{
    unsigned workers = 1 + pick(&r->random, WORKERS_MOST);

    switch (pick(&r->random, 8)) {
    case 0:
        r->options.loops = TLR_LOOPS_HOST;
        break;
    case 1:
    case 2:
        r->options.loops = TLR_LOOPS_BORROWED;
        r->options.borrowed = workers;
        r->lent_here = pick(&r->random, 4) == 0;
        break;
    default:
        r->options.loops = (int)workers;
        if (tlr_handoff_has_reuseport() && pick(&r->random, 4) == 0) {
            r->options.balance = TLR_BALANCE_REUSEPORT;
        }
        break;
    }
}

static void choose(struct round *r)
{
    static const unsigned limits[] = {0, 1, 2, 5};
    static const unsigned mailboxes[] = {1, 3, 65536};
    static const unsigned times[] = {0, 1, 1000};

    tlr_options_init(&r->options, sizeof(r->options));
    r->options.handler.on_open = on_open;
    r->options.handler.on_read = on_read;
    r->options.handler.on_write = on_write;
    r->options.handler.on_drain = on_drain;
    r->options.handler.on_close = on_close;
    r->options.resolve = resolve;
    r->options.on_stopped = on_stopped;
    r->options.conn_data_size = sizeof(struct conn_data);
    r->options.allocator = r->memory.allocator;
    r->options.user = r;
    r->options.balance = pick(&r->random, 2) == 0 ? TLR_BALANCE_LEAST
                                                  : TLR_BALANCE_ROUND_ROBIN;
    r->options.max_connections = limits[pick(&r->random, COUNT(limits))];
    r->options.mailbox = mailboxes[pick(&r->random, COUNT(mailboxes))];
    r->options.stall_time = times[pick(&r->random, COUNT(times))];
    choose_loops(r);
    r->stopping = pick(&r->random, STOPPINGS);
    r->deadline = some_deadline(&r->random);
    r->dials = pick(&r->random, 2) == 0;
}

static void drain_by_post(struct tlr_server *server, unsigned worker,
                          void *data)
{
    struct round *r = data;

    CHECK(worker == TLR_HOST);
    tlr_server_drain(server, r->deadline);
}

static void drain_by_timer(uv_timer_t *timer)
{
    struct round *r = timer->data;

    tlr_server_drain(r->server, r->deadline);
    uv_close((uv_handle_t *)timer, NULL);
}

static void stop_here(struct round *r, uv_timer_t *timer)
{
    int err;

    switch (r->stopping) {
    case BY_WAIT:
        err = tlr_server_stop_wait(r->server, r->deadline);
        CHECK(err == 0 ||
              (err == UV_EAGAIN &&
               (r->lent_here || r->options.loops == TLR_LOOPS_HOST)));
        break;
    case BY_TIMER:
        CHECK(uv_timer_init(&r->loop, timer) == 0);
        timer->data = r;
        CHECK(uv_timer_start(timer, drain_by_timer, pick(&r->random, 3), 0) ==
              0);
        break;
    case BY_POST:
        err = tlr_post(r->server, TLR_HOST, drain_by_post, r);
        if (err == 0 || err == UV_ECANCELED) {
            break;
        }
        CHECK(err == UV_ENOBUFS);
        tlr_server_drain(r->server, r->deadline);
        break;
    case BY_ACTOR: /* it does, or has done so */
        break;
    default:
        tlr_server_drain(r->server, r->deadline);
        break;
    }
}

static void serve(struct round *r)
{
    unsigned turns = pick(&r->random, 20);
    uv_timer_t timer;
    uint64_t end;

    while (turns-- > 0) {
        if (pick(&r->random, 4) == 0) {
            tlr_server_unref(r->server);
        } else if (pick(&r->random, 4) == 0) {
            tlr_server_ref(r->server);
        }
        points_pause(&r->random);
        (void)uv_run(&r->loop, UV_RUN_NOWAIT);
    }
    stop_here(r, &timer);
    end = uv_hrtime() + (uint64_t)DEADLINE * 1000000;
    while (!r->stopped || atomic_load(&r->acting) > 0) {
        CHECK(uv_hrtime() < end);
        (void)uv_run(&r->loop, UV_RUN_ONCE);
    }
}

/* ---- a round --------------------------------------------------------- */

static void check_posts(struct round *r)
{
    unsigned count = atomic_load(&r->post_count);
    unsigned taken = 0;
    unsigned i;

    for (i = 0; i < count && i < POSTS_MOST; i++) {
        bool ok = atomic_load(&r->posts[i].result) == 0;

        CHECK(atomic_load(&r->posts[i].runs) == (ok ? 1 : 0));
        taken += ok;
    }
    CHECK(atomic_load(&r->run) == taken);
}

static void check_counters(struct round *r)
{
    struct tlr_counters c;
    unsigned opened = atomic_load(&r->opened);
    unsigned adopted = atomic_load(&r->adopted);
    unsigned dialed = atomic_load(&r->dialed);
    uint64_t taken;

    CHECK(tlr_server_counters(r->server, TLR_ALL_WORKERS, &c, sizeof(c)) == 0);
    CHECK(c.accepted == opened && c.open == 0);
    CHECK(atomic_load(&r->closed) == opened);
    CHECK(atomic_load(&r->ended) ==
          opened - c.connected + atomic_load(&r->connects));
    taken = c.accepted - c.connected + c.refused;
    CHECK(taken >= adopted && taken <= adopted + dialed);
    CHECK(r->stopping == BY_POST || c.posts <= atomic_load(&r->run));
}

static void play(uint64_t seed)
{
    static struct round r;
    struct actor *actors = calloc(ACTORS_MOST, sizeof(*actors));
    struct lender lenders[WORKERS_MOST] = {{0}};
    struct sockaddr_in any;
    size_t descriptors = count_descriptors();
    unsigned count;
    unsigned i;

    CHECK(actors != NULL);
    memset(&r, 0, sizeof(r));
    current = seed;
    the_round = &r;
    r.random = seed;
    points_seed(next_random(&r.random));
    memory_init(&r.memory);
    choose(&r);
    CHECK(uv_mutex_init(&r.mutex) == 0);
    CHECK(uv_loop_init(&r.loop) == 0);
    begin_ticking(&r.loop, &r.tick);
    CHECK(tlr_server_create(&r.server, &r.loop, &r.options) == 0);
    CHECK(uv_ip4_addr("127.0.0.1", 0, &any) == 0);
    CHECK(tlr_server_listen(r.server, (struct sockaddr *)&any, 0) == 0);
    CHECK(tlr_server_address(r.server, 0, &r.address) == 0);

    count = 1 + pick(&r.random, ACTORS_MOST);
    atomic_fetch_add(&r.acting, count);
    actors[0].stops = r.stopping == BY_ACTOR;
    if (!actors[0].stops && pick(&r.random, 2) == 0) {
        for (i = 0; i < count; i++) { /* some of what they do is too early */
            actor_start(&actors[i], &r, next_random(&r.random));
        }
        CHECK(tlr_server_start(r.server) == 0);
    } else {
        CHECK(tlr_server_start(r.server) == 0);
        for (i = 0; i < count; i++) {
            actor_start(&actors[i], &r, next_random(&r.random));
        }
    }
    lend(&r, lenders);
    serve(&r);
    check_counters(&r);
    tlr_server_destroy(r.server); /* threads of borrowed loops may still run */

    for (i = 0; i < count; i++) {
        CHECK(uv_thread_join(&actors[i].thread) == 0);
    }
    for (i = 0; i < WORKERS_MOST; i++) {
        CHECK(!lenders[i].runs || uv_thread_join(&lenders[i].thread) == 0);
    }
    check_posts(&r);
    uv_close((uv_handle_t *)&r.tick, NULL);
    end_loop(&r.loop);
    uv_mutex_destroy(&r.mutex);
    free(actors);
    CHECK(atomic_load(&r.memory.live) == 0);
    CHECK(count_descriptors() == descriptors);
}

int main(int argc, char **argv)
{
    const uint64_t enough = rounds_here(ROUNDS);
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : enough;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t start = uv_hrtime();
    uint64_t i;
    uv_loop_t loop;

    /* What libuv opens once for the whole process is no leak. */
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_loop_close(&loop) == 0);
    for (i = 0; i < rounds; i++) {
        play(seed + i);
    }
    printf("%llu rounds from seed %llu on, %.1f s; times at each point:\n",
           (unsigned long long)rounds, (unsigned long long)seed,
           (double)(uv_hrtime() - start) / 1e9);
    return points_report() || rounds < enough ? 0 : 1;
}
