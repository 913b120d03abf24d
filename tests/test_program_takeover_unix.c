/* SPDX-License-Identifier: MIT */
/*
 * The real teller-echo replaced by the next one while clients come and go, and
 * started as systemd would start it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json_reader.h"
#include "peers.h"
#include "programs.h"

static char folder[64];
static char path[80];

static int set_up(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/teller-takeover-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/echo", folder);
    return scene_setup(state);
}

static int tear_down(void **state)
{
    int err = scene_teardown(state);
    (void)unlink(path);
    (void)rmdir(folder);
    return err;
}

#define NEXT(balance, ...)                                                     \
    ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "2", "--balance",  \
        balance, "--takeover", path, __VA_ARGS__)

/* ---- clients that come and go ---- */

enum { CALLERS = 8, SIZE_MOST = 3000 };

/* Each connects, sends, gets it all back, half-closes, sees the end, and comes
 * again. Anything else is a fault. */
struct caller {
    struct load *load;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint8_t bytes[SIZE_MOST];
    size_t size;
    size_t received;
};

struct load {
    struct scene *scene;
    struct sockaddr_in address;
    struct caller callers[CALLERS];
    unsigned busy; /* callers that go on */
    bool enough;
    unsigned served;
    unsigned refused; /* connections */
    unsigned reset;
    unsigned wrong; /* bytes, or an end too early */
};

static void call(struct caller *caller);

static void on_caller_closed(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    if (caller->load->enough) {
        caller->load->busy--;
    } else {
        call(caller);
    }
}

static void hang_up(struct caller *caller)
{
    if (!uv_is_closing((uv_handle_t *)&caller->tcp)) {
        uv_close((uv_handle_t *)&caller->tcp, on_caller_closed);
    }
}

static void on_caller_alloc(
    uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536]; /* is read right after this */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_caller_read(
    uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct caller *caller = stream->data;
    struct load *load = caller->load;
    for (ssize_t i = 0; i < nread; i++, caller->received++) {
        load->wrong += caller->received >= caller->size ||
            (uint8_t)buf->base[i] != caller->bytes[caller->received];
    }
    if (nread > 0 && caller->received == caller->size) {
        (void)uv_shutdown(&caller->shutdown, stream, NULL); /* UV_EOF tells */
    } else if (nread == UV_EOF) {
        load->wrong += caller->received != caller->size;
        load->served++;
        hang_up(caller);
    } else if (nread < 0) {
        load->reset++;
        hang_up(caller);
    }
}

static void on_called(uv_connect_t *request, int status)
{
    struct caller *caller = request->data;
    uv_buf_t buf = uv_buf_init((char *)caller->bytes, (unsigned)caller->size);
    if (status != 0) {
        caller->load->refused++;
        hang_up(caller);
        return;
    }
    if (uv_read_start((uv_stream_t *)&caller->tcp, on_caller_alloc,
            on_caller_read) != 0 ||
        uv_write(&caller->write, (uv_stream_t *)&caller->tcp, &buf, 1, NULL) !=
            0) {
        caller->load->reset++;
        hang_up(caller);
    }
}

static void call(struct caller *caller)
{
    struct load *load = caller->load;
    caller->size = 1 + (load->served * 131) % SIZE_MOST;
    caller->received = 0;
    for (size_t i = 0; i < caller->size; i++) {
        caller->bytes[i] = (uint8_t)(load->served + i * 7 + (i >> 8));
    }
    assert_int_equal(uv_tcp_init(&load->scene->loop, &caller->tcp), 0);
    caller->tcp.data = caller;
    caller->connect.data = caller;
    if (uv_tcp_connect(&caller->connect, &caller->tcp,
            (struct sockaddr *)&load->address, on_called) != 0) {
        load->refused++;
        hang_up(caller);
    }
}

static struct load *load_begin(struct scene *scene, const char *address)
{
    struct load *load = scene_alloc(scene, sizeof(*load));
    load->scene = scene;
    assert_int_equal(uv_ip4_addr("127.0.0.1",
                         atoi(strchr(address, ':') + 1), &load->address), 0);
    load->busy = CALLERS;
    for (unsigned i = 0; i < CALLERS; i++) {
        load->callers[i].load = load;
        call(&load->callers[i]);
    }
    return load;
}

struct amount {
    const struct load *load;
    unsigned served;
};

static bool has_served(const void *arg)
{
    const struct amount *amount = arg;
    return amount->load->served >= amount->served;
}

/* So many more are served. */
static void load_wait(struct load *load, unsigned more)
{
    struct amount amount = {load, load->served + more};
    assert_true(run_until(load->scene, has_served, &amount));
}

static bool nobody_is_busy(const void *arg)
{
    return ((const struct load *)arg)->busy == 0;
}

static void load_end(struct load *load)
{
    load->enough = true;
    assert_true(run_until(load->scene, nobody_is_busy, load));
    print_message("%u connections: %u refused, %u reset, %u wrong bytes\n",
        load->served, load->refused, load->reset, load->wrong);
    assert_int_equal(load->refused, 0);
    assert_int_equal(load->reset, 0);
    assert_int_equal(load->wrong, 0);
}

/* ---- restarts under load ---- */

/* Has ended as after Ctrl-C. */
static void expect_left(struct program *program)
{
    if (program_wait(program) != 0 || program_complains(program) ||
        strstr(program->out.text, "has taken over\n") == NULL ||
        strstr(program->out.text, "stopped after ") == NULL) {
        program_fail(program, "has not left as it should");
    }
}

static void restart_20_times(void **state, const char *balance)
{
    struct program *echo = program_start(*state, NEXT(balance, "--drain", "20"));
    const char *address = program_address(echo, 0);
    struct load *load = load_begin(*state, address);
    for (unsigned i = 0; i < 20; i++) {
        struct program *next =
            program_start(*state, NEXT(balance, "--drain", "20"));
        program_wait_for(next, &next->out, "took over 1 address from process");
        assert_string_equal(program_address(next, 0), address);
        expect_left(echo);
        load_wait(load, 20);
        echo = next;
    }
    load_end(load);
    program_stop(echo);
}

static void restarts_lose_nothing(void **state)
{
    restart_20_times(state, "least");
}

static void restarts_lose_nothing_over_a_listener_for_each_loop(void **state)
{
    restart_20_times(state, "reuseport");
}

/* Fails when it has the sockets already. */
static void a_start_that_fails_loses_nothing(void **state)
{
    struct program *echo =
        program_start(*state, NEXT("reuseport", "--drain", "20"));
    struct load *load = load_begin(*state, program_address(echo, 0));
    for (unsigned i = 0; i < 5; i++) {
        struct program *failing = program_start(
            *state, NEXT("reuseport", "--user", "no-such-user"));
        program_expect_complaint(failing, 1, ARGS("no-such-user"));
        load_wait(load, 20);
    }
    struct program *last = program_start(*state, NEXT("reuseport", "--json"));
    program_wait_lines(last, 2);
    expect_left(echo);
    load_end(load);
    program_ask(last, ASK_CTRL_C);
    assert_int_equal(program_wait(last), 0);
}

/* As core/takeover.h has them: a HELLO, and what comes for it. */
static int take_and_wait(void)
{
    struct {
        char magic[8];
        uint32_t version, kind, error, count, total, zero;
        int64_t pid;
    } message = {{'t', 'e', 'l', 'l', 'e', 'r', '>', '>'}, 1, 1, 0, 0, 0, 0,
        getpid()};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control;
    struct iovec bytes = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1,
        .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, path, strlen(path));
    if (connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        send(sock, &message, sizeof(message), 0) != sizeof(message) ||
        recvmsg(sock, &header, 0) != sizeof(message) || message.kind != 2) {
        return 1;
    }
    (void)kill(getpid(), SIGSTOP); /* the test sees it, and kills it */
    return 2;
}

struct child {
    pid_t pid;
    int status;
    bool seen; /* its stop, which is told once */
};

static bool has_stopped(const void *arg)
{
    struct child *child = (struct child *)(uintptr_t)arg;
    child->seen = child->seen ||
        waitpid(child->pid, &child->status, WNOHANG | WUNTRACED) == child->pid;
    return child->seen;
}

static void tick(uv_timer_t *timer)
{
    (void)timer; /* only turns the loop */
}

static void one_that_is_killed_before_it_is_ready_loses_nothing(void **state)
{
    struct scene *scene = *state;
    struct program *echo = program_start(*state, NEXT("least", "--drain", "20"));
    struct load *load = load_begin(*state, program_address(echo, 0));
    uv_timer_t *timer = scene_alloc(scene, sizeof(*timer));
    assert_int_equal(uv_timer_init(&scene->loop, timer), 0);
    assert_int_equal(uv_timer_start(timer, tick, 5, 5), 0);
    for (unsigned i = 0; i < 5; i++) {
        struct child child = {.pid = fork()};
        assert_true(child.pid >= 0);
        if (child.pid == 0) {
            _exit(take_and_wait());
        }
        assert_true(run_until(scene, has_stopped, &child));
        assert_true(WIFSTOPPED(child.status));
        load_wait(load, 20);
        (void)kill(child.pid, SIGKILL);
        assert_int_equal(waitpid(child.pid, &child.status, 0), child.pid);
    }
    struct program *next = program_start(*state, NEXT("least", "--drain", "1"));
    program_wait_for(next, &next->out, "took over");
    expect_left(echo);
    load_end(load);
    program_stop(next);
}

static void it_says_what_is_wrong_with_the_path(void **state)
{
    char longer[120];
    FILE *file = fopen(path, "w");
    struct program *echo;
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    echo = program_start(*state, NEXT("least", "--quiet"));
    program_expect_complaint(echo, 1, ARGS("no socket", path));
    assert_int_equal(access(path, F_OK), 0);
    memset(longer, 'x', sizeof(longer));
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    echo = program_start(
        *state, ARGS(TELLER_ECHO, "--takeover", longer));
    program_expect_complaint(echo, 1, ARGS("94 bytes"));
    echo = program_start(*state, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0",
                                     "--takeover", "/nowhere-at-all/echo"));
    program_expect_complaint(echo, 1, ARGS("folder", "/nowhere-at-all/echo"));
}

static void its_json_tells_of_both(void **state)
{
    struct program *old = program_start(*state, NEXT("least", "--json"));
    program_wait_lines(old, 1);
    struct program *new = program_start(*state, NEXT("least", "--json"));
    program_wait_lines(new, 2);
    const char *line = output_line(*state, &new->out, 0);
    char event[32];
    assert_true(json_string(line, "event", event, sizeof(event)));
    assert_string_equal(event, "took over");
    assert_true(json_number_at(line, "addresses") == 1);
    assert_true(json_number_at(line, "pid") == old->process.pid);
    program_wait_lines(old, 2);
    line = output_line(*state, &old->out, 1);
    assert_true(json_string(line, "event", event, sizeof(event)));
    assert_string_equal(event, "taken over");
    assert_true(json_number_at(line, "pid") == new->process.pid);
    assert_int_equal(program_wait(old), 0);
    program_stop(new);
}

/* ---- as systemd starts it ---- */

static int open_listener(struct sockaddr_in *address)
{
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof(*address);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, address), 0);
    assert_int_equal(bind(sock, (struct sockaddr *)address, length), 0);
    assert_int_equal(listen(sock, 128), 0);
    assert_int_equal(
        getsockname(sock, (struct sockaddr *)address, &length), 0);
    return sock;
}

struct inherited {
    int socks[2];
    unsigned count;
};

/* Sets variables, of which $$ is the program's own id, and gives it sockets as
 * descriptors 3 and 4. */
static struct program *start_as(struct scene *scene, const char *variables,
    const struct inherited *inherited, const char *options)
{
    uv_stdio_container_t stdio[5] = {{.flags = UV_IGNORE}};
    uv_process_options_t more = {.stdio = stdio, .stdio_count = 3};
    struct program *program = NULL;
    char command[512];
    for (unsigned i = 0; inherited != NULL && i < inherited->count; i++) {
        stdio[more.stdio_count].flags = UV_INHERIT_FD;
        stdio[more.stdio_count++].data.fd = inherited->socks[i];
    }
    (void)snprintf(command, sizeof(command), "%s exec %s %s", variables,
        TELLER_ECHO, options);
    assert_int_equal(program_try(scene, ARGS("/bin/sh", "-c", command), &more,
                         &program), 0);
    return program;
}

static void expect_served(struct scene *scene, const struct sockaddr_in *address)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u",
        (unsigned)ntohs(address->sin_port));
    struct client *client = client_connect(scene, text);
    client_echo(client, 1000);
    client_finish(client);
}

static void sockets_of_the_service_manager_are_used(void **state)
{
    struct sockaddr_in addresses[2];
    int socks[2] = {open_listener(&addresses[0]), open_listener(&addresses[1])};
    struct inherited two = {{socks[0], socks[1]}, 2};
    struct program *echo = start_as(*state,
        "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b", &two, "--loops 2");
    (void)program_address(echo, 1);
    assert_int_equal(output_lines(&echo->out), 3); /* and not on port 7007 */
    (void)close(socks[0]);
    (void)close(socks[1]);
    expect_served(*state, &addresses[0]);
    expect_served(*state, &addresses[1]);
    program_stop(echo);
}

static void and_addresses_of_its_own_beside_them(void **state)
{
    struct sockaddr_in address;
    int sock = open_listener(&address);
    struct inherited one = {{sock}, 1};
    struct program *echo = start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=1", &one,
        "--listen 127.0.0.1:0");
    client_finish(client_connect(*state, program_address(echo, 1)));
    (void)close(sock);
    expect_served(*state, &address);
    program_stop(echo);
}

/* Those of another process are let alone. */
static void sockets_for_somebody_else_are_not(void **state)
{
    struct sockaddr_in address;
    int sock = open_listener(&address);
    struct inherited one = {{sock}, 1};
    struct program *echo = start_as(*state, "LISTEN_PID=1 LISTEN_FDS=1", &one,
        "--listen 127.0.0.1:0");
    program_wait_for(echo, &echo->out, "try it");
    assert_int_equal(output_lines(&echo->out), 2);
    program_stop(echo);
    (void)close(sock);
}

static void nonsense_in_the_environment_is_told(void **state)
{
    struct program *echo =
        start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=x", NULL, "");
    program_expect_complaint(echo, 2, ARGS("LISTEN_FDS", "\"x\""));
    echo = start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=1", NULL, "3<&-");
    program_expect_complaint(echo, 2, ARGS("descriptor 3 is not open"));
    echo = start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=1", NULL, "3</dev/null");
    program_expect_complaint(echo, 2, ARGS("socket 0", "ListenStream="));
    echo = start_as(*state, "WATCHDOG_USEC=soon", NULL, "");
    program_expect_complaint(echo, 2, ARGS("WATCHDOG_USEC", "\"soon\""));
    echo = start_as(*state, "NOTIFY_SOCKET=somewhere", NULL, "");
    program_expect_complaint(echo, 2, ARGS("NOTIFY_SOCKET", "somewhere"));
}

/* The socket is the manager's, too, and is handed to each that is started. */
static void takeover_and_the_managers_sockets_go_together(void **state)
{
    struct sockaddr_in addresses[2];
    int socks[2] = {open_listener(&addresses[0]), open_listener(&addresses[1])};
    struct inherited one = {{socks[0]}, 1};
    struct inherited two = {{socks[0], socks[1]}, 2};
    char options[160];
    (void)snprintf(options, sizeof(options), "--takeover %s --drain 20", path);
    struct program *old =
        start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=1", &one, options);
    char address[32];
    (void)snprintf(address, sizeof(address), "%s", program_address(old, 0));
    struct load *load = load_begin(*state, address);
    struct program *new =
        start_as(*state, "LISTEN_PID=$$ LISTEN_FDS=2", &two, options);
    program_wait_for(new, &new->out, "try it");
    program_wait_for(new, &new->out, "took over 2 addresses");
    expect_left(old);
    load_wait(load, 20);
    load_end(load);
    expect_served(*state, &addresses[0]);
    expect_served(*state, &addresses[1]);
    program_stop(new);
    (void)close(socks[0]);
    (void)close(socks[1]);
}

/* ---- what it tells its manager ---- */

struct manager {
    uv_poll_t poll;
    int sock;
    char heard[8192]; /* all that was said, a line each, in order */
    size_t length;
};

static void on_said(uv_poll_t *poll, int status, int events)
{
    struct manager *manager = poll->data;
    ssize_t got;
    (void)status;
    (void)events;
    got = recv(manager->sock, manager->heard + manager->length,
        sizeof(manager->heard) - manager->length - 2, MSG_DONTWAIT);
    if (got > 0) {
        manager->length += (size_t)got;
        manager->heard[manager->length++] = '\n';
    }
}

static struct manager *manager_begin(struct scene *scene, const char *name)
{
    struct manager *manager = scene_alloc(scene, sizeof(*manager));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    manager->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager->sock, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                             strlen(name))),
        0);
    assert_int_equal(
        uv_poll_init(&scene->loop, &manager->poll, manager->sock), 0);
    manager->poll.data = manager;
    assert_int_equal(uv_poll_start(&manager->poll, UV_READABLE, on_said), 0);
    return manager;
}

static void manager_end(struct manager *manager)
{
    uv_close((uv_handle_t *)&manager->poll, NULL);
    (void)close(manager->sock);
}

struct awaited {
    const struct manager *manager;
    const char *words;
    unsigned times;
};

static unsigned count(const struct manager *manager, const char *words)
{
    unsigned times = 0;
    const char *found = strstr(manager->heard, words);
    for (; found != NULL; found = strstr(found + 1, words)) {
        times++;
    }
    return times;
}

static bool was_heard(const void *arg)
{
    const struct awaited *awaited = arg;
    return count(awaited->manager, awaited->words) >= awaited->times;
}

static void manager_wait(struct scene *scene, const struct manager *manager,
    const char *words, unsigned times)
{
    struct awaited awaited = {manager, words, times};
    if (!run_until(scene, was_heard, &awaited)) {
        fail_msg("the manager did not hear %s %u times, but:\n%s", words, times,
            manager->heard);
    }
}

static void expect_story(struct scene *scene, const char *name)
{
    struct manager *manager = manager_begin(scene, name);
    char variables[160];
    char ready[64];
    (void)snprintf(variables, sizeof(variables),
        "NOTIFY_SOCKET=%s WATCHDOG_PID=$$ WATCHDOG_USEC=20000", name);
    struct program *echo =
        start_as(scene, variables, NULL, "--listen 127.0.0.1:0 --drain 20");
    struct client *client = client_connect(scene, program_address(echo, 0));
    client_echo(client, 10);
    (void)snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d\n",
        echo->process.pid);
    manager_wait(scene, manager, ready, 1);
    manager_wait(scene, manager, "WATCHDOG=1\n", 5);
    assert_int_equal(count(manager, "STOPPING=1"), 0);
    program_ask(echo, ASK_OTHERWISE);
    manager_wait(scene, manager,
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=5000000\n"
        "STATUS=draining: 1 connection open\n", 2);
    client_finish(client);
    assert_int_equal(program_wait(echo), 0);
    manager_end(manager);
}

static void it_tells_its_manager_how_it_is(void **state)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "%s/notify", folder);
    expect_story(*state, name);
    assert_int_equal(unlink(name), 0);
}

static void and_by_an_abstract_name(void **state)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "@%s", folder);
    expect_story(*state, name);
}

static void a_manager_that_is_gone_does_no_harm(void **state)
{
    struct program *echo = start_as(*state,
        "NOTIFY_SOCKET=/nowhere/notify WATCHDOG_USEC=20000", NULL,
        "--listen 127.0.0.1:0");
    client_finish(client_connect(*state, program_address(echo, 0)));
    program_ask(echo, ASK_OTHERWISE);
    assert_int_equal(program_wait(echo), 0);
}

/* Of somebody else's watchdog nothing is made. */
static void the_watchdog_is_fed_by_whom_it_is_for(void **state)
{
    char name[96];
    char variables[200];
    (void)snprintf(name, sizeof(name), "@%s", folder);
    struct manager *manager = manager_begin(*state, name);
    (void)snprintf(variables, sizeof(variables),
        "NOTIFY_SOCKET=%s WATCHDOG_PID=1 WATCHDOG_USEC=2000", name);
    struct program *echo = start_as(
        *state, variables, NULL, "--listen 127.0.0.1:0 --stats 20ms");
    manager_wait(*state, manager, "READY=1", 1);
    program_wait_lines(echo, 6);
    assert_int_equal(count(manager, "WATCHDOG=1"), 0);
    program_ask(echo, ASK_OTHERWISE);
    assert_int_equal(program_wait(echo), 0);
    manager_end(manager);
}

/* What the unit's ExecReload= has its shell do before it starts the program. */
static void read_reload(char *commands, size_t size)
{
    static const char begin[] = "ExecReload=/bin/sh -c '";
    char line[512];
    FILE *unit = fopen(TELLER_UNIT, "r");
    const char *program = NULL;
    assert_non_null(unit);
    while (program == NULL && fgets(line, sizeof(line), unit) != NULL) {
        if (strncmp(line, begin, strlen(begin)) == 0) {
            program = strstr(line, "/usr/bin/teller-echo ");
        }
    }
    assert_int_equal(fclose(unit), 0);
    assert_non_null(program);
    (void)snprintf(commands, size, "%.*s",
        (int)(program - line - (ptrdiff_t)strlen(begin)), line + strlen(begin));
}

/* systemd may tell nobody of the watchdog then, or the shell: here a process
 * that is not even that. */
static void who_is_started_by_a_reload_gives_signs_of_life(void **state)
{
    char name[96];
    char reload[256];
    char variables[400];
    read_reload(reload, sizeof(reload));
    (void)snprintf(name, sizeof(name), "@%s", folder);
    struct manager *manager = manager_begin(*state, name);
    (void)snprintf(variables, sizeof(variables),
        "export NOTIFY_SOCKET=%s WATCHDOG_PID=1; %s", name, reload);
    struct program *echo =
        start_as(*state, variables, NULL, "--listen 127.0.0.1:0");
    manager_wait(*state, manager, "STATUS=serving on 1 address\n", 1);
    manager_wait(*state, manager, "WATCHDOG=1\n", 1);
    program_stop(echo);
    manager_end(manager);
}

/*
 * The manager follows the new process: by the word of the old one, before that
 * ends, and which then has nothing more to say.
 */
static void its_manager_follows_the_takeover(void **state)
{
    char name[96];
    char variables[160];
    char options[200];
    char words[64];
    (void)snprintf(name, sizeof(name), "@%s", folder);
    struct manager *manager = manager_begin(*state, name);
    (void)snprintf(variables, sizeof(variables), "NOTIFY_SOCKET=%s", name);
    (void)snprintf(options, sizeof(options),
        "--listen 127.0.0.1:0 --takeover %s --drain 20", path);
    struct program *old = start_as(*state, variables, NULL, options);
    struct client *client = client_connect(*state, program_address(old, 0));
    client_echo(client, 10);
    struct program *new = start_as(*state, variables, NULL, options);
    program_wait_for(old, &old->out, "has taken over");
    (void)snprintf(words, sizeof(words), "MAINPID=%d\n", new->process.pid);
    manager_wait(*state, manager, words, 2); /* by either */
    assert_false(old->exited);
    program_wait_for(old, &old->out, "bytes owed"); /* a second later */
    client_finish(client);
    expect_left(old);
    assert_int_equal(count(manager, "STOPPING=1"), 0);
    assert_int_equal(count(manager, "STATUS=draining"), 0);
    program_stop(new);
    manager_wait(*state, manager, "STOPPING=1", 1);
    manager_end(manager);
}

/* Lines of figures: the loop has turned, and seen what was there to be seen. */
static void let_it_turn(struct program *program)
{
    program_wait_lines(program, output_lines(&program->out) + 3);
}

/*
 * As systemd does it: SIGTERM for both, and another for the old one when the new
 * one has ended. Its clients go on. Ctrl-C, of a person, is another thing.
 */
static void stopping_the_service_does_not_hurry_the_old_one(void **state)
{
    struct program *old = program_start(
        *state, NEXT("least", "--drain", "1h", "--stats", "100ms"));
    struct client *client = client_connect(*state, program_address(old, 0));
    client_echo(client, 10);
    struct program *new = program_start(*state, NEXT("least", "--quiet"));
    program_wait_for(old, &old->out, "has taken over");
    program_ask(old, ASK_OTHERWISE);
    let_it_turn(old);
    program_ask(new, ASK_OTHERWISE);
    assert_int_equal(program_wait(new), 0);
    program_ask(old, ASK_OTHERWISE);
    let_it_turn(old);
    client_echo(client, 1000);
    program_ask(old, ASK_CTRL_C);
    (void)client_wait_end(client);
    assert_int_equal(program_wait(old), 0);
}

/* ---- without root ---- */

static bool has_line(int pid, const char *what, const char *line)
{
    char name[64];
    char text[4096] = "";
    (void)snprintf(name, sizeof(name), "/proc/%d/%s", pid, what);
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        return false;
    }
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    return got > 0 && strstr(text, line) != NULL;
}

/* A port that only root may have, bound by root, and served by nobody. */
static void root_listens_and_nobody_serves(void **state)
{
    if (geteuid() != 0) {
        skip_because("only root can give up being it");
    }
    if (access("/proc/self/status", R_OK) != 0) {
        skip_because("no /proc here");
    }
    struct program *echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "2", "--user",
            "65534:65533"));
    struct client *client = client_connect(*state, program_address(echo, 0));
    client_echo(client, 100);
    int pid = echo->process.pid;
    assert_true(has_line(pid, "status", "\nUid:\t65534\t65534\t65534\t65534\n"));
    assert_true(has_line(pid, "status", "\nGid:\t65533\t65533\t65533\t65533\n"));
    assert_true(has_line(pid, "status", "\nCapEff:\t0000000000000000\n"));
    assert_true(has_line(pid, "status", "\nNoNewPrivs:\t1\n"));
    client_finish(client);
    program_stop(echo);
}

/* The list of groups, with one more for the user nobody. */
static void write_groups(const char *file)
{
    FILE *from = fopen("/etc/group", "r");
    FILE *to = fopen(file, "w");
    char line[1024];
    assert_non_null(to);
    (void)fputs("teller-test:x:60001:nobody\n", to);
    while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
        (void)fputs(line, to);
    }
    if (from != NULL) {
        (void)fclose(from);
    }
    assert_int_equal(fclose(to), 0);
}

static void expect_groups(
    struct scene *scene, const char *file, const char *user, const char *groups)
{
    char command[512];
    (void)snprintf(command, sizeof(command),
        "mount --bind %s /etc/group && exec %s --listen 127.0.0.1:0 --user %s",
        file, TELLER_ECHO, user);
    struct program *echo = program_start(scene,
        ARGS("/usr/bin/env", "unshare", "-m", "/bin/sh", "-c", command));
    (void)program_address(echo, 0);
    if (!has_line(echo->process.pid, "status", groups)) {
        program_fail(echo, "--user %s should have %s", user, groups + 1);
    }
    program_stop(echo);
}

/* In a namespace with a list of groups of its own. */
static void a_user_has_its_groups(void **state)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct program *try = NULL;
    char file[96];
    char command[256];
    char number[16];
    char groups[64];
    if (geteuid() != 0 || access("/proc/self/status", R_OK) != 0 ||
        nobody == NULL || nobody->pw_gid <= 60001) {
        skip_because("only with root, /proc and the user nobody");
    }
    (void)snprintf(file, sizeof(file), "%s/group", folder);
    write_groups(file);
    (void)snprintf(command, sizeof(command), "mount --bind %s /etc/group", file);
    if (program_run(*state,
            ARGS("/usr/bin/env", "unshare", "-m", "/bin/sh", "-c", command),
            &try) != 0) {
        (void)unlink(file);
        skip_because("no namespaces here");
    }
    (void)snprintf(number, sizeof(number), "%u", (unsigned)nobody->pw_uid);
    (void)snprintf(groups, sizeof(groups), "\nGroups:\t60001 %u \n",
        (unsigned)nobody->pw_gid);
    expect_groups(*state, file, "nobody", groups);
    expect_groups(*state, file, number, groups);
    /* Or the one that is named, and no other. */
    expect_groups(*state, file, "nobody:60002", "\nGroups:\t60002 \n");
    expect_groups(*state, file, "60003:60002", "\nGroups:\t60002 \n");
    assert_int_equal(unlink(file), 0);
}

static void core_dumps_are_off_then(void **state)
{
    if (geteuid() != 0) {
        skip_because("only root can give up being it");
    }
    struct program *echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--user", "nobody"));
    (void)program_address(echo, 0);
    if (access("/proc/self/limits", R_OK) == 0) {
        assert_true(has_line(echo->process.pid, "limits",
            "\nMax core file size        0                    0  "));
    }
    program_stop(echo);
}

static void users_that_are_not_there(void **state)
{
    struct program *echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--user", "no-such-user"));
    program_expect_complaint(echo, 1, ARGS("no user", "no-such-user"));
    echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--user", "root:no-group"));
    program_expect_complaint(echo, 1, ARGS("no group", "no-group"));
    echo = program_start(*state,
        ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--user", "root:"));
    program_expect_complaint(echo, 2, ARGS("NAME:GROUP", "root:"));
}

/* Root takes over from who has given up being it, and does so again. */
static void takeover_goes_with_giving_up_root(void **state)
{
    if (geteuid() != 0) {
        skip_because("only root can give up being it");
    }
    assert_int_equal(chown(folder, 65534, 65534), 0);
    struct program *old =
        program_start(*state, NEXT("reuseport", "--user", "nobody"));
    struct load *load = load_begin(*state, program_address(old, 0));
    for (unsigned i = 0; i < 3; i++) {
        struct program *new =
            program_start(*state, NEXT("reuseport", "--user", "nobody"));
        program_wait_for(new, &new->out, "took over");
        expect_left(old);
        load_wait(load, 20);
        old = new;
    }
    load_end(load);
    program_stop(old);
    assert_int_not_equal(access(path, F_OK), 0);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(restarts_lose_nothing),
        TEST(restarts_lose_nothing_over_a_listener_for_each_loop),
        TEST(a_start_that_fails_loses_nothing),
        TEST(one_that_is_killed_before_it_is_ready_loses_nothing),
        TEST(it_says_what_is_wrong_with_the_path),
        TEST(its_json_tells_of_both),
        TEST(sockets_of_the_service_manager_are_used),
        TEST(and_addresses_of_its_own_beside_them),
        TEST(sockets_for_somebody_else_are_not),
        TEST(nonsense_in_the_environment_is_told),
        TEST(takeover_and_the_managers_sockets_go_together),
        TEST(it_tells_its_manager_how_it_is),
        TEST(and_by_an_abstract_name),
        TEST(a_manager_that_is_gone_does_no_harm),
        TEST(the_watchdog_is_fed_by_whom_it_is_for),
        TEST(who_is_started_by_a_reload_gives_signs_of_life),
        TEST(its_manager_follows_the_takeover),
        TEST(stopping_the_service_does_not_hurry_the_old_one),
        TEST(root_listens_and_nobody_serves),
        TEST(a_user_has_its_groups),
        TEST(core_dumps_are_off_then),
        TEST(users_that_are_not_there),
        TEST(takeover_goes_with_giving_up_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
