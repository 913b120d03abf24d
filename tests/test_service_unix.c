/* SPDX-License-Identifier: MIT */
/* When teller-echo gives its manager a sign of life, and when it must not. */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo/service.h"

#define WATCHDOG 40 /* milliseconds; a sign comes in half of it */

struct manager {
    int sock;
    unsigned signs; /* notices that are nothing else */
    unsigned ready; /* that say so */
    char last[512]; /* notice */
};

static struct tlr_echo_service service; /* all zeroes before each test */

/* The program is told where the manager is as it is by one. */
static void read_environment(struct sockaddr_un *address, socklen_t length)
{
    struct tlr_cli_text complaint = {0};
    char name[sizeof(address->sun_path) + 1] = "";
    char watchdog[16];

    memcpy(name, address->sun_path,
           length - offsetof(struct sockaddr_un, sun_path));
    name[0] = '@';
    (void)snprintf(watchdog, sizeof(watchdog), "%d", WATCHDOG * 1000);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", watchdog, 1), 0);
    assert_int_equal(tlr_cli_systemd_read(&service.systemd, &complaint), 0);
}

/* By an abstract name, which no file has to be removed for. */
static void open_manager(struct manager *manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);

    memset(manager, 0, sizeof(*manager));
    manager->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager->sock, (struct sockaddr *)&address,
                          sizeof(address.sun_family)),
                     0);
    assert_int_equal(
        getsockname(manager->sock, (struct sockaddr *)&address, &length), 0);
    memset(&service, 0, sizeof(service));
    read_environment(&address, length);
}

static void begin(struct fixture *f, struct manager *manager)
{
    open_manager(manager);
    tlr_echo_service_ready(&service, &f->loop, 2);
}

static void end(const struct manager *manager)
{
    tlr_echo_service_close(&service);
    tlr_cli_systemd_free(&service.systemd);
    (void)close(manager->sock);
}

static void listen_to(struct manager *manager)
{
    ssize_t got;

    while ((got = recv(manager->sock, manager->last,
                       sizeof(manager->last) - 1, MSG_DONTWAIT)) > 0) {
        manager->last[got] = '\0';
        manager->signs += strcmp(manager->last, "WATCHDOG=1") == 0;
        manager->ready += strncmp(manager->last, "READY=1\n", 8) == 0;
    }
}

static bool has_signs(void *data)
{
    struct manager *manager = data;

    listen_to(manager);
    return manager->signs >= 3;
}

static void expect_signs(struct fixture *f, struct manager *manager)
{
    listen_to(manager);
    manager->signs = 0;
    run_until(&f->loop, has_signs, manager);
}

static void expect_silence(struct fixture *f, struct manager *manager)
{
    listen_to(manager);
    manager->signs = 0;
    run_for(&f->loop, 5 * WATCHDOG);
    listen_to(manager);
    assert_int_equal(manager->signs, 0);
}

static void it_is_alive_while_its_workers_are(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    expect_signs(f, &manager);
    tlr_echo_service_stall(&service, 0, WATCHDOG, false);
    tlr_echo_service_stall(&service, 1, WATCHDOG, false);
    expect_silence(f, &manager);
    tlr_echo_service_stall(&service, 0, 10 * WATCHDOG, true);
    expect_silence(f, &manager);
    tlr_echo_service_stall(&service, 1, 10 * WATCHDOG, true);
    expect_signs(f, &manager);
    end(&manager);
}

/* Or the manager would end it for what it allows. */
static void a_shorter_stall_is_no_reason_to_be_silent(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    service.systemd.watchdog = 3600000; /* and the timer goes on as before */
    tlr_echo_service_stall(&service, 0, WATCHDOG, false);
    expect_signs(f, &manager);
    end(&manager);
}

static void one_that_was_taken_over_is_silent(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    expect_signs(f, &manager);
    tlr_echo_service_leave(&service, 1234);
    expect_silence(f, &manager);
    end(&manager);
}

/* Peers may have them all: no reason for the manager to end it. */
static void it_is_alive_without_a_descriptor_left(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    assert_true(limit_descriptors(0));
    expect_signs(f, &manager);
    (void)limit_descriptors(SIZE_MAX);
    end(&manager);
}

static unsigned stall_time(uint64_t watchdog, unsigned asked)
{
    struct tlr_echo_service its = {.systemd.watchdog = watchdog};

    return tlr_echo_service_stall_time(&its, asked);
}

/* Or it would say that it is alive whatever its loops do. */
static void stalls_are_looked_for_in_time_for_the_manager(void **state)
{
    (void)state;
    assert_int_equal(stall_time(10000, 0), 5000);
    assert_int_equal(stall_time(10000, 1000), 1000);
    assert_int_equal(stall_time(10000, 60000), 5000);
    assert_int_equal(stall_time(UINT64_MAX / 1000, 0), UINT_MAX);
    assert_int_equal(stall_time(UINT64_MAX / 1000, 1000), 1000);
}

static void without_a_manager_stalls_are_the_users_affair(void **state)
{
    (void)state;
    assert_int_equal(stall_time(0, 0), 0);
    assert_int_equal(stall_time(0, 1000), 1000);
    assert_int_equal(stall_time(0, UINT_MAX), UINT_MAX);
}

/* ---- a manager that has no room ---- */

static int send_to(const struct manager *manager, int sock)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);

    assert_int_equal(
        getsockname(manager->sock, (struct sockaddr *)&address, &length), 0);
    return sendto(sock, "noise", 5, MSG_DONTWAIT, (struct sockaddr *)&address,
                  length) == -1
               ? errno
               : 0;
}

/* Its queue is full when this returns. */
static void fill(const struct manager *manager)
{
    int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err;

    while ((err = send_to(manager, sock)) == 0) {
    }
    assert_true(err == EAGAIN || err == ENOBUFS);
    (void)close(sock);
}

static bool has_heard_of_the_other(void *data)
{
    struct manager *manager = data;

    listen_to(manager);
    return strcmp(manager->last, "READY=1\nMAINPID=1234\nWATCHDOG=1") == 0;
}

static bool has_heard_that_it_is_ready(void *data)
{
    struct manager *manager = data;

    listen_to(manager);
    return manager->ready > 0;
}

static void it_insists_on_being_ready(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    open_manager(&manager);
    fill(&manager);
    tlr_echo_service_ready(&service, &f->loop, 2);
    run_until(&f->loop, has_heard_that_it_is_ready, &manager);
    expect_signs(f, &manager);
    assert_int_equal(manager.ready, 1);
    end(&manager);
}

/* And has not ended before, however little else there is to do. */
static void it_insists_on_who_is_the_service(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    expect_signs(f, &manager);
    fill(&manager);
    tlr_echo_service_leave(&service, 1234);
    tlr_echo_service_close(&service);
    assert_int_not_equal(uv_run(&f->loop, UV_RUN_NOWAIT), 0);
    run_until(&f->loop, has_heard_of_the_other, &manager);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    end(&manager);
}

/* A READY=1 that comes late would tell of the wrong process. */
static void only_the_last_word_counts(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    open_manager(&manager);
    fill(&manager);
    tlr_echo_service_ready(&service, &f->loop, 2);
    listen_to(&manager);
    tlr_echo_service_leave(&service, 1234);
    expect_silence(f, &manager);
    assert_string_equal(manager.last, "READY=1\nMAINPID=1234\nWATCHDOG=1");
    end(&manager);
}

/* Nor does it try for ever. */
static void but_no_longer_than_so_long(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    fill(&manager);
    tlr_echo_service_leave(&service, 1234);
    tlr_echo_service_close(&service);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    listen_to(&manager);
    assert_string_equal(manager.last, "noise");
    end(&manager);
}

/* ---- a takeover ---- */

/* The manager's time does not begin anew with another main process. */
static void a_takeover_leaves_no_gap_between_signs(void **state)
{
    struct fixture *f = *state;
    struct manager manager;

    begin(f, &manager);
    listen_to(&manager);
    assert_non_null(strstr(manager.last, "READY=1\n"));
    assert_non_null(strstr(manager.last, "\nWATCHDOG=1"));
    /* If that was heeded or not: nobody has yet said whose service it is. */
    assert_true(uv_timer_get_due_in(&service.alive) <= WATCHDOG / 8);
    expect_signs(f, &manager);
    tlr_echo_service_leave(&service, 1234);
    listen_to(&manager);
    assert_string_equal(manager.last, "READY=1\nMAINPID=1234\nWATCHDOG=1");
    end(&manager);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_alive_while_its_workers_are),
        TEST(a_shorter_stall_is_no_reason_to_be_silent),
        TEST(one_that_was_taken_over_is_silent),
        TEST(it_is_alive_without_a_descriptor_left),
        cmocka_unit_test(stalls_are_looked_for_in_time_for_the_manager),
        cmocka_unit_test(without_a_manager_stalls_are_the_users_affair),
        TEST(it_insists_on_being_ready),
        TEST(it_insists_on_who_is_the_service),
        TEST(only_the_last_word_counts),
        TEST(but_no_longer_than_so_long),
        TEST(a_takeover_leaves_no_gap_between_signs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
