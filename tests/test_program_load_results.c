/* SPDX-License-Identifier: MIT */
/* What the real teller-load makes of its results: goals, CSV, repetition,
 * comparison; and what it says of the limits of its machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "load/squeeze.h"
#include "peers.h"
#include "programs.h"

#define LOAD(...) ARGS(TELLER_LOAD, __VA_ARGS__)

static struct program *start_echo(struct scene *scene)
{
    return program_start(
        scene, ARGS(TELLER_ECHO, "--listen", "127.0.0.1:0", "--loops", "1"));
}

/* Runs it, and requires its status. */
static struct program *run(
    struct scene *scene, int status, const char *const *args)
{
    struct program *load = program_start(scene, args);
    int got = program_wait(load);
    if (got != status) {
        program_fail(load, "has ended with %d, not with %d", got, status);
    }
    return load;
}

static void expect_said(const struct program *load, const char *words)
{
    if (strstr(load->err.text, words) == NULL) {
        program_fail(load, "does not say \"%s\"", words);
    }
}

/* Its one line, which is an object. */
static const char *object_of(struct scene *scene, const struct program *load)
{
    const char *json = output_line(scene, &load->out, 0);
    if (output_lines(&load->out) != 1 || !json_is_object(json)) {
        program_fail(load, "has not printed one JSON object");
    }
    return json;
}

/* ---- goals ---- */

static void a_goal_that_is_met_changes_nothing(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "5", "--quiet",
            "--require", "errors=0", "--require", "p99<1000s", "--require",
            "rate>0/s", "--require", "round_trips = 250"));
    assert_int_equal(load->out.length, 0);
    assert_int_equal(load->err.length, 0);
    program_stop(echo);
}

static void each_goal_that_is_missed_is_told_with_status_3(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 3,
        LOAD(program_address(echo, 0), "--round-trips", "5", "--quiet",
            "--require", "p99<0us", "--require", "errors=0", "--require",
            "round_trips>250"));
    expect_said(load, "teller-load: required p99<0us, but it was ");
    expect_said(load, "teller-load: required round_trips>250, but it was 250\n");
    if (output_lines(&load->err) != 2) {
        program_fail(load, "does not say just what was missed");
    }
    program_stop(echo);
}

static void what_is_not_verified_is_1_whatever_the_goals(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    struct program *load = run(*state, 1,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "p99<1000s", "--require", "errors=0"));
    expect_said(load, "required errors=0, but it was 3");
    (void)run(*state, 1,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "rate>1000000000"));
}

static void errors_that_a_goal_allows_are_no_failure(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    (void)run(*state, 0,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "errors<=3"));
    (void)run(*state, 0,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "errors.wrong_byte=3"));
    (void)run(*state, 1,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "errors.reset<=3"));
    (void)run(*state, 3,
        LOAD(liar->address, "--connections", "3", "--round-trips", "4",
            "--quiet", "--require", "errors<=3", "--require", "p50<0us"));
}

static void a_wrong_goal_is_wrong_usage(void **state)
{
    program_expect_complaint(
        program_start(*state, LOAD("127.0.0.1:1", "--require", "p99<5")), 2,
        ARGS("--require wants of p99 a time", "5ms"));
    program_expect_complaint(
        program_start(*state, LOAD("127.0.0.1:1", "--require", "errrors=0")),
        2, ARGS("--require knows no \"errrors\"", "did you mean errors?"));
}

/* ---- stopped in the warm-up ---- */

#define WITHIN "nothing was measured: the run ended within its warm-up of 3600 s"

static bool has_received(const void *arg)
{
    const struct liar *liar = arg;
    return liar->received > 0;
}

/* It is asked to stop when it has sent something. */
static struct program *run_within(struct scene *scene, int status,
    struct liar *liar, const char *const *args)
{
    liar->received = 0;
    struct program *load = program_start(scene, args);
    assert_true(run_until(scene, has_received, liar));
    program_ask(load, ASK_CTRL_C);
    int got = program_wait(load);
    if (got != status) {
        program_fail(load, "has ended with %d, not with %d", got, status);
    }
    return load;
}

static void a_run_within_its_warm_up_says_so(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct program *load = run_within(*state, 0, liar,
        LOAD(liar->address, "--warmup", "3600", "--connections", "2"));
    if (strstr(load->out.text, "\nnote: " WITHIN) == NULL) {
        program_fail(load, "does not say that nothing was measured");
    }
    load = run_within(*state, 0, liar,
        LOAD(liar->address, "--warmup", "3600", "--connections", "2",
            "--json"));
    expect_said(load, "teller-load: note: " WITHIN);
    json_expect(object_of(*state, load), "round_trips", 0);
    load = run_within(*state, 3, liar,
        LOAD(liar->address, "--warmup", "3600", "--connections", "2",
            "--quiet", "--require", "p99<1000s"));
    expect_said(load, "required p99<1000s, but it was not measured\n");
    if (output_lines(&load->err) != 1) {
        program_fail(load, "is not quiet");
    }
}

/* Whose round trips count from its end on. */
static void a_warm_up_leaves_out_what_the_manual_says(void **state)
{
    struct program *echo = start_echo(*state);
    const char *json = object_of(*state,
        run(*state, 0,
            LOAD(program_address(echo, 0), "--connections", "4",
                "--round-trips", "5", "--session", "1", "--warmup", "0.3",
                "--json", "--quiet")));
    json_expect(json, "round_trips", 20);
    json_expect(json, "bytes_sent", 20 * 64);
    json_expect(json, "latency_us.count", 20);
    assert_true(json_number_at(json, "connected") >= 24);
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    json = object_of(*state,
        run(*state, 1,
            LOAD(liar->address, "--connections", "3", "--round-trips", "4",
                "--warmup", "1000", "--json", "--quiet")));
    json_expect(json, "errors.wrong_byte", 3);
    json_expect(json, "round_trips", 0);
    assert_false(json_is_true(json, "verified"));
    program_stop(echo);
}

/* ---- repetition and CSV ---- */

static void several_runs_are_told_one_by_one(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "10", "--connections",
            "4", "--repeat", "3", "--json"));
    const char *json = object_of(*state, load);
    expect_said(load, ", 3 times; Ctrl-C ends it\n");
    expect_said(load, "teller-load: run 1 of 3\nteller-load: run 2 of 3\n"
                      "teller-load: run 3 of 3\n");
    json_expect(json, "repeat", 3);
    json_expect(json, "round_trips", 40);
    double rates[3];
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "runs.%d.round_trips_per_second", i);
        rates[i] = json_number_at(json, path);
        sum += rates[i];
    }
    double least = rates[0] < rates[1] ? rates[0] : rates[1];
    double most = rates[0] < rates[1] ? rates[1] : rates[0];
    least = rates[2] < least ? rates[2] : least;
    most = rates[2] > most ? rates[2] : most;
    double median = sum - least - most;
    double got = json_number_at(json, "round_trips_per_second");
    if (got < median - 0.2 || got > median + 0.2) {
        program_fail(load, "takes %f for the median, not %f", got, median);
    }
    program_stop(echo);
}

static void the_table_ends_with_the_range_of_the_runs(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "10", "--repeat", "2"));
    const char *runs =
        strstr(load->out.text, "\n2 runs; all of the above is of run ");
    const char *verdict = strstr(load->out.text, "erified");
    if (runs == NULL || strstr(runs, "median            max\n") == NULL ||
        verdict == NULL || verdict < runs ||
        strcmp(verdict, "erified: 64000 bytes, in 2 runs\n") != 0) {
        program_fail(load, "has no range of the runs");
    }
    program_stop(echo);
}

static bool is_second_run(const void *arg)
{
    const struct program *load = arg;
    return strstr(load->err.text, "run 2 of 1000\n") != NULL;
}

static void ctrl_c_ends_the_repetition_with_what_there_is(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = program_start(*state,
        LOAD(program_address(echo, 0), "--duration", "0.5", "--repeat", "1000",
            "--json"));
    assert_true(run_until(*state, is_second_run, load));
    program_ask(load, ASK_CTRL_C);
    int status = program_wait(load);
    const char *json = object_of(*state, load);
    if (status != 0 || !json_is_true(json, "stopped_early")) {
        program_fail(load, "(%d) has not stopped early", status);
    }
    json_expect(json, "repeat", 1000);
    assert_true(json_number_at(json, "round_trips_per_second") > 0);
    assert_true(json_number_at(json, "runs.0.round_trips_per_second") > 0);
    program_stop(echo);
}

static void a_run_that_is_not_verified_is_1_among_good_ones(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    struct program *load = run(*state, 1,
        LOAD(liar->address, "--connections", "1", "--round-trips", "4",
            "--repeat", "2"));
    const char *verdict = strstr(load->out.text, "erified");
    if (verdict == NULL || strcmp(verdict, "erified: 2 of the 2 runs; run 1: 1 "
                                           "error, run 2: 1 error\n") != 0) {
        program_fail(load, "does not say which runs were wrong");
    }
}

/* A folder for results; `remove_results` takes it away. */
struct results {
    char folder[512];
    char a[640];
    char b[640];
};

static void make_results(struct results *results)
{
    uv_fs_t request;
    char pattern[512];
    size_t size = sizeof(pattern) - 32;
    assert_int_equal(uv_os_tmpdir(pattern, &size), 0);
    (void)snprintf(pattern + size, sizeof(pattern) - size, "/teller-XXXXXX");
    assert_int_equal(uv_fs_mkdtemp(NULL, &request, pattern, NULL), 0);
    (void)snprintf(
        results->folder, sizeof(results->folder), "%s", request.path);
    uv_fs_req_cleanup(&request);
    (void)snprintf(results->a, sizeof(results->a), "%s/a.json",
        results->folder); /* all of them fit */
    (void)snprintf(
        results->b, sizeof(results->b), "%s/b.json", results->folder);
}

static void remove_results(const struct results *results)
{
    uv_fs_t request;
    (void)remove(results->a); /* a test may not have made it */
    (void)remove(results->b);
    assert_int_equal(uv_fs_rmdir(NULL, &request, results->folder, NULL), 0);
    uv_fs_req_cleanup(&request);
}

/* One that the test has made: it is removed. */
static void expect_in_file(
    struct program *program, const char *path, const char *words)
{
    static char text[1024 * 1024];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file); /* it was only read */
    if (strstr(text, words) == NULL) {
        program_fail(program, "has written %s without \"%s\"", path, words);
    }
    (void)remove(path);
}

static void the_page_tells_the_first_errors_in_full(void **state)
{
    struct liar *liar = liar_listen(*state);
    struct results results;
    make_results(&results);
    liar->flips = 100;
    struct program *load = run(*state, 1,
        LOAD(liar->address, "--connections", "1", "--round-trips", "4",
            "--report", results.a));
    expect_said(load, "connection 0: byte 100 is wrong");
    expect_in_file(load, results.a, "<li>connection 0: byte 100 is wrong");
    remove_results(&results);
}

static void csv_is_names_and_a_line_a_run(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "10", "--repeat", "2",
            "--csv", "--quiet"));
    const char *names = output_line(*state, &load->out, 0);
    const char *first = output_line(*state, &load->out, 1);
    const char *second = output_line(*state, &load->out, 2);
    if (output_lines(&load->out) != 3 ||
        strncmp(names, "run,schema,version,mode,", 24) != 0 ||
        strncmp(first, "1,teller-load/1," TELLER_VERSION ",echo,", 20) != 0 ||
        strncmp(second, "2,teller-load/1,", 16) != 0) {
        program_fail(load, "has not printed names and two lines");
    }
    program_stop(echo);
}

/* ---- comparison ---- */

static void write_file(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void rename_to(const char *from, const char *to)
{
    uv_fs_t request;
    assert_int_equal(uv_fs_rename(NULL, &request, from, to, NULL), 0);
    uv_fs_req_cleanup(&request);
}

static void write_result(struct scene *scene, const char *path,
    const char *address, const char *connections, const char *repeat)
{
    struct program *load = run(scene, 0,
        LOAD(address, "--round-trips", "5", "--connections", connections,
            "--repeat", repeat, "--json", "--quiet"));
    write_file(path, load->out.text, load->out.length);
}

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file != NULL) {
        (void)fclose(file);
    }
    return file != NULL;
}

static void two_outputs_never_share_a_file(void **state)
{
    struct results results;
    char again[640];
    make_results(&results);
    (void)snprintf(again, sizeof(again), "%s/./a.json", results.folder);
    program_expect_complaint(program_start(*state,
        LOAD("127.0.0.1:1", "--report", results.a, "--log", results.a)), 2,
        ARGS("--report, --histogram and --log: give each a file of its own"));
    program_expect_complaint(program_start(*state,
        LOAD("127.0.0.1:1", "--report", results.a, "--histogram", again,
            "--quiet")), 2,
        ARGS("are one file: give each a file of its own"));
    assert_false(exists(results.a));
    remove_results(&results);
}

static void standard_output_is_no_file_to_write(void **state)
{
    static const char *const options[] = {"--report", "--histogram", "--log"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        program_expect_complaint(
            program_start(*state, LOAD("127.0.0.1:1", options[i], "-")), 2,
            ARGS(options[i], "wants the name of a file, not \"-\""));
    }
    program_expect_complaint(
        program_start(*state, LOAD("merge", "log", "--histogram", "-")), 2,
        ARGS("wants the name of a file, not \"-\""));
}

/* But one that was there is. */
static void if_one_file_cannot_be_written_none_is_left(void **state)
{
    struct results results;
    char nowhere[640];
    char had[8] = "";
    make_results(&results);
    write_file(results.b, "before", 6);
    (void)snprintf(nowhere, sizeof(nowhere), "%s/none/x", results.folder);
    program_expect_complaint(program_start(*state,
        LOAD("127.0.0.1:1", "--report", results.a, "--histogram", nowhere,
            "--quiet")), 1, ARGS("cannot write", "none/x"));
    assert_false(exists(results.a));
    program_expect_complaint(program_start(*state,
        LOAD("127.0.0.1:1", "--report", results.b, "--log", nowhere,
            "--quiet")), 1, ARGS("cannot write", "none/x"));
    FILE *file = fopen(results.b, "rb");
    assert_non_null(file);
    assert_int_equal(fread(had, 1, sizeof(had), file), 6);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(had, "before");
    remove_results(&results);
}

static void results_are_put_side_by_side(void **state)
{
    struct program *echo = start_echo(*state);
    struct results results;
    make_results(&results);
    write_result(*state, results.a, program_address(echo, 0), "3", "3");
    write_result(*state, results.b, program_address(echo, 0), "4", "3");
    struct program *compare =
        run(*state, 0, LOAD("compare", results.a, results.b));
    static const char *const words[] = {"A  ", "a.json: echo, 3 connections, "
        "3 runs\n", "b.json: echo, 4 connections, 3 runs\n", "B/A\n",
        "\nrate /s ", "\nbytes /s ", "\np50 ", "\np90 ", "\np99 ", "\np99.9 ",
        "\nmax ", "\nconnect p99 ", "\nerrors ", "\nclient busy ",
        "differ in connections: 3 and 4\n", " the spread\n"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(compare->out.text, words[i]) == NULL) {
            program_fail(compare, "lacks \"%s\"", words[i]);
        }
    }
    const char *json = object_of(*state,
        run(*state, 0, LOAD("compare", "--json", results.a, results.b)));
    json_expect(json, "files.1.runs", 3);
    assert_true(json_number_at(json, "rows.rate.1.ratio") > 0);
    assert_true(json_number_at(json, "rows.p99_us.0.min") <=
                json_number_at(json, "rows.p99_us.0.max"));
    remove_results(&results);
    program_stop(echo);
}

static void of_single_runs_it_says_that_the_spread_is_unknown(void **state)
{
    struct program *echo = start_echo(*state);
    struct results results;
    make_results(&results);
    write_result(*state, results.a, program_address(echo, 0), "3", "1");
    struct program *compare =
        run(*state, 0, LOAD("compare", results.a, results.a));
    if (strstr(compare->out.text, "spread unknown (one run)\n") == NULL ||
        strstr(compare->out.text, "warning") != NULL) {
        program_fail(compare, "does not say that the spread is unknown");
    }
    remove_results(&results);
    program_stop(echo);
}

static void each_setting_that_differs_is_warned_of(void **state)
{
    static const char *const names[] = {"connections", "size", "depth",
        "threads", "rate", "session", "think", "warmup", "ramp", "duration",
        "round-trips", "timeout", "pieces", "read-rate", "write-rate", "sndbuf",
        "rcvbuf", "nodelay", "sources"};
    struct program *echo = start_echo(*state);
    const char *address = program_address(echo, 0);
    struct results results;
    make_results(&results);
    struct program *load = run(*state, 0,
        LOAD(address, "--mode", "slow", "--round-trips", "3", "--read-rate",
            "1M", "--think", "0.001", "--json", "--quiet"));
    write_file(results.a, load->out.text, load->out.length);
    load = run(*state, 0,
        LOAD(address, "--mode", "slow", "--round-trips", "4", "--write-rate",
            "1M", "--json", "--quiet", "--connections", "4", "--size",
            "64=99,128=1", "--depth", "2", "--threads", "2", "--rate", "10000",
            "--session", "2", "--warmup", "0.001", "--ramp", "0.001",
            "--duration", "15", "--timeout", "15", "--pieces", "32", "--sndbuf",
            "64k", "--rcvbuf", "64k", "--no-nodelay", "--source", "127.0.0.1"));
    write_file(results.b, load->out.text, load->out.length);
    struct program *compare =
        run(*state, 0, LOAD("compare", results.a, results.b));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char words[64];
        (void)snprintf(words, sizeof(words), " differ in %s: ", names[i]);
        if (strstr(compare->out.text, words) == NULL) {
            program_fail(compare, "does not say \"%s\"", words);
        }
    }
    if (strstr(compare->out.text, "size: 64 and 64=99,128=1\n") == NULL) {
        program_fail(compare, "does not say which sizes");
    }
    remove_results(&results);
    program_stop(echo);
}

static void a_damaged_file_is_named(void **state)
{
    struct program *echo = start_echo(*state);
    struct results results;
    make_results(&results);
    write_result(*state, results.a, program_address(echo, 0), "3", "1");
    write_file(results.b, "{\"schema\":\"teller-load/1\",\"mode\":\"ec", 36);
    program_expect_complaint(
        program_start(*state, LOAD("compare", results.a, results.b)), 1,
        ARGS("b.json is damaged", "JSON"));
    write_file(results.b, "{}\0{}", 5);
    program_expect_complaint(
        program_start(*state, LOAD("compare", results.a, results.b)), 1,
        ARGS("b.json is damaged", "zero"));
    write_file(results.b, "{\"schema\":\"other/1\"}", 20);
    program_expect_complaint(
        program_start(*state, LOAD("compare", results.a, results.b)), 1,
        ARGS("b.json is no result of teller-load"));
    (void)remove(results.b); /* so that it is not there */
    program_expect_complaint(
        program_start(*state, LOAD("compare", results.a, results.b)), 1,
        ARGS("b.json cannot be read (no such file"));
    remove_results(&results);
    program_stop(echo);
}

static void wrong_usage_of_compare_exits_with_2(void **state)
{
    program_expect_complaint(program_start(*state, LOAD("compare")), 2,
        ARGS("teller-load compare: JSON is missing"));
    program_expect_complaint(program_start(*state, LOAD("compare", "a.json")),
        2, ARGS("a.json is the only file", "give one more"));
    program_expect_complaint(
        program_start(*state, LOAD("compare", "a.json", "b.json", "--jsn")), 2,
        ARGS("unknown option --jsn; did you mean --json?"));
    struct program *help = run(*state, 0, LOAD("compare", "--help"));
    if (strstr(help->out.text, "usage: teller-load compare JSON...") == NULL) {
        program_fail(help, "does not help");
    }
}

/* ---- files, and standard output ---- */

/* German and Chinese: no code page of Windows but UTF-8 has both. */
#define FOREIGN "gr\xc3\xbcn-\xe6\xb5\x8b"

/* Whether that name, and no other one that it was taken for, is in the folder. */
static void expect_file(const char *folder, const char *name)
{
    uv_fs_t request;
    uv_dirent_t entry;
    bool found = false;
    assert_true(uv_fs_scandir(NULL, &request, folder, 0, NULL) >= 0);
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        found = found || strcmp(entry.name, name) == 0;
    }
    uv_fs_req_cleanup(&request);
    if (!found) {
        fail_msg("no %s", name);
    }
}

static void remove_file(const char *folder, const char *name)
{
    uv_fs_t request;
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* it fits */
    (void)uv_fs_unlink(NULL, &request, path, NULL); /* may not be there */
    uv_fs_req_cleanup(&request);
}

static void names_of_files_may_have_any_characters(void **state)
{
    static const char *const names[] = {FOREIGN ".txt", FOREIGN ".html",
        FOREIGN ".log", FOREIGN ".merged.txt", FOREIGN ".json"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    struct program *echo = start_echo(*state);
    struct results results;
    char paths[NAMES][640];
    make_results(&results);
    for (size_t i = 0; i < NAMES; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", results.folder,
            names[i]); /* it fits */
    }
    (void)run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "5", "--quiet",
            "--histogram", paths[0], "--report", paths[1], "--json"));
    expect_file(results.folder, names[0]);
    expect_file(results.folder, names[1]);
    if (tlr_load_squeeze_is_here()) {
        (void)run(*state, 0,
            LOAD(program_address(echo, 0), "--round-trips", "5", "--quiet",
                "--log", paths[2]));
        expect_file(results.folder, names[2]);
        (void)run(*state, 0,
            LOAD("merge", paths[2], "--quiet", "--histogram", paths[3]));
        expect_file(results.folder, names[3]);
    }
    write_result(*state, results.a, program_address(echo, 0), "3", "1");
    program_expect_complaint(
        program_start(*state, LOAD("compare", results.a, paths[4])), 1,
        ARGS("/" FOREIGN ".json cannot be read (no such file"));
    rename_to(results.a, paths[4]);
    const char *json = object_of(*state,
        run(*state, 0, LOAD("compare", paths[4], paths[4], "--json")));
    if (strstr(json, "/" FOREIGN ".json\"") == NULL) {
        fail_msg("another name in %s", json);
    }
    for (size_t i = 0; i < NAMES; i++) {
        remove_file(results.folder, names[i]);
    }
    remove_results(&results);
    program_stop(echo);
}

static void what_would_overwrite_another_is_wrong_usage(void **state)
{
    static const char *const files[] = {"--report", "--histogram", "--log"};
    for (size_t i = 0; i < 3; i++) {
        program_expect_complaint(
            program_start(*state,
                LOAD("127.0.0.1:1", files[i], "same.file", files[(i + 1) % 3],
                    "same.file")),
            2, ARGS("give each a file of its own"));
    }
    program_expect_complaint(
        program_start(*state,
            LOAD("127.0.0.1:1", "--threads", "2", "--loops", "3")),
        2, ARGS("--threads and --loops are the same; give one of them"));
}

/* What it writes to standard output goes where nothing fits. */
static void expect_full(struct scene *scene, const char *const *args)
{
    const char *shell[16] = {
        "/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"};
    size_t count = 3;
    for (; *args != NULL; args++) {
        assert_in_range(count, 0, 14);
        shell[count++] = *args;
    }
    program_expect_complaint(program_start(scene, shell), 1,
        ARGS("teller-load", ": cannot write to standard output: no space left"));
}

static void output_that_cannot_be_written_is_told(void **state)
{
    uv_fs_t request;
    int err = uv_fs_access(NULL, &request, "/dev/full", 2, NULL);
    uv_fs_req_cleanup(&request);
    if (err != 0) {
        skip_because("there is no /dev/full here");
    }
    struct program *echo = start_echo(*state);
    struct results results;
    const char *address = program_address(echo, 0);
    make_results(&results);
    expect_full(*state,
        LOAD(address, "--round-trips", "5", "--quiet", "--json"));
    expect_full(*state,
        LOAD(address, "--round-trips", "5", "--quiet", "--csv", "--repeat",
            "3"));
    expect_full(*state, LOAD("compare", "--help"));
    write_result(*state, results.a, address, "3", "1");
    expect_full(*state, LOAD("compare", results.a, results.a));
    if (tlr_load_squeeze_is_here()) {
        (void)run(*state, 0,
            LOAD(address, "--round-trips", "5", "--quiet", "--log", results.b));
        expect_full(*state, LOAD("merge", results.b));
    }
    remove_results(&results);
    program_stop(echo);
}

/* ---- what ends a run, and what is in its way ---- */

static void the_first_error_ends_it_if_so_asked(void **state)
{
    struct liar *liar = liar_listen(*state);
    liar->flips = 100;
    struct program *load = run(*state, 1,
        LOAD(liar->address, "--connections", "2", "--duration", "3600",
            "--repeat", "5", "--json", "--abort-on-error"));
    const char *json = object_of(*state, load);
    assert_true(json_is_true(json, "aborted"));
    assert_false(json_is_true(json, "verified"));
    assert_true(json_number_at(json, "errors.wrong_byte") >= 1);
    assert_true(json_number_at(json, "seconds") < 60);
    if (strstr(load->err.text, "run 2 of 5") != NULL) {
        program_fail(load, "runs again after an error");
    }
    load = run(*state, 1,
        LOAD(liar->address, "--connections", "2", "--duration", "3600",
            "--abort-on-error"));
    if (strstr(load->out.text, "aborted at the first error\n") == NULL) {
        program_fail(load, "does not say why it has ended");
    }
}

static void nothing_is_aborted_where_nothing_is_wrong(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 0,
        LOAD(program_address(echo, 0), "--round-trips", "5", "--json",
            "--abort-on-error"));
    assert_false(json_is_true(object_of(*state, load), "aborted"));
    program_stop(echo);
}

/* The shell lowers the limit, as far as the program cannot raise it again. */
static void too_few_descriptors_are_told_with_the_setting(void **state)
{
    if (!programs_have_takeover()) {
        skip_because("there is no such limit here");
    }
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 1,
        ARGS("/bin/sh", "-c", "ulimit -n 40 && exec \"$0\" \"$@\"", TELLER_LOAD,
            program_address(echo, 0), "--connections", "100", "--round-trips",
            "2", "--json"));
    const char *json = object_of(*state, load);
    expect_said(load, "cannot connect (too many open files); raise this "
                      "process's limit of open files (ulimit -n), or use fewer "
                      "connections\n");
    double failed = json_number_at(json, "errors.machine");
    assert_true(failed > 60 && failed < 100);
    assert_true(json_number_at(json, "errors.total") == failed);
    assert_true(json_number_at(json, "connected") == 100 - failed);
    json_expect(json, "round_trips", 2 * (100 - failed));
    program_stop(echo);
}

/* Each thread has a loop, and that takes some. */
static void too_many_threads_are_told_with_the_setting(void **state)
{
    if (!programs_have_takeover()) {
        skip_because("there is no such limit here");
    }
    struct program *load = run(*state, 1,
        ARGS("/bin/sh", "-c", "ulimit -n 40 && exec \"$0\" \"$@\"", TELLER_LOAD,
            "127.0.0.1:1", "--threads", "40"));
    expect_said(load, "cannot start: too many open files; raise this process's "
                      "limit of open files (ulimit -n), or use fewer "
                      "--threads\n");
}

/* What a machine without a free port says, it says of an address that is not its
 * own too (one for documentation: nobody has it). */
static void no_local_address_is_told_with_the_setting(void **state)
{
    struct program *echo = start_echo(*state);
    struct program *load = run(*state, 1,
        LOAD(program_address(echo, 0), "--connections", "2", "--round-trips",
            "2", "--json", "--source", "203.0.113.1"));
    expect_said(load, "give more addresses to --source, or raise "
                      "net.ipv4.ip_local_port_range\n");
    json_expect(object_of(*state, load), "errors.machine", 2);
    program_stop(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(a_goal_that_is_met_changes_nothing),
        scene_test(each_goal_that_is_missed_is_told_with_status_3),
        scene_test(what_is_not_verified_is_1_whatever_the_goals),
        scene_test(errors_that_a_goal_allows_are_no_failure),
        scene_test(a_wrong_goal_is_wrong_usage),
        scene_test(a_run_within_its_warm_up_says_so),
        scene_test(a_warm_up_leaves_out_what_the_manual_says),
        scene_test(several_runs_are_told_one_by_one),
        scene_test(the_table_ends_with_the_range_of_the_runs),
        scene_test(ctrl_c_ends_the_repetition_with_what_there_is),
        scene_test(a_run_that_is_not_verified_is_1_among_good_ones),
        scene_test(the_page_tells_the_first_errors_in_full),
        scene_test(csv_is_names_and_a_line_a_run),
        scene_test(two_outputs_never_share_a_file),
        scene_test(standard_output_is_no_file_to_write),
        scene_test(if_one_file_cannot_be_written_none_is_left),
        scene_test(results_are_put_side_by_side),
        scene_test(of_single_runs_it_says_that_the_spread_is_unknown),
        scene_test(each_setting_that_differs_is_warned_of),
        scene_test(a_damaged_file_is_named),
        scene_test(wrong_usage_of_compare_exits_with_2),
        scene_test(names_of_files_may_have_any_characters),
        scene_test(what_would_overwrite_another_is_wrong_usage),
        scene_test(output_that_cannot_be_written_is_told),
        scene_test(the_first_error_ends_it_if_so_asked),
        scene_test(nothing_is_aborted_where_nothing_is_wrong),
        scene_test(too_few_descriptors_are_told_with_the_setting),
        scene_test(too_many_threads_are_told_with_the_setting),
        scene_test(no_local_address_is_told_with_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
