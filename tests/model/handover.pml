/* SPDX-License-Identifier: MIT */
/*
 * A model, for Spin, of how sockets, posts and orders reach a worker, and of
 * how a server stops: mailbox, wake-up, drain, stop.
 *
 * The C that a step stands for is named beside it as FILE.c:FUNCTION; where a
 * thread can be held up between two steps the C has TLR_POINT(NAME), and the
 * model `point NAME`. tests/model/run.sh compares both with src/core, and runs
 * all of this.
 *
 * Threads: the host's, one or two workers, two producers (tlr_adopt(), tlr_post()
 * to a worker and to the host), peers that connect to the listening socket, and
 * one that drains or stops the server.
 *
 * uv_async_send() is a flag: set again while it is set it is one wake-up, and
 * it may be set while the loop is busy with the last one.
 *
 * What happens under one lock is one step, wake-ups included, as nobody else
 * can look in between: a loop that is woken there waits for the lock, and is
 * woken once more. Where another lock is taken under the pool's mutex that is
 * modelled as a lock.
 *
 * Left out are memory that runs out, limits but max_connections, listeners of
 * the workers' own, the order of messages, TLR_LOOPS_HOST, where all is on one
 * thread, and time: a deadline may pass whenever it is set.
 */

/* Mistakes that the script puts in, each of which has to be found. */
#define FLAG_OUTSIDE 1    /* mailbox: its state is read before the lock */
#define WAKE_FIRST 2      /* mailbox: woken, and then pushed */
#define WAKE_OUTSIDE 3    /* mailbox: pushed, and woken behind the lock */
#define ORDERS_CLEARED 4  /* mailbox: orders are cleared later than taken */
#define FULL_ONCE 5       /* pool: no second attempt behind `full` */
#define IDLE_EARLY 6      /* worker: idle is said with connections open */
#define CLOSED_EARLY 7    /* pool: `closed` before the wake-up */
#define NUDGE_FORGOTTEN 8 /* pool: only who waits already is nudged */
#define NO_LAST_LOOK 9    /* worker: ends without looking once more */
#define ATTACH_LATE 10    /* pool: attached without a look at `attachable` */
#define SIGNAL_OUTSIDE 11 /* pool: idle is counted without the mutex */
#define NO_HOST_LOOK 12   /* server: the host ends without looking once more */
#define KEPT_AND_BACK 13  /* reach: room is not given back for a refused one */
#define KNOWN_EARLY 14    /* server: its thread is known before the mailbox */
#define END_AT_ONCE 15    /* pool: the first idle worker ends all */
#define BUSY_FORGOTTEN 16 /* worker: idle still, with a connection that came */

local byte mutation; /* one of these, or 0 */
#define MUTATED(m) (mutation == m)

/* The settings: of the script, in the environment, or all of them. */
local byte workers;  /* 1 or 2 */
local byte used;     /* which of the items there are, see below */
local bool borrowed; /* TLR_LOOPS_BORROWED: workers come by themselves, and late */
local byte limit;    /* max_connections; 0: none */
local byte how;      /* who has the server stop, see below */
local byte deadline; /* and by which deadline */
local bool leave;    /* connections end by themselves */
local bool hurried;  /* a thread calls tlr_server_stop() as well */

#define BY_HOST 0   /* tlr_server_drain() on the host's thread */
#define BY_WAIT 1   /* tlr_server_stop_wait() */
#define BY_THREAD 2 /* tlr_server_drain() on another thread */
#define BY_POST 3   /* tlr_server_drain() in a post to the host */
#define WHEN_QUIET 4 /* BY_THREAD, when nothing moves any more */

#define NOW 0
#define SOON 1
#define NEVER 2 /* TLR_NO_DEADLINE */

#define ANY 255

c_decl {
\#include <stdlib.h>
    static int setting(const char *name, int otherwise)
    {
        const char *value = getenv(name);
        return value == 0 ? otherwise : atoi(value);
    }
}

/* ---- what is handed over --------------------------------------------- */

/*
 * Items, bits of a byte: 0 and 1 sockets of the producers', 2 and 3 posts to a
 * worker, 4 a post to the host, 5 and 6 connections through the listening
 * socket, 7 the post that drains.
 */
#define BIT(i) (1 << (i))
#define IS_SOCKET(i) ((i) < 2 || (i) == 5 || (i) == 6)
#define ITEMS 8

#define NONE 0   /* not there yet */
#define GIVEN 1  /* on its way */
#define OPENED 2 /* a connection */
#define DONE 3   /* closed; or a post that has run */
#define BACK 4   /* not taken: the caller's */
#define QUEUED 5 /* in the kernel */
#define RESET 6  /* by the kernel: the listening socket was closed */

/* Spin's `local`: nobody else has it at that time. */
local byte item[ITEMS];

/* Each of these once: what is DONE or BACK stays so. */
#define now(i, state) assert(item[i] == GIVEN); item[i] = state
#define now_closed(i) \
    assert(item[i] == GIVEN || item[i] == OPENED); item[i] = DONE

#define is_open(i) (item[i] == OPENED)
#define some_are_open() (is_open(0) || is_open(1) || is_open(5) || is_open(6))

/* ---- mailbox.c -------------------------------------------------------- */

#define CREATED 0
#define OPEN 1
#define SHUT 2

#define WORKERS 2 /* at most */
#define HOST WORKERS /* the number of its mailbox */

typedef mailbox {
    byte state;
    byte items;
    byte orders;
    bool woken;  /* the handle: uv_async_send() was called */
    bool closed; /* likewise uv_close() */
}
mailbox box[WORKERS + 1];

/* TLR_ORDER_... */
#define DRAIN 1
#define FINISH 2
#define STOP 4
#define END 8

#define HOST_LOOK 1
#define HOST_DRAIN 2

bool destroyed; /* the server's memory is gone */
#define touch() assert(!destroyed)

/* mailbox.c:wake: nobody wakes a handle that is being closed */
#define wake(b) assert(!box[b].closed); box[b].woken = true

/* mailbox.c:tlr_mailbox_open */
#define mailbox_open(b) \
    d_step { assert(box[b].state == CREATED); box[b].state = OPEN }

/* mailbox.c:tlr_mailbox_post, mailbox.c:admit: `ok`: it was taken */
inline mailbox_post(b, i) {
    if
    :: MUTATED(FLAG_OUTSIDE) || MUTATED(WAKE_FIRST) -> /* mutated */
        atomic { /* mutated */
            ok = box[b].state == OPEN; /* mutated */
            if /* mutated */
            :: ok && MUTATED(WAKE_FIRST) -> wake(b) /* mutated */
            :: else /* mutated */
            fi
        }
    :: else
    fi;
    /* point mailbox_post */
    atomic {
        touch();
        ok = box[b].state == OPEN || MUTATED(FLAG_OUTSIDE) && ok;
        if
        :: ok ->
            box[b].items = box[b].items | BIT(i);
            if
            :: MUTATED(WAKE_FIRST) || MUTATED(WAKE_OUTSIDE) /* mutated */
            :: else -> wake(b)
            fi
        :: else
        fi
    };
    if
    :: ok && MUTATED(WAKE_OUTSIDE) -> /* mutated */
        d_step { wake(b) } /* mutated */
    :: else
    fi
}

/* mailbox.c:tlr_mailbox_post_orders */
inline mailbox_post_orders(b, o) {
    /* point mailbox_order */
    atomic {
        touch();
        if
        :: box[b].state == OPEN ->
            box[b].orders = box[b].orders | (o);
            wake(b)
        :: else
        fi
    }
}

/* mailbox.c:tlr_mailbox_receive, into `batch` and `orders` */
inline mailbox_receive(b) {
    /* point mailbox_receive */
    d_step {
        batch = box[b].items;
        box[b].items = 0;
        orders = box[b].orders;
        if
        :: MUTATED(ORDERS_CLEARED) /* mutated */
        :: else -> box[b].orders = 0
        fi
    };
    if
    :: MUTATED(ORDERS_CLEARED) -> box[b].orders = 0 /* mutated */
    :: else
    fi
}

/* mailbox.c:tlr_mailbox_shut */
#define mailbox_shut(b) box[b].state = SHUT

/* mailbox.c:tlr_mailbox_close; a wake-up that was not heard is forgotten */
inline mailbox_close(b) {
    /* point mailbox_shut */
    d_step {
        mailbox_shut(b);
        box[b].closed = true;
        box[b].woken = false
    }
}

/* ---- pool.c ------------------------------------------------------------ */

byte total;      /* reserved */
bool was_full;   /* `full`: a reservation was denied since the last look */
byte made;       /* under the mutex: workers that have, or had, a loop */
bool attachable; /* likewise: borrowed loops are waited for */
bool nudged;     /* likewise */
bool ending;     /* likewise: the workers have been ordered to */
byte missing;    /* borrowed loops that have not come */
byte idle;
byte closing;
byte closed;
bool mutex;
bool waiting;  /* the host, for the condition */
bool signaled; /* and it was told */

/* uv_cond_signal(): lost if nobody waits */
#define signal() signaled = waiting

/* pool.c:try_reserve */
inline try_reserve() {
    atomic {
        touch();
        room = limit == 0 || total < limit;
        total = total + (room && limit > 0)
    }
}

/* pool.c:tlr_pool_reserve: `room`: there was some, and it is reserved */
inline pool_reserve() {
    try_reserve();
    if
    :: !room ->
        was_full = true;
        if /* point pool_full */
        :: MUTATED(FULL_ONCE) /* mutated */
        :: else -> try_reserve()
        fi
    :: else
    fi
}

/* server.c:on_wake: any thread has the host look */
#define pool_wake() mailbox_post_orders(HOST, HOST_LOOK)

/* pool.c:wake_if_full */
inline wake_if_full() {
    if
    :: was_full -> pool_wake()
    :: else
    fi
}

/* pool.c:tlr_pool_unreserve */
inline pool_unreserve() {
    if
    :: limit > 0 -> d_step { touch(); assert(total > 0); total-- }
    :: else
    fi;
    wake_if_full() /* point pool_unreserved */
}

/* pool.c:tlr_pool_order */
inline pool_order(o) {
    mailbox_post_orders(0, o);
    if
    :: workers > 1 -> mailbox_post_orders(1, o)
    :: else
    fi
}

/* pool.c:tlr_pool_shut, pool.c:give_up */
inline pool_shut() {
    atomic {
        !mutex ->
        do
        :: attachable && n < workers ->
            if
            :: box[n].state == CREATED -> mailbox_shut(n)
            :: else
            fi;
            n++
        :: else -> n = 0; break
        od;
        attachable = false
    }
}

/* pool.c:end_if_idle, with the mutex */
inline end_if_idle() {
    if
    :: !attachable && !ending && (idle == made ||
                                  MUTATED(END_AT_ONCE) && idle > 0) ->
        /* The others stay for who has one: it may post to them. */
        assert(!some_are_open());
        ending = true;
        pool_order(END)
    :: else
    fi
}

/* pool.c:tlr_pool_end_if_idle */
inline pool_end_if_idle() {
    atomic { !mutex -> mutex = true };
    end_if_idle();
    mutex = false
}

/* pool.c:tlr_pool_all_closed; in turns of uv_sleep(0) */
#define all_closed() (closing == made)
#define wait_for_closed() closed == made

/* ---- worker.c ---------------------------------------------------------- */

#define RUNNING 0
#define DRAINING 1
#define FINISHING 2
#define STOPPING 3
#define CLOSING 4
#define CLOSED 5

local byte load[WORKERS]; /* given to it, and not gone: only looked at once */
byte accepted; /* connections that the listener took, on all of them */

/* worker.c:tlr_worker_adopt: `ok`, as of mailbox_post() */
inline worker_adopt(w, i) {
    load[w]++;
    mailbox_post(w, i);
    if
    :: ok
    :: else -> load[w]--
    fi
}

/* worker.c:unload */
inline unload(w) {
    load[w]--;
    pool_unreserve()
}

/* worker.c:deliver */
inline deliver() {
    do
    :: batch & BIT(i) ->
        batch = batch & ~BIT(i);
        if
        :: !IS_SOCKET(i) ->
            now(i, DONE) /* worker.c:run_post */
        :: IS_SOCKET(i) && state >= STOPPING ->
            now_closed(i); /* worker.c:refuse */
            unload(w)
        :: else -> /* worker.c:take */
            if
            :: said_idle && MUTATED(BUSY_FORGOTTEN) /* mutated */
            :: said_idle && !MUTATED(BUSY_FORGOTTEN) ->
                said_idle = false; /* worker.c:on_first_conn */
                atomic { /* pool.c:on_busy */
                    !mutex ->
                    touch();
                    idle = idle - !ending
                }
            :: else
            fi;
            now(i, OPENED);
            conns = conns | BIT(i);
            if
            :: i >= 5 -> accepted++
            :: else
            fi
        fi
    :: batch != 0 && !(batch & BIT(i)) -> i++
    :: batch == 0 -> i = 0; break
    od
}

proctype worker(byte w)
{
    byte state = RUNNING;
    byte conns;     /* open here, as items */
    byte batch, orders, i;
    bool said_idle; /* worker->idle */
    bool told_end;  /* worker->ending */

    if
    :: borrowed -> /* pool.c:tlr_pool_attach, pool.c:attach */
        atomic {
            !mutex ->
            if
            :: MUTATED(ATTACH_LATE) -> /* mutated */
                box[w].state = CREATED; /* mutated */
                mailbox_open(w); /* mutated */
                made++ /* mutated */
            :: !MUTATED(ATTACH_LATE) && attachable ->
                mailbox_open(w);
                made++
            :: else -> goto over
            fi
        };
        d_step { missing--; i = missing };
        if
        :: i == 0 -> wake_if_full()
        :: else -> i = 0
        fi
    :: else
    fi;

loop:
    if
    :: d_step { box[w].woken -> box[w].woken = false };
        /* worker.c:on_wake, worker.c:receive */
        mailbox_receive(w);
        deliver();
        goto obey
    :: conns != 0 && (leave || state == STOPPING) ->
        d_step { /* worker.c:on_conn_gone */
            do
            :: conns & BIT(i) -> break
            :: else -> i++
            od;
            now_closed(i);
            conns = conns & ~BIT(i);
            accepted = accepted - (i >= 5);
            i = 0
        };
        unload(w);
        goto look
    :: state == CLOSING -> goto gone
    fi;

obey: /* worker.c:obey */
    if
    :: orders & DRAIN -> /* worker.c:drain */
        orders = orders & ~DRAIN;
        if
        :: state == RUNNING -> state = DRAINING
        :: else
        fi;
        goto obey
    :: !(orders & DRAIN) && (orders & FINISH) -> /* worker.c:finish */
        orders = orders & ~FINISH;
        if
        :: state == DRAINING -> state = FINISHING
        :: else
        fi
    :: !(orders & (DRAIN | FINISH)) && (orders & END) ->
        orders = orders & ~END;
        told_end = true
    :: orders == STOP -> /* worker.c:stop */
        orders = 0;
        if
        :: state < STOPPING -> state = STOPPING
        :: else
        fi
    :: orders == 0
    fi;

look: /* worker.c:end_if_empty */
    if
    :: state < FINISHING || state > STOPPING
    :: state == STOPPING && conns == 0 ||
       state == FINISHING && conns == 0 && told_end ->
        /* While one of them has one of these, all take posts. */
        assert(state == STOPPING || accepted == 0);
        state = CLOSING; /* worker.c:end */
        mailbox_shut(w);
        if /* point worker_ending */
        :: MUTATED(NO_LAST_LOOK) /* mutated */
        :: else -> mailbox_receive(w); deliver()
        fi;
        orders = 0;
        mailbox_close(w)
    :: state == FINISHING && (conns == 0 || MUTATED(IDLE_EARLY)) &&
       !told_end && !said_idle ->
        said_idle = true; /* pool.c:on_idle */
        if
        :: MUTATED(SIGNAL_OUTSIDE) -> /* mutated */
            d_step { idle++; signal() } /* mutated */
        :: else ->
            atomic { !mutex -> touch(); idle++; signal() }
        fi;
        pool_wake() /* point pool_said_idle */
    :: else
    fi;
    if
    :: orders == 0 -> goto loop
    :: else -> goto obey
    fi;

gone: /* worker.c:on_conns_closed, worker.c:run_loop; pool.c:on_closed */
    state = CLOSED;
    atomic { !mutex -> touch(); closing++; signal() };
    if
    :: MUTATED(CLOSED_EARLY) -> closed++ /* mutated */
    :: else
    fi;
    pool_wake();
    /* point pool_closing */
    if
    :: MUTATED(CLOSED_EARLY) /* mutated */
    :: else -> d_step { touch(); closed++ }
    fi;
over:
    skip
}

/* ---- the program's threads --------------------------------------------- */

byte busy; /* threads that may still call: destroying comes after them */

/* reach.c:tlr_adopt, reach.c:adopt: of either worker, by the balance */
inline adopt(i) {
    item[i] = GIVEN;
    pool_reserve();
    if
    :: room ->
        if
        :: w = 0
        :: workers > 1 -> w = 1
        fi;
        worker_adopt(w, i);
        if
        :: ok
        :: !ok && !MUTATED(KEPT_AND_BACK) -> pool_unreserve()
        :: !ok && MUTATED(KEPT_AND_BACK) /* mutated */
        fi
    :: else -> ok = false
    fi;
    if
    :: ok
    :: else -> d_step { now(i, BACK) }
    fi
}

/* reach.c:tlr_post */
inline post(b, i) {
    item[i] = GIVEN;
    mailbox_post(b, i);
    if
    :: ok
    :: else -> d_step { now(i, BACK) }
    fi
}

proctype producer(byte number)
{
    bool ok, room;
    byte w;

    if
    :: used & BIT(number) -> adopt(number)
    :: else
    fi;
    if
    :: number == 0 && (used & BIT(2)) -> post(0, 2)
    :: number == 1 && (used & BIT(3)) -> post(workers - 1, 3)
    :: else
    fi;
    if
    :: number == 1 && (used & BIT(4)) -> post(HOST, 4)
    :: else
    fi;
    atomic { ok = false; room = false; w = 0; busy-- }
}

#define SERVER_NEW 0
#define SERVER_RUNNING 1
#define SERVER_DRAINING 2
#define SERVER_CLOSING 3
#define SERVER_STOPPED 4

local byte server = SERVER_NEW; /* server->state: the host's */
bool known;               /* server->thread is not 0 */
byte asked = NEVER;       /* the deadline with HOST_DRAIN */

/* server.c:tlr_server_drain on another thread, server.c:ask_host */
inline ask_host(d) {
    d_step {
        touch();
        if
        :: d < asked -> asked = d
        :: else
        fi
    };
    mailbox_post_orders(HOST, HOST_DRAIN); /* point server_asked */
    atomic { /* pool.c:tlr_pool_nudge */
        !mutex ->
        touch();
        nudged = !MUTATED(NUDGE_FORGOTTEN);
        signal()
    }
}

byte queue;       /* the kernel's of the listening socket, as items */
bool deaf = true; /* there is none, or no longer */

proctype stopper()
{
    bool ok;

    known; /* before that it has no effect */
    if
    :: how == BY_THREAD -> ask_host(deadline)
    :: how == BY_POST -> post(HOST, 7)
    :: how == WHEN_QUIET ->
        timeout; /* Spin's: nobody else can go on */
        assert(box[0].items == 0 && box[1].items == 0 && box[HOST].items == 0);
        assert(queue == 0 || limit > 0 && total == limit);
        ask_host(deadline)
    :: else
    fi;
    if
    :: hurried -> ask_host(NOW)
    :: else
    fi;
    atomic { ok = false; busy-- }
}

/* ---- listener.c, endpoints.c ------------------------------------------- */

#define WATCHING 0
#define FULL 1
#define EMPTYING 2
#define GOING 3 /* LISTENER_CLOSING */
#define GONE 4  /* LISTENER_CLOSED */

proctype peer()
{
    byte i = 5;

    do
    :: i <= 6 && (used & BIT(i)) ->
        atomic {
            if
            :: !deaf -> queue = queue | BIT(i); item[i] = QUEUED
            :: else
            fi
        };
        i++
    :: i > 6 || !(used & BIT(i)) -> break
    od
}

/* ---- server.c, on the host's thread ------------------------------------ */

/* listener.c:accept_one; `more`: there may be. endpoints.c:accepted */
inline accept_one() {
    more = false;
    room = true;
    if
    :: missing > 0 ->
        was_full = true;
        room = missing == 0
    :: else
    fi;
    if
    :: room -> pool_reserve()
    :: else
    fi;
    /* point listener_reserved */
    if
    :: room && queue != 0 ->
        d_step {
            do
            :: queue & BIT(i) -> break
            :: else -> i++
            od;
            queue = queue & ~BIT(i);
            item[i] = GIVEN
        };
        if
        :: w = 0
        :: workers > 1 -> w = 1
        fi;
        worker_adopt(w, i);
        if
        :: ok
        :: else -> d_step { now_closed(i) }; pool_unreserve() /* unreached:
            only without memory; their orders come when no more are given */
        fi;
        more = true
    :: room && queue == 0 -> pool_unreserve()
    :: else
    fi;
    i = 0;
    w = 0
}

/* listener.c:close_socket: what is queued is reset */
inline close_socket() {
    d_step {
        deaf = true;
        do
        :: queue & BIT(i) -> item[i] = RESET; queue = queue & ~BIT(i)
        :: queue != 0 && !(queue & BIT(i)) -> i++
        :: queue == 0 -> i = 0; break
        od
    }
}

/* listener.c:close_handles */
#define close_listener() listener = GOING; timer = false

/* listener.c:tlr_listener_close */
inline listener_close(take_queued) {
    if
    :: listener < GOING && !(take_queued) -> close_listener()
    :: listener < EMPTYING && (take_queued) -> listener = EMPTYING; timer = true
    :: else
    fi
}

/* endpoints.c:tlr_endpoints_order_workers */
inline order_workers() {
    if
    :: !listening -> pool_order(order)
    :: else
    fi
}

/* server.c:receive, server.c:run_post; `posted`: a post that drains */
inline receive() {
    mailbox_receive(HOST);
    d_step {
        if
        :: batch & BIT(4) -> now(4, DONE)
        :: else
        fi;
        if
        :: batch & BIT(7) -> now(7, DONE); posted = true
        :: else
        fi;
        batch = 0
    }
}

proctype host()
{
    byte listener = WATCHING;
    bool timer;       /* the listener's, while it is EMPTYING */
    bool listening;   /* server->listeners > 0 */
    byte due = NEVER; /* the deadline; NOW: it has passed */
    byte order;       /* server->orders */
    byte batch, orders, i, n, w;
    bool ok, room, more, posted, receiving, called, first;
    byte d;    /* what drain is called with, */
    byte back; /* and by whom */

    /* server.c:tlr_server_start, server.c:put_handles */
    if
    :: MUTATED(KNOWN_EARLY) -> known = true /* mutated */
    :: else
    fi;
    mailbox_open(HOST);
    known = true;
    /* point server_known; pool.c:tlr_pool_make, worker.c:tlr_worker_init */
    if
    :: borrowed -> missing = workers
    :: else ->
        do
        :: n < workers -> mailbox_open(n); made++; n++
        :: else -> n = 0; break
        od
    fi;
    /* pool.c:tlr_pool_start */
    attachable = borrowed;
    atomic {
        do
        :: n < workers -> run worker(n); n++
        :: else -> n = 0; break
        od
    };
    listening = true;
    deaf = false;
    server = SERVER_RUNNING;

loop:
    if
    :: d_step { box[HOST].woken -> box[HOST].woken = false };
        goto woken
    :: listener == WATCHING && queue != 0 ->
        accept_one(); /* listener.c:on_poll */
        if
        :: !room -> listener = FULL
        :: else
        fi;
        ok = false; room = false; more = false;
        goto loop
    :: listener == EMPTYING && timer ->
        timer = false;
        accept_one(); /* listener.c:empty_some */
        if
        :: more -> timer = true
        :: !more && room -> close_listener()
        :: else
        fi;
        ok = false; room = false; more = false;
        goto loop
    :: listener == GOING ->
        /* listener.c:on_poll_closed, endpoints.c:closed */
        close_socket();
        listener = GONE;
        listening = false;
        order_workers();
        goto close_if_done
    :: due == SOON && server == SERVER_DRAINING ->
        due = NOW; /* server.c:on_deadline */
        d = NOW; back = 0;
        goto drain
    :: server == SERVER_RUNNING && how <= BY_WAIT && !called ->
        called = true;
        d = deadline; back = (how == BY_WAIT -> 3 : 0);
        goto drain
    :: server == SERVER_CLOSING && listener != GOING ->
        goto stopped /* server.c:stop_if_closed, server.c:stopped */
    fi;

woken: /* server.c:on_async */
    receiving = true;
    receive();
    if
    :: posted -> posted = false; d = deadline; back = 1; goto drain
    :: else
    fi;
back_1:
    receiving = false;
    if
    :: orders & HOST_LOOK -> /* server.c:look */
        if
        :: server == SERVER_DRAINING -> pool_end_if_idle()
        :: else
        fi;
        /* point server_look */
        d_step { more = was_full; was_full = false }; /* pool.c:tlr_pool_was_full */
        if /* listener.c:tlr_listener_resume */
        :: more && listener == FULL -> listener = WATCHING
        :: more && listener == EMPTYING -> timer = true
        :: else
        fi;
        more = false
    :: else
    fi;
    if
    :: orders & HOST_DRAIN -> orders = 0; d = asked; back = 2; goto drain
    :: else -> orders = 0
    fi;

close_if_done: /* server.c:tlr_server_close_if_done, server.c:is_done */
    if
    :: !receiving && server == SERVER_DRAINING && !listening &&
       all_closed() ->
        wait_for_closed();
        goto close_handles
    :: else
    fi;
done:
    d = NOW;
    if
    :: back == 0 -> goto loop
    :: back == 2 -> back = 0; goto close_if_done
    :: back == 1 -> back = 0; goto back_1
    :: back == 3 -> back = 0; goto back_3
    :: back == 4 -> back = 0; goto back_4
    fi;

drain: /* server.c:drain */
    if
    :: server == SERVER_RUNNING ->
        server = SERVER_DRAINING;
        first = true;
        pool_shut();
        order = (d == NOW -> STOP : FINISH);
        if
        :: d != NOW -> pool_order(DRAIN)
        :: else
        fi;
        /* server.c:end_listening */
        listener_close(order == FINISH && missing == 0);
        order_workers()
    :: server == SERVER_DRAINING && d == NOW && order != STOP ->
        order = STOP; /* server.c:hurry */
        listener_close(false);
        order_workers()
    :: else
    fi;
    if /* server.c:set_deadline */
    :: server == SERVER_DRAINING && d == SOON && due == NEVER -> due = SOON
    :: else
    fi;
    if
    :: first -> first = false; goto close_if_done
    :: else -> goto done
    fi;

back_3: /* server.c:tlr_server_stop_wait, listener.c:tlr_listener_end */
    if
    :: server != SERVER_DRAINING -> goto loop
    :: else
    fi;
    listener_close(true);
    do
    :: listener == EMPTYING ->
        accept_one();
        if
        :: more
        :: else -> break
        fi
    :: else -> break
    od;
    ok = false; room = false; more = false;
    listener_close(false);
    close_socket();
    /* server.c:wait_for_workers */
    pool_order(order);
wait: /* pool.c:tlr_pool_wait */
    if
    :: order == STOP -> due = NEVER /* server.c:time_left */
    :: order != STOP && due == SOON -> due = NOW /* has passed by now */
    :: order != STOP
    fi;
    atomic { !mutex -> mutex = true };
    end_if_idle();
    do
    :: all_closed() || due == NOW || nudged -> break
    :: else ->
        /* point pool_wait */
        atomic { signaled = false; waiting = true; mutex = false };
        if
        :: atomic { signaled && !mutex -> mutex = true; signaled = false }
        :: atomic { due == SOON && !mutex -> due = NOW; mutex = true }
        fi;
        waiting = false;
        end_if_idle()
    od;
    atomic { nudged = false; mutex = false };
    if
    :: all_closed() -> wait_for_closed(); goto close_handles
    :: else
    fi;
    d = (due == NOW -> NOW : asked);
    back = 4;
    goto drain;
back_4:
    pool_order(order);
    goto wait;

close_handles: /* server.c:close_handles */
    back = 0;
    server = SERVER_CLOSING;
    mailbox_shut(HOST);
    if /* point server_ending */
    :: MUTATED(NO_HOST_LOOK) /* mutated */
    :: else -> receive()
    fi;
    d_step { orders = 0; posted = false };
    mailbox_close(HOST);
    goto loop;

stopped:
    server = SERVER_STOPPED;
    atomic {
        busy == 0 -> /* server.c:tlr_server_destroy, server.c:release */
        destroyed = true;
        do
        :: n <= WORKERS ->
            assert(box[n].items == 0); /* mailbox.c:tlr_mailbox_destroy */
            n++
        :: else -> n = 0; break
        od;
        do
        :: n < WORKERS -> assert(load[n] == 0); n++
        :: else -> break
        od;
        assert(total == 0 && !mutex);
        do
        :: i < ITEMS ->
            assert(item[i] == NONE || item[i] == DONE || item[i] == BACK ||
                   item[i] == RESET);
            i++
        :: else -> break
        od
    }
}

init {
    atomic {
        c_code {
            now.mutation = setting("MUTATION", 0);
            now.workers = setting("WORKERS", 1);
            now.used = setting("USED", 0x37);
            now.borrowed = setting("BORROWED", 0);
            now.limit = setting("LIMIT", 1);
            now.how = setting("HOW", 255);
            now.deadline = setting("DEADLINE", 255);
            now.leave = setting("LEAVE", 1);
        };
        if
        :: how != ANY
        :: how == ANY -> how = BY_HOST
        :: how == ANY -> how = BY_WAIT
        :: how == ANY -> how = BY_THREAD
        :: how == ANY -> how = BY_POST
        :: how == ANY -> how = WHEN_QUIET
        fi;
        if
        :: deadline != ANY
        :: deadline == ANY -> deadline = NOW
        :: deadline == ANY -> deadline = SOON
        :: deadline == ANY -> deadline = NEVER
        fi;
        hurried = deadline == NEVER && !leave;
        busy = 3;
        run host();
        run producer(0);
        run producer(1);
        run stopper();
        run peer()
    }
}

/* A stop ends, and all that was posted has been processed by then. */
ltl ends { <> destroyed }
