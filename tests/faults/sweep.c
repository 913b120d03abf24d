/* SPDX-License-Identifier: MIT */
/*
 * The sweep: a server, 22 connections, a drain and a stop, with the n-th call of
 * one function failing, for every function in use, every way for it to fail
 * that has come to mind, and n = 1 until there is no n-th call.
 *
 *     teller-faults-sweep [--quick] [--jobs N] [--config NAME] [--function NAME]
 *                         [--call N] [--scale KIB] [--patience MS] [--verbose]
 *
 * --quick: some configurations, and not every call; --scale: of the large
 * streams; --patience: with nothing happening, until it counts as a hang.
 *
 * What has to come of each: no crash, no hang, no descriptor and no memory left,
 * no wrong byte; connections that were not hit end well, and no more than one is
 * hit; a start that fails does so with the error of the call. Where libuv
 * aborts, the stack is printed and says so, and it must not be in the way of a
 * connection.
 *
 * The server is another process than the clients, with the shim in it; see
 * faults.h. Status 0: all is well; 1: something is not; 2: the sweep itself is
 * broken.
 */
#include "judge.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct config configs[] = {
    {"2 loops, least", "2", "least", false, true},
    {"2 loops, reuseport", "2", "reuseport", false, true},
    {"the host's loop", "host", "least", false, true},
    {"a borrowed loop", "borrowed", "least", false, false},
    {"1 loop, least", "1", "least", false, false},
    {"1 loop, reuseport", "1", "reuseport", false, false},
    {"teller-echo, 2 loops, least", "2", "least", true, true},
    {"teller-echo, 2 loops, reuseport", "2", "reuseport", true, false},
    {"teller-echo, the host's loop", "host", "least", true, false},
};

#define CONFIGS (sizeof(configs) / sizeof(configs[0]))
#define FAULTS_MOST 128
#define DEATHS_MOST 256
#define MISSES 2 /* cases in a row that have no n-th call */
#define LIMIT_FROM 8 /* descriptors: fewer and no program is loaded */
#define LIMIT_TO 64

/* One fault in one configuration: what the workers share. */
struct task {
    _Atomic unsigned next; /* index of its next case */
    _Atomic unsigned misses;
    _Atomic unsigned cases;
    _Atomic unsigned failed_starts;
    _Atomic unsigned lost;
    _Atomic unsigned aborts;
    _Atomic unsigned bad;
};

static struct shared {
    struct task tasks[CONFIGS][FAULTS_MOST];
    _Atomic int lock; /* of the deaths */
    unsigned death_count;
    struct death deaths[DEATHS_MOST];
    struct normal normal[CONFIGS];
} *shared;

static struct {
    bool quick;
    bool verbose;
    unsigned jobs;
    unsigned call; /* 0: all */
    unsigned patience;
    size_t scale;
    const char *config;
    const char *function;
} settings = {.jobs = 2, .patience = 20000, .scale = 0};

/* ---- which cases -------------------------------------------------------- */

/* So common that a quick run leaves out more and more of their calls. */
static bool is_common(const struct fault *fault)
{
    switch (fault->function) {
    case TLR_FAULT_READ:
    case TLR_FAULT_WRITE:
    case TLR_FAULT_WRITEV:
    case TLR_FAULT_READ_OTHER:
    case TLR_FAULT_WRITE_OTHER:
    case TLR_FAULT_EPOLL_WAIT:
    case TLR_FAULT_EPOLL_MOD:
    case TLR_FAULT_EPOLL_DEL:
    case TLR_FAULT_GETSOCKOPT:
    case TLR_FAULT_CLOSE:
        return true;
    default:
        return false;
    }
}

/*
 * The call of the i-th case, from 0. A quick run takes every call of the first
 * configuration, but for the common ones.
 */
static unsigned call_of(unsigned config, const struct fault *fault, unsigned i)
{
    bool all = !settings.quick || (config == 0 && !is_common(fault));
    unsigned call = 1;

    if (fault->function == TLR_FAULT_NONE) {
        return LIMIT_FROM + (all ? i : 5 * i);
    }
    if (all) {
        return i + 1;
    }
    while (i-- > 0) {
        call += 1 + (config == 0 ? call / 2 : call);
    }
    return call;
}

static bool is_wanted_config(unsigned config)
{
    return settings.config != NULL
               ? strcmp(configs[config].name, settings.config) == 0
               : !settings.quick || configs[config].quick;
}

static bool is_wanted(unsigned config, unsigned fault)
{
    const char *function = fault_function(faults[fault].function);

    if (!is_wanted_config(config)) {
        return false;
    }
    if (settings.function != NULL &&
        strcmp(function, settings.function) != 0) {
        return false;
    }
    if (faults[fault].function == TLR_FAULT_ALLOCATOR &&
        configs[config].echo) {
        return false;
    }
    /* A signal that is lost to EIO, which no pipe says, stops nothing. */
    if (configs[config].echo && faults[fault].error == EIO) {
        return false;
    }
    /* Of the other configurations a quick run has one error of each function. */
    if (settings.quick && config != 0 && fault > 0 &&
        faults[fault].function == faults[fault - 1].function) {
        return false;
    }
    /* A sanitizer's memory is not the shim's to deny. */
    return !TELLER_SANITIZED ||
           (faults[fault].function != TLR_FAULT_MALLOC &&
            faults[fault].function != TLR_FAULT_CALLOC &&
            faults[fault].function != TLR_FAULT_REALLOC);
}

/* ---- one case ------------------------------------------------------------ */

static void fill_plan(struct tlr_faults *plan, const struct fault *fault,
                      unsigned call)
{
    memset(plan, 0, sizeof(*plan));
    plan->function = fault->function;
    plan->kind = fault->kind;
    plan->error = fault->error;
    plan->keep = fault->keep;
    plan->from = call;
    plan->to = call + fault->times - 1;
}

static void keep_death(const struct death *death)
{
    int free = 0;
    unsigned i;

    while (!atomic_compare_exchange_weak(&shared->lock, &free, 1)) {
        free = 0;
    }
    for (i = 0; i < shared->death_count; i++) {
        if (same_death(&shared->deaths[i], death)) {
            break;
        }
    }
    if (i < DEATHS_MOST) {
        if (i == shared->death_count) {
            shared->deaths[shared->death_count++] = *death;
        }
        shared->deaths[i].cases++;
    }
    shared->lock = 0;
}

static void print_stack(const char *title, const struct tlr_fault_stack *stack)
{
    struct death death = {.fault = &faults[0], .stack = *stack};

    printf("    %s:\n", title);
    (void)judge_death(&death);
}

/* Those that are not through. */
static void print_peers(const struct clients *clients)
{
    unsigned i;

    for (i = 0; i < PEERS; i++) {
        const struct peer *peer = &clients->peers[i];

        if (peer->state != PEER_GOOD) {
            printf("    connection %u, in phase %d: state %d, port %u, %zu "
                   "bytes sent and %zu received of %zu%s; %s\n",
                   i, clients->phase, peer->state, peer->port, peer->sent,
                   peer->received, peer->size, peer->finished ? ", FIN" : "",
                   strerror(peer->error));
        }
    }
}

static void complain(unsigned config, const struct fault *fault,
                     unsigned call, const struct server *server,
                     const struct clients *clients,
                     const struct outcome *outcome)
{
    printf("BAD  %s: %s, %s, call %u: %s\n", configs[config].name,
           fault_function(fault->function), fault->name, call,
           outcome->complaint);
    print_peers(clients);
    if (server->faults->fired > 0) {
        print_stack("the call", &server->faults->fault);
    }
    if (server->faults->aborted) {
        print_stack("where it was", &server->faults->death);
    }
    (void)fflush(stdout);
    server_print_errors(server);
}

static void run_server(unsigned config, const struct fault *fault,
                       unsigned call, struct server *server,
                       struct clients *clients, struct outcome *outcome)
{
    unsigned limit = fault->function == TLR_FAULT_NONE ? call : 0;
    struct tlr_faults plan;
    int adopted = -1;
    bool hung;

    fill_plan(&plan, fault, call);
    clients_open(clients, &adopted);
    clients->may_starve = limit > 0;
    server_start(server, &configs[config], &plan, clients->listener_port,
                 adopted, limit);
    hung = !clients_run(clients, server, settings.patience);
    if (hung) {
        server_kill(server);
    }
    judge(fault, &shared->normal[config], server, clients, hung, outcome);
    clients_close(clients);
}

static void count(struct task *task, unsigned config,
                  const struct fault *fault, unsigned call,
                  const struct server *server, const struct clients *clients,
                  const struct outcome *outcome)
{
    bool aborted = server->faults->aborted && outcome->complaint[0] == '\0';

    task->cases++;
    task->failed_starts += outcome->failed_start;
    task->lost += outcome->lost;
    task->aborts += aborted;
    if (aborted) {
        struct death death = {.fault = fault,
                              .serving = server->ready,
                              .config = config,
                              .call = call,
                              .stack = server->faults->death};

        keep_death(&death);
    }
    if (outcome->complaint[0] != '\0') {
        task->bad++;
        complain(config, fault, call, server, clients, outcome);
    } else if (settings.verbose) {
        printf("     %s: %s, %s, call %u: %s, %u lost\n",
               configs[config].name, fault_function(fault->function),
               fault->name, call,
               aborted                 ? "aborted"
               : outcome->failed_start ? "not started"
                                       : "served",
               outcome->lost);
        (void)fflush(stdout);
    }
}

/* Whether there was such a call. */
static bool run_case(unsigned config, const struct fault *fault,
                     unsigned call, struct task *task)
{
    struct server server;
    struct clients clients;
    struct outcome outcome;

    run_server(config, fault, call, &server, &clients, &outcome);
    if (outcome.fired || outcome.complaint[0] != '\0') {
        count(task, config, fault, call, &server, &clients, &outcome);
    }
    server_close(&server);
    return outcome.fired;
}

/* ---- all of them ---------------------------------------------------------- */

static bool is_over(const struct task *task, const struct fault *fault,
                    unsigned call)
{
    return task->misses >= MISSES || task->bad >= 5 ||
           (fault->function == TLR_FAULT_NONE && call > LIMIT_TO);
}

static void run_task(unsigned config, unsigned index)
{
    struct task *task = &shared->tasks[config][index];
    const struct fault *fault = &faults[index];

    for (;;) {
        unsigned call = settings.call != 0
                            ? settings.call
                            : call_of(config, fault,
                                      atomic_fetch_add(&task->next, 1));

        if (is_over(task, fault, call)) {
            return;
        }
        if (run_case(config, fault, call, task)) {
            task->misses = 0;
        } else {
            task->misses++;
        }
        if (settings.call != 0) {
            return;
        }
    }
}

static void run_tasks(void)
{
    unsigned config;
    unsigned i;

    for (config = 0; config < CONFIGS; config++) {
        for (i = 0; i < fault_count; i++) {
            if (is_wanted(config, i)) {
                run_task(config, i);
            }
        }
    }
}

static void run_workers(void)
{
    unsigned i;

    (void)fflush(stdout);
    for (i = 0; i < settings.jobs; i++) {
        if (fork() == 0) {
            run_tasks();
            (void)fflush(stdout);
            _exit(0);
        }
    }
    while (wait(NULL) > 0 || errno == EINTR) {
    }
}

/* Without any fault everything has to be well; what is left is nobody's. */
static bool measure_normal(unsigned config)
{
    static const struct fault none = {TLR_FAULT_NONE, TLR_FAULT_ERROR, 0, 0,
                                      1, 0, 0, "no fault"};
    struct normal most = {0, 0};
    bool good = true;
    int i;

    shared->normal[config] = (struct normal){1000, 1 << 30};
    for (i = 0; i < 3; i++) {
        struct server server;
        struct clients clients;
        struct outcome outcome;

        run_server(config, &none, 0, &server, &clients, &outcome);
        if (outcome.complaint[0] != '\0') {
            complain(config, &none, 0, &server, &clients, &outcome);
            good = false;
        }
        if (server.faults->descriptors > most.descriptors) {
            most.descriptors = server.faults->descriptors;
        }
        if (server.faults->blocks > most.blocks) {
            most.blocks = server.faults->blocks;
        }
        server_close(&server);
    }
    shared->normal[config] = most;
    return good;
}

/* ---- what came of it -------------------------------------------------------- */

static void add(struct task *sum, const struct task *task)
{
    sum->cases += task->cases;
    sum->failed_starts += task->failed_starts;
    sum->lost += task->lost;
    sum->aborts += task->aborts;
    sum->bad += task->bad;
}

static void print_row(const char *name, const struct task *task)
{
    if (task->cases > 0) {
        printf("  %-26s %8u %12u %12u %8u %6u\n", name, task->cases,
               task->failed_starts, task->lost, task->aborts, task->bad);
    }
}

static void print_header(const char *title)
{
    printf("%s\n  %-26s %8s %12s %12s %8s %6s\n", title, "", "cases",
           "not started", "connections", "libuv", "bad");
    printf("  %-26s %8s %12s %12s %8s %6s\n", "", "", "", "lost", "aborts",
           "");
}

static struct task print_table(void)
{
    struct task all = {0};
    unsigned function;
    unsigned config;
    unsigned i;

    print_header("By function");
    for (function = 0; function < TLR_FAULT_COUNT; function++) {
        struct task sum = {0};

        for (i = 0; i < fault_count; i++) {
            for (config = 0;
                 faults[i].function == function && config < CONFIGS;
                 config++) {
                add(&sum, &shared->tasks[config][i]);
            }
        }
        print_row(function == TLR_FAULT_NONE ? "n descriptors only"
                                             : fault_function(function),
                  &sum);
    }
    print_header("By configuration");
    for (config = 0; config < CONFIGS; config++) {
        struct task sum = {0};

        for (i = 0; i < fault_count; i++) {
            add(&sum, &shared->tasks[config][i]);
        }
        print_row(configs[config].name, &sum);
        add(&all, &sum);
    }
    return all;
}

static unsigned print_deaths(void)
{
    unsigned bad = 0;
    unsigned i;

    for (i = 0; i < shared->death_count; i++) {
        const struct death *death = &shared->deaths[i];
        bool libuvs;

        printf("  %s, %s, while the server %s: %u cases, such as call %u of "
               "\"%s\"\n",
               fault_function(death->fault->function), death->fault->name,
               death->serving ? "served" : "started", death->cases,
               death->call, configs[death->config].name);
        libuvs = judge_death(death);
        printf("    %s\n", libuvs ? "is libuv's"
                                  : "BAD: not libuv's, or not there");
        bad += !libuvs;
    }
    return bad;
}

static int report(double seconds)
{
    struct task all = print_table();
    unsigned bad = all.bad;

    if (shared->death_count > 0) {
        printf("Where it aborted\n");
        bad += print_deaths();
    }
    printf("%u cases in %.0f s: %u not started, %u connections lost, %u aborts "
           "of libuv, %u bad\n",
           all.cases, seconds, all.failed_starts, all.lost, all.aborts, bad);
    return bad > 0 || all.cases == 0;
}

/* ---- the beginning ------------------------------------------------------------ */

static void read_arguments(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--quick") == 0) {
            settings.quick = true;
            continue;
        }
        if (strcmp(argv[i], "--verbose") == 0) {
            settings.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--jobs") == 0) {
            settings.jobs = (unsigned)atoi(value);
        } else if (strcmp(argv[i], "--call") == 0) {
            settings.call = (unsigned)atoi(value);
        } else if (strcmp(argv[i], "--scale") == 0) {
            settings.scale = (size_t)atoi(value);
        } else if (strcmp(argv[i], "--patience") == 0) {
            settings.patience = (unsigned)atoi(value);
        } else if (strcmp(argv[i], "--config") == 0) {
            settings.config = value;
        } else if (strcmp(argv[i], "--function") == 0) {
            settings.function = value;
        } else {
            fprintf(stderr, "teller-faults-sweep: what is %s?\n", argv[i]);
            exit(2);
        }
        i++;
    }
}

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double start = now();
    bool good = true;
    unsigned config;

    read_arguments(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || fault_count > FAULTS_MOST) {
        return 2;
    }
    clients_make_data(settings.scale > 0 ? settings.scale
                      : settings.quick   ? 512
                                         : 2048);
    for (config = 0; config < CONFIGS; config++) {
        if (is_wanted_config(config)) {
            good &= measure_normal(config);
        }
    }
    if (!good) {
        return 1;
    }
    run_workers();
    return report(now() - start);
}
