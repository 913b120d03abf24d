/* SPDX-License-Identifier: MIT */
/* See server.h. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHARED_FD 3  /* in the server */
#define ADOPTED_FD 4 /* likewise */

static double seconds(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(2);
    }
}

/*
 * For teller-echo, whose lines may fall victim to a fault: a port that nobody
 * else is given while this socket has it, though another may bind it, too.
 */
static int hold_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd != -1 &&
             setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
             bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &length) == 0,
         "holding a port");
    *port = ntohs(address.sin_port);
    return fd;
}

struct child {
    const struct server *server;
    int memory;
    int input;
    int output;
    int adopted;
    unsigned listener;
    unsigned limit;
};

static void limit_descriptors(unsigned limit)
{
    struct rlimit both = {limit, limit};

    if (limit > 0) {
        (void)setrlimit(RLIMIT_NOFILE, &both);
    }
}

static void run_host(const struct child *child)
{
    char port[16];
    char fd[16];

    (void)snprintf(port, sizeof(port), "%u", child->listener);
    (void)snprintf(fd, sizeof(fd), "%d", child->adopted == -1 ? -1 : ADOPTED_FD);
    (void)execl(TELLER_FAULTS_HOST, TELLER_FAULTS_HOST, child->server->config->loops,
                child->server->config->balance, port, fd, (char *)NULL);
}

static void run_echo(const struct child *child)
{
    char address[32];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                   child->server->ports[0]);
    (void)execl(TELLER_ECHO, TELLER_ECHO, "--listen", address, "--loops",
                child->server->config->loops, "--balance",
                child->server->config->balance, (char *)NULL);
}

/* Out of the way of the low numbers first. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD, 64);

    (void)close(fd);
    return moved;
}

static void run_child(struct child child)
{
    int all = dup(child.server->errors);

    child.memory = move_up(child.memory);
    child.input = move_up(child.input);
    child.output = move_up(child.output);
    all = move_up(all);
    if (child.adopted != -1) {
        child.adopted = move_up(child.adopted);
        (void)dup2(child.adopted, ADOPTED_FD);
    }
    (void)dup2(child.input, 0);
    (void)dup2(child.output, 1);
    (void)dup2(all, 2);
    (void)dup2(child.memory, SHARED_FD);
    (void)close_range(child.adopted == -1 ? 4 : 5, ~0u, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL); /* as most have it */
    (void)setenv(TLR_FAULTS_VARIABLE, "3", 1);
    (void)setenv("LD_PRELOAD", TELLER_FAULTS, 1);
    (void)setenv("ASAN_OPTIONS",
                 "verify_asan_link_order=0:exitcode=99:detect_leaks=1:"
                 "handle_abort=0:allocator_may_return_null=1",
                 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99", 1);
    limit_descriptors(child.limit);
    if (child.server->config->echo) {
        run_echo(&child);
    } else {
        run_host(&child);
    }
    _exit(126);
}

static int share_plan(struct server *server, const struct tlr_faults *plan)
{
    int memory = memfd_create("faults", MFD_CLOEXEC);

    must(memory != -1 && ftruncate(memory, sizeof(*plan)) == 0, "memfd");
    server->faults = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE,
                          MAP_SHARED, memory, 0);
    must(server->faults != MAP_FAILED, "mmap");
    memcpy(server->faults, plan, sizeof(*plan));
    return memory;
}

void server_start(struct server *server, const struct config *config,
                  const struct tlr_faults *plan, unsigned listener,
                  int adopted, unsigned limit)
{
    struct child child = {server, -1, -1, -1, adopted, listener, limit};
    int input[2];
    int output[2];

    memset(server, 0, sizeof(*server));
    server->config = config;
    server->started = seconds();
    child.memory = share_plan(server, plan);
    server->errors = memfd_create("errors", MFD_CLOEXEC);
    must(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0,
         "pipe");
    server->held = -1;
    if (config->echo) {
        server->held = hold_port(&server->ports[0]);
    }
    child.input = input[0];
    child.output = output[1];
    (void)fflush(stdout);
    server->pid = fork();
    must(server->pid != -1, "fork");
    if (server->pid == 0) {
        run_child(child);
    }
    server->input = input[1];
    server->output = output[0];
    (void)fcntl(server->output, F_SETFL, O_NONBLOCK);
    (void)close(input[0]);
    (void)close(output[1]);
    (void)close(child.memory);
    if (adopted != -1) {
        (void)close(adopted);
    }
}

/* ---- what it says ------------------------------------------------------- */

static void understand(struct server *server)
{
    if (sscanf(server->line, "ready %u %u", &server->ports[0],
               &server->ports[1]) == 2) {
        server->ready = true;
    } else if (strncmp(server->line, "listening ", 10) == 0) {
        server->ready = server->config->echo; /* and what follows is text */
    } else if (strncmp(server->line, "lost ", 5) == 0) {
        server->lost++;
    } else if (strncmp(server->line, "again ", 6) == 0) {
        server->again++;
    } else {
        (void)sscanf(server->line, "failed %31s", server->failed);
    }
}

static void look_at_output(struct server *server)
{
    char some[512];
    ssize_t size;
    ssize_t i;

    while ((size = read(server->output, some, sizeof(some))) > 0) {
        for (i = 0; i < size; i++) {
            if (some[i] == '\n') {
                server->line[server->length] = '\0';
                server->length = 0;
                understand(server);
            } else if (server->length < sizeof(server->line) - 1) {
                server->line[server->length++] = some[i];
            }
        }
    }
}

/* Whether it can be connected to; and that is reset. */
static bool answers(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    struct linger linger = {1, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    answered =
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)close(fd);
    return answered;
}

/*
 * teller-echo says that it listens; but the memory for that may be what has
 * failed, and then it just answers.
 */
#define UNHEARD 3 /* seconds */

void server_look(struct server *server)
{
    if (!server->ended &&
        waitpid(server->pid, &server->status, WNOHANG) == server->pid) {
        server->ended = true;
    }
    look_at_output(server);
    if (server->config->echo && !server->ready && !server->ended &&
        seconds() - server->started >= UNHEARD) {
        server->ready = answers(server->ports[0]);
    }
}

void server_order(struct server *server, unsigned number)
{
    if (server->ended) {
        return;
    }
    if (server->config->echo) {
        (void)kill(server->pid, SIGTERM);
    } else {
        (void)!write(server->input, number == 0 ? "d" : "s", 1);
    }
}

void server_kill(struct server *server)
{
    unsigned i;

    if (server->ended) {
        return;
    }
    (void)kill(server->pid, SIGABRT);
    for (i = 0; i < 100 && !server->ended; i++) {
        (void)poll(NULL, 0, 10);
        server_look(server);
    }
    if (!server->ended) {
        (void)kill(server->pid, SIGKILL);
        (void)waitpid(server->pid, &server->status, 0);
        server->ended = true;
    }
}

void server_print_errors(const struct server *server)
{
    char some[4096];
    ssize_t size = pread(server->errors, some, sizeof(some), 0);

    if (size > 0) {
        (void)!write(1, some, (size_t)size);
    }
}

void server_close(struct server *server)
{
    (void)close(server->input);
    (void)close(server->output);
    (void)close(server->errors);
    if (server->held != -1) {
        (void)close(server->held);
    }
    (void)munmap(server->faults, sizeof(*server->faults));
}
