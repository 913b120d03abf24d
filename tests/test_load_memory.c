/* SPDX-License-Identifier: MIT */
/*
 * teller-load without memory: of each of some command lines the n-th allocation
 * fails, for n from 1 until there is no n-th, and then all from the n-th on. It
 * neither crashes nor hangs nor leaks, and either is as it was or ends with a line
 * that says so. The shim of tests/faults makes them fail; where a sanitizer has
 * the allocator, it is faults/starve.c. Linux with glibc.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults/faults.h"
#include "load/squeeze.h"
#include "peers.h"
#include "programs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if !defined(PASSES)
#define PASSES 2 /* the n-th, and then all from the n-th on */
#endif

enum { MOST = 2000, AT_ONCE = 8, ARGS_MOST = 24, WORDS = 4, PLAN_FD = 3 };

/* In args: the server, and files: those that are there, and what a run writes,
 * which those beside it do not. */
#define SERVER "@server"
#define FILE_OF(name) "@<" name
#define WRITTEN(name) "@>" name

struct line {
    const char *args[ARGS_MOST];
    int status; /* when nothing is wrong */
    int failed; /* when there is no memory */
    bool liar;  /* the server changes a byte */
    const char *words[WORDS]; /* it has said, when nothing is wrong */
    const char *page;         /* a file that is whole then */
};

struct starved {
    struct program *program;
    struct tlr_faults *faults;
    unsigned slot; /* of those side by side */
    char paths[ARGS_MOST][600];
    const char *args[ARGS_MOST];
};

static char folder[512];
static const char *address; /* of the server */

/* ---- files ---- */

static void path_of(const char *name, char path[600])
{
    (void)snprintf(path, 600, "%s/%s", folder, name);
}

static void written_path(const char *name, unsigned slot, char path[600])
{
    (void)snprintf(path, 600, "%s/%s.%u", folder, name, slot);
}

static const char *text_of(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return "";
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) &&
           strcmp(text + length - strlen(end), end) == 0;
}

/* ---- a run ---- */

static struct tlr_faults *share(const struct tlr_faults *plan, int *fd)
{
    struct tlr_faults *faults;
    *fd = memfd_create("faults", MFD_CLOEXEC);
    assert_true(*fd != -1);
    assert_int_equal(ftruncate(*fd, sizeof(*plan)), 0);
    faults = mmap(
        NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    assert_true(faults != MAP_FAILED);
    memcpy(faults, plan, sizeof(*plan));
    return faults;
}

static void fill_in_args(
    struct starved *starved, const struct line *line, const char *server)
{
    size_t i;
    starved->args[0] = TELLER_STARVED;
    for (i = 0; line->args[i] != NULL; i++) {
        const char *arg = line->args[i];
        if (strcmp(arg, SERVER) == 0) {
            arg = server;
        } else if (strncmp(arg, "@<", 2) == 0) {
            path_of(arg + 2, starved->paths[i]);
            arg = starved->paths[i];
        } else if (strncmp(arg, "@>", 2) == 0) {
            written_path(arg + 2, starved->slot, starved->paths[i]);
            arg = starved->paths[i];
        }
        starved->args[i + 1] = arg;
    }
    starved->args[i + 1] = NULL;
}

static void start(struct scene *scene, struct starved *starved,
    const struct line *line, const struct tlr_faults *plan)
{
    static char *env[] = {"LD_PRELOAD=" TELLER_FAULTS,
        TLR_FAULTS_VARIABLE "=3",
        "ASAN_OPTIONS=verify_asan_link_order=0:exitcode=99:detect_leaks=1:"
        "handle_abort=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS=halt_on_error=1:exitcode=99", NULL};
    uv_stdio_container_t stdio[PLAN_FD + 1] = {{.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .env = env, .stdio = stdio, .stdio_count = PLAN_FD + 1};
    const char *server = address;
    int fd;
    if (line->liar) {
        struct liar *liar = liar_listen(scene);
        liar->flips = 70;
        server = liar->address;
    }
    starved->faults = share(plan, &fd);
    stdio[PLAN_FD].flags = UV_INHERIT_FD;
    stdio[PLAN_FD].data.fd = fd;
    fill_in_args(starved, line, server);
    assert_int_equal(
        program_try(scene, starved->args, &options, &starved->program), 0);
    (void)close(fd);
}

static bool is_over(const void *arg)
{
    const struct program *program = arg;
    return program->exited && program->out.ended && program->err.ended;
}

/* ---- what is right ---- */

/* What it leaves when nothing fails. */
struct normal {
    int descriptors;
    int blocks;
};

/* libuv has nothing else to do when it cannot watch a descriptor. */
static bool is_libuvs_abort(const struct tlr_faults *faults)
{
    const struct tlr_fault_stack *death = &faults->death;
    for (uint32_t i = 0; faults->aborted && i < death->count; i++) {
        const char *module = strrchr(death->frames[i].module, '/');
        if (module != NULL && strstr(module, "libteller_faults") == NULL &&
            strstr(module, "libc.so") == NULL) {
            return strstr(module, "libuv.so") != NULL;
        }
    }
    return false;
}

static bool said_all(const struct line *line, const struct starved *starved)
{
    const struct program *program = starved->program;
    char path[600];
    for (unsigned i = 0; i < WORDS && line->words[i] != NULL; i++) {
        if (strstr(program->out.text, line->words[i]) == NULL &&
            strstr(program->err.text, line->words[i]) == NULL) {
            return false;
        }
    }
    if (line->page == NULL) {
        return true;
    }
    written_path(line->page, starved->slot, path);
    return ends_with(text_of(path), "</html>\n");
}

/* pthread_create() says EAGAIN. */
static bool says_why(const struct program *program)
{
    const char *said = program->err.text;
    return strncmp(said, "teller-load", 11) == 0 && ends_with(said, "\n") &&
           (strstr(said, "memory") != NULL ||
               strstr(said, "temporarily unavailable") != NULL);
}

/* NULL, or what is wrong. */
static const char *complaint_of(const struct line *line,
    const struct starved *starved, const struct normal *normal)
{
    const struct program *program = starved->program;
    const struct tlr_faults *faults = starved->faults;
    if (program->term_signal != 0) {
        return is_libuvs_abort(faults) ? NULL : "crashes";
    }
    if (!faults->ended) {
        return "has not ended by itself";
    }
    if (faults->blocks > normal->blocks) {
        return "leaks memory";
    }
    if (faults->descriptors > normal->descriptors) {
        return "leaks descriptors";
    }
    if (program->status == line->status && said_all(line, starved)) {
        return NULL;
    }
    if (program->status != line->failed) {
        return "ends with a wrong status, or without all that it says";
    }
    return says_why(program) ? NULL : "does not say why";
}

/* ---- the sweep ---- */

static void complain(const struct starved *starved, const char *complaint)
{
    const struct tlr_faults *faults = starved->faults;
    print_error("allocation %u to %u of", faults->from, faults->to);
    for (size_t i = 1; starved->args[i] != NULL; i++) {
        print_error(" %s", starved->args[i]);
    }
    print_error("\n");
    for (uint32_t i = 0; i < faults->fault.count; i++) {
        const struct tlr_fault_frame *frame = &faults->fault.frames[i];
        print_error("  %s+0x%llx %s\n", frame->module,
            (unsigned long long)frame->offset, frame->symbol);
    }
    program_fail(starved->program, "(%d, signal %d) %s",
        (int)starved->program->status, starved->program->term_signal,
        complaint);
}

/* Runs it for n and those behind it, side by side. Returns how many of these runs
 * had an n-th allocation. */
static unsigned sweep_some(const struct line *line, uint32_t n, bool all_from,
    const struct normal *normal)
{
    static struct starved starved[AT_ONCE];
    unsigned reached = 0;
    void *state;
    assert_int_equal(scene_setup(&state), 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        starved[i].slot = i;
        start(state, &starved[i], line,
            &(struct tlr_faults){.function = TLR_FAULT_MEMORY,
                .from = n + i,
                .to = all_from ? UINT32_MAX : n + i});
    }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        bool over = run_until(state, is_over, starved[i].program);
        const char *complaint = over
                                    ? complaint_of(line, &starved[i], normal)
                                    : "hangs";
        if (complaint != NULL) {
            complain(&starved[i], complaint);
        }
        reached += starved[i].faults->fired > 0;
        (void)munmap(starved[i].faults, sizeof(*starved[i].faults));
    }
    assert_int_equal(scene_teardown(&state), 0);
    return reached;
}

static struct normal run_normally(const struct line *line)
{
    struct starved starved = {.slot = 0};
    void *state;
    assert_int_equal(scene_setup(&state), 0);
    start(state, &starved, line, &(struct tlr_faults){0});
    int status = program_wait(starved.program);
    if (status != line->status || !said_all(line, &starved) ||
        !starved.faults->ended) {
        program_fail(starved.program, "(%d) is not right with all memory",
            status);
    }
    struct normal normal = {
        starved.faults->descriptors, starved.faults->blocks};
    (void)munmap(starved.faults, sizeof(*starved.faults));
    assert_int_equal(scene_teardown(&state), 0);
    return normal;
}

static void sweep(const struct line *line)
{
    struct normal normal = run_normally(line);
    for (unsigned all_from = 0; all_from < PASSES; all_from++) {
        unsigned runs = 0;
        unsigned reached;
        do {
            reached = sweep_some(line, runs + 1, all_from, &normal);
            runs += reached;
            assert_in_range(runs, 1, MOST); /* or this proves nothing */
        } while (reached == AT_ONCE);
        print_message("%s %u allocations\n",
            all_from ? "all from each of" : "each of", runs);
    }
}

/* ---- the lines ---- */

/* More pieces than are written at once: some wait in memory. */
#define ECHO_OF                                                                \
    "--connections", "2", "--round-trips", "2", "--size", "64k", "--pieces",   \
        "1k"

static void a_run_that_writes_all_files(void **state)
{
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip_because("no log can be written without zlib");
    }
    sweep(&(struct line){
        .args = {SERVER, ECHO_OF, "--threads", "2", "--report",
            WRITTEN("page"), "--histogram", WRITTEN("percentiles"), "--log",
            WRITTEN("log")},
        .failed = 1,
        .words = {"every byte verified: 262144 bytes\n"},
        .page = "page",
    });
}

static void several_runs_as_json(void **state)
{
    (void)state;
    sweep(&(struct line){
        .args = {SERVER, "--connections", "2", "--round-trips", "3", "--repeat",
            "2", "--json", "--require", "errors=0"},
        .failed = 1,
        .words = {"\"repeat\":2,", "\"verified\":true}]}\n"},
    });
}

static void a_stream_as_csv(void **state)
{
    (void)state;
    sweep(&(struct line){
        .args = {SERVER, "--mode", "stream", "--connections", "1",
            "--duration", "0.01", "--sndbuf", "64k", "--rcvbuf", "64k",
            "--csv"},
        .failed = 1,
        .words = {"run,schema,", "1,teller-load/1,", "true\n"},
    });
}

static void a_wrong_byte(void **state)
{
    (void)state;
    sweep(&(struct line){
        .args = {SERVER, "--connections", "1", "--round-trips", "4"},
        .status = 1,
        .failed = 1,
        .liar = true,
        .words = {"byte 70 is wrong", "NOT verified: 1 of 1 connections"},
    });
}

static void wrong_usage(void **state)
{
    (void)state;
    sweep(&(struct line){
        .args = {SERVER, "--require", "p99<5"},
        .status = 2,
        .failed = 2,
        .words = {"teller-load: --require wants"},
    });
}

static void a_merge_of_logs(void **state)
{
    const struct line log = {
        .args = {SERVER, ECHO_OF, "--log", WRITTEN("a.log")}, .failed = 1};
    (void)state;
    if (!tlr_load_squeeze_is_here()) {
        skip_because("no log can be written without zlib");
    }
    (void)run_normally(&log);
    sweep(&(struct line){
        .args = {"merge", FILE_OF("a.log.0"), FILE_OF("a.log.0"), "--json",
            "--histogram", WRITTEN("percentiles")},
        .failed = 1,
        .words = {"\"round_trips\":8,", "\"verified\":true}]}\n"},
    });
}

static void write_result(const char *name, unsigned connections)
{
    char path[600];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(
        fprintf(file,
            "{\"schema\":\"teller-load/1\",\"mode\":\"echo\",\"connections\":%u,"
            "\"size\":64,\"depth\":1,\"loops\":1,\"rate\":0,"
            "\"round_trips_per_second\":7.5,\"runs\":[],\"verified\":true}",
            connections) > 0);
    assert_int_equal(fclose(file), 0);
}

/* They differ, which is a warning. */
static void a_comparison(void **state)
{
    (void)state;
    write_result("a.json", 1);
    write_result("b.json", 2);
    sweep(&(struct line){
        .args = {"compare", FILE_OF("a.json"), FILE_OF("b.json")},
        .failed = 1,
        .words = {"a.json: echo, 1 connections", "rate /s", "warning: "},
    });
    sweep(&(struct line){
        .args = {"compare", FILE_OF("a.json"), FILE_OF("b.json"), "--json"},
        .failed = 1,
        .words = {"\"rows\":{\"rate\":", "differ in connections"},
    });
}

/* ---- the server ---- */

static int begin(void **state)
{
    uv_fs_t request;
    assert_int_equal(scene_setup(state), 0);
    struct program *echo = program_start(
        *state, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "1"));
    address = program_address(echo, 0);
    assert_int_equal(
        uv_fs_mkdtemp(NULL, &request, "/tmp/teller-XXXXXX", NULL), 0);
    (void)snprintf(folder, sizeof(folder), "%s", request.path);
    uv_fs_req_cleanup(&request);
    return 0;
}

static int end(void **state)
{
    static const char *const written[] = {
        "page", "percentiles", "log", "a.log"};
    static const char *const files[] = {"a.json", "b.json"};
    char path[600];
    for (size_t i = 0; i < COUNT(files); i++) {
        path_of(files[i], path);
        (void)remove(path); /* or it is not there */
    }
    for (unsigned i = 0; i < COUNT(written) * AT_ONCE; i++) {
        written_path(written[i / AT_ONCE], i % AT_ONCE, path);
        (void)remove(path);
    }
    assert_int_equal(rmdir(folder), 0);
    return scene_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_writes_all_files),
        cmocka_unit_test(several_runs_as_json),
        cmocka_unit_test(a_stream_as_csv),
        cmocka_unit_test(a_wrong_byte),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(a_merge_of_logs),
        cmocka_unit_test(a_comparison),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
