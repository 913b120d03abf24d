/* SPDX-License-Identifier: MIT */
/* One listener on a loop of the test's, with an owner that only counts. */
#include "support.h"

#include <string.h>

#include "core/handoff.h"
#include "core/listener.h"

#define BACKLOG 8

struct owner {
    struct fixture *f; /* for clients: its address is the listener's */
    struct tlr_listener listener;
    unsigned room; /* for how many more */
    uint64_t wait; /* nanoseconds until the next one may be accepted, once */
    unsigned troubles;
    enum tlr_accept_result result; /* of the last of these */
    int err;
    unsigned accepted;
    unsigned batches;
    bool inside;
    bool closed;
    struct client *endless; /* each that is accepted brings another one */
    unsigned dialled;
};

static struct owner owner;

static enum tlr_admission admit(struct tlr_listener *listener,
                                struct tlr_ticket *ticket)
{
    assert_ptr_equal(listener, &owner.listener);
    if (owner.room == 0) {
        return TLR_ADMIT_NONE;
    }
    if (owner.wait > 0) {
        ticket->wait = owner.wait;
        owner.wait = 0;
        return TLR_ADMIT_LATER;
    }
    owner.room--;
    ticket->worker = &owner;
    return TLR_ADMIT_ONE;
}

static void dismiss(struct tlr_listener *listener,
                    const struct tlr_ticket *ticket)
{
    (void)listener;
    assert_ptr_equal(ticket->worker, &owner);
    owner.room++;
}

static void trouble(struct tlr_listener *listener,
                    enum tlr_accept_result result, int err)
{
    (void)listener;
    owner.troubles++;
    owner.result = result;
    owner.err = err;
}

static void accepted(struct tlr_listener *listener,
                     const struct tlr_ticket *ticket, uv_os_sock_t sock,
                     const struct sockaddr_storage *peer)
{
    (void)listener;
    assert_true(owner.inside);
    assert_ptr_equal(ticket->worker, &owner);
    assert_int_equal(peer->ss_family, AF_INET);
    owner.accepted++;
    tlr_handoff_close(sock);
    if (owner.endless != NULL) {
        client_dial(owner.f, &owner.endless[owner.dialled++]);
    }
}

static void enter(struct tlr_listener *listener)
{
    (void)listener;
    assert_false(owner.inside);
    owner.inside = true;
    owner.batches++;
}

static void leave(struct tlr_listener *listener)
{
    (void)listener;
    owner.inside = false;
}

static void on_closed(struct tlr_listener *listener)
{
    (void)listener;
    assert_false(owner.closed);
    owner.closed = true;
}

static const struct tlr_listener_callbacks callbacks = {
    .admit = admit,
    .dismiss = dismiss,
    .accepted = accepted,
    .trouble = trouble,
    .enter = enter,
    .leave = leave,
    .closed = on_closed,
};

static bool is_closed(void *data)
{
    (void)data;
    return owner.closed;
}

static bool has_accepted(void *count)
{
    return owner.accepted >= *(unsigned *)count;
}

static void wait_for(unsigned count)
{
    run_until(&owner.f->loop, has_accepted, &count);
    assert_int_equal(owner.accepted, count);
}

static int set_up(void **state)
{
    struct sockaddr_in any;

    (void)setup(state);
    memset(&owner, 0, sizeof(owner));
    owner.f = *state;
    owner.room = 1000;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(tlr_listener_open(&owner.listener,
                                       (struct sockaddr *)&any, BACKLOG, 0),
                     0);
    assert_int_equal(
        tlr_handoff_name(owner.listener.sock, &owner.f->address), 0);
    assert_int_equal(tlr_listener_init(&owner.listener, &owner.f->loop,
                                       &callbacks, &owner),
                     0);
    return 0;
}

static int tear_down(void **state)
{
    tlr_listener_close(&owner.listener, false);
    run_until(&owner.f->loop, is_closed, NULL);
    return teardown(state);
}

static void dial(struct client *clients, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        client_dial(owner.f, &clients[i]);
    }
}

static void hang_up(struct client *clients, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        client_hang_up(&clients[i]);
    }
    for (i = 0; i < count; i++) {
        client_close(owner.f, &clients[i]);
    }
}

static void connections_are_accepted_in_batches(void **state)
{
    struct client clients[BACKLOG];

    (void)state;
    dial(clients, BACKLOG);
    run_for(&owner.f->loop, 20);
    assert_int_equal(owner.accepted, 0); /* not started */
    tlr_listener_start(&owner.listener);
    wait_for(BACKLOG);
    assert_in_range(owner.batches, 1, BACKLOG);
    hang_up(clients, BACKLOG);
}

static void without_room_it_waits_to_be_told(void **state)
{
    struct client clients[3];

    (void)state;
    owner.room = 1;
    tlr_listener_start(&owner.listener);
    dial(clients, 3);
    wait_for(1);
    run_for(&owner.f->loop, 50);
    assert_int_equal(owner.accepted, 1);
    assert_in_range(owner.batches, 1, 3); /* and does not spin */
    owner.room = 1;
    tlr_listener_resume(&owner.listener);
    tlr_listener_resume(&owner.listener);
    wait_for(2);
    run_for(&owner.f->loop, 20);
    owner.room = 10;
    tlr_listener_resume(&owner.listener);
    wait_for(3);
    hang_up(clients, 3);
}

static void closing_takes_what_is_queued(void **state)
{
    struct client clients[5];

    (void)state;
    dial(clients, 5);
    run_for(&owner.f->loop, 20);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, true);
    tlr_listener_close(&owner.listener, true);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_int_equal(owner.accepted, 5);
    hang_up(clients, 5);
}

/* Comes between the timers and the closing of handles. */
static void dial_if_through(uv_prepare_t *prepare)
{
    struct client *late = prepare->data;

    if (!tlr_listener_is_emptying(&owner.listener) && owner.dialled == 0) {
        assert_false(owner.closed);
        client_dial(owner.f, late);
        owner.dialled = 1;
    }
}

static void and_then_refuses_at_once(void **state)
{
    struct client clients[5];
    struct client late;
    uv_prepare_t prepare;

    (void)state;
    dial(clients, 5);
    run_for(&owner.f->loop, 20);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, true);
    assert_int_equal(uv_prepare_init(&owner.f->loop, &prepare), 0);
    prepare.data = &late;
    assert_int_equal(uv_prepare_start(&prepare, dial_if_through), 0);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_int_equal(owner.dialled, 1);
    client_wait_dialled(owner.f, &late);
    assert_int_equal(late.error, UV_ECONNREFUSED);
    uv_close((uv_handle_t *)&prepare, NULL);
    hang_up(&late, 1);
    hang_up(clients, 5);
}

static void closing_at_once_does_not(void **state)
{
    struct client clients[5];

    (void)state;
    dial(clients, 5);
    run_for(&owner.f->loop, 20);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, false);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_int_equal(owner.accepted, 0);
    hang_up(clients, 5);
}

static void closing_waits_for_room_for_the_queued(void **state)
{
    struct client clients[5];

    (void)state;
    owner.room = 2;
    tlr_listener_start(&owner.listener);
    dial(clients, 5);
    wait_for(2);
    tlr_listener_close(&owner.listener, true);
    run_for(&owner.f->loop, 50);
    assert_false(owner.closed);
    owner.room = 1;
    tlr_listener_resume(&owner.listener);
    wait_for(3);
    assert_false(owner.closed);
    owner.room = 10;
    tlr_listener_resume(&owner.listener);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_int_equal(owner.accepted, 5);
    hang_up(clients, 5);
}

static void waiting_for_room_ends_when_told_so(void **state)
{
    struct client clients[2];

    (void)state;
    owner.room = 0;
    tlr_listener_start(&owner.listener);
    dial(clients, 2);
    run_for(&owner.f->loop, 20);
    tlr_listener_close(&owner.listener, true);
    run_for(&owner.f->loop, 20);
    assert_false(owner.closed);
    tlr_listener_close(&owner.listener, false);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_int_equal(owner.accepted, 0);
    hang_up(clients, 2);
}

/* Peers that connect as fast as they are accepted cannot put off the end. */
static void the_queue_is_emptied_once(void **state)
{
    static struct client clients[5000];
    unsigned most = tlr_handoff_queue_capacity(owner.listener.sock);

    (void)state;
    owner.endless = clients;
    owner.room = UINT32_MAX;
    client_dial(owner.f, &clients[owner.dialled++]);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, true);
    run_until(&owner.f->loop, is_closed, NULL);
    assert_in_range(owner.accepted, 0, most);
    owner.endless = NULL;
    hang_up(clients, owner.dialled);
}

/* Nor those that come one by one, as there is room for each. */
static void and_once_if_room_comes_bit_by_bit(void **state)
{
    static struct client clients[5000];
    unsigned most = tlr_handoff_queue_capacity(owner.listener.sock);
    unsigned turns;

    (void)state;
    owner.endless = clients;
    owner.room = 0;
    client_dial(owner.f, &clients[owner.dialled++]);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, true);
    for (turns = 0; turns < most + 10 && !owner.closed; turns++) {
        run_for(&owner.f->loop, 1);
        owner.room = 1;
        tlr_listener_resume(&owner.listener);
    }
    run_until(&owner.f->loop, is_closed, NULL);
    assert_in_range(owner.accepted, 0, most);
    owner.endless = NULL;
    hang_up(clients, owner.dialled);
}

/* libuv stops a poll that failed before it says so. */
static void an_error_of_the_poll_is_survived(void **state)
{
    struct client client;

    (void)state;
    tlr_listener_start(&owner.listener);
    assert_int_equal(uv_poll_stop(&owner.listener.poll), 0);
    owner.listener.poll.poll_cb(&owner.listener.poll, UV_EBADF, 0);
    dial(&client, 1);
    wait_for(1);
    hang_up(&client, 1);
}

static void without_descriptors_it_rests_and_heals(void **state)
{
    struct client clients[5];
    unsigned batches;

    (void)state;
    if (!limit_descriptors(SIZE_MAX)) {
        skip();
    }
    dial(clients, 5);
    (void)limit_descriptors(0);
    tlr_listener_start(&owner.listener);
    run_for(&owner.f->loop, 300);
    batches = owner.batches;
    assert_int_equal(owner.accepted, 0);
    assert_in_range(batches, 2, 10); /* one each 50 ms */
    (void)limit_descriptors(SIZE_MAX);
    wait_for(5);
    hang_up(clients, 5);
}

/* A socket that another process has shut down fails like this for ever. */
static void closing_does_not_wait_for_accepts_that_always_fail(void **state)
{
    struct client client;

    (void)state;
    if (!fail_accepts(UV_EINVAL, UINT32_MAX)) {
        skip();
    }
    dial(&client, 1);
    tlr_listener_start(&owner.listener);
    tlr_listener_close(&owner.listener, true);
    run_until(&owner.f->loop, is_closed, NULL);
    (void)fail_accepts(0, 0);
    assert_int_equal(owner.accepted, 0);
    assert_in_range(owner.troubles, 2, 100);
    hang_up(&client, 1);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_are_accepted_in_batches),
        TEST(without_room_it_waits_to_be_told),
        TEST(closing_takes_what_is_queued),
        TEST(and_then_refuses_at_once),
        TEST(closing_at_once_does_not),
        TEST(closing_waits_for_room_for_the_queued),
        TEST(waiting_for_room_ends_when_told_so),
        TEST(the_queue_is_emptied_once),
        TEST(and_once_if_room_comes_bit_by_bit),
        TEST(an_error_of_the_poll_is_survived),
        TEST(closing_does_not_wait_for_accepts_that_always_fail),
        TEST(without_descriptors_it_rests_and_heals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
