/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- starting ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536]; /* is read right after this */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_output(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct output *output = stream->data;
    if (nread < 0) {
        output->ended = true;
        uv_close((uv_handle_t *)stream, NULL);
    }
    for (ssize_t i = 0; i < nread; i++) {
        if (buf->base[i] != '\r' && output->length + 1 < OUTPUT_MOST) {
            output->text[output->length++] = buf->base[i];
        }
    }
}

static void on_exited(uv_process_t *process, int64_t status, int term_signal)
{
    struct program *program = process->data;
    program->exited = true;
    program->status = status;
    program->term_signal = term_signal;
    uv_close((uv_handle_t *)process, NULL);
}

static uv_stdio_container_t open_pipe(
    struct scene *scene, struct output *output)
{
    assert_int_equal(uv_pipe_init(&scene->loop, &output->pipe, 0), 0);
    output->pipe.data = output;
    return (uv_stdio_container_t){
        .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
        .data.stream = (uv_stream_t *)&output->pipe,
    };
}

static void read_output(struct output *output)
{
    assert_int_equal(
        uv_read_start((uv_stream_t *)&output->pipe, on_alloc, on_output), 0);
}

int program_try(struct scene *scene, const char *const *args,
    const uv_process_options_t *more, struct program **started)
{
    struct program *program = scene_alloc(scene, sizeof(*program));
    uv_process_options_t options = *more;
    uv_stdio_container_t stdio[3 + EXTRA_MOST] = {{.flags = UV_IGNORE}};
    for (int i = 3; i < more->stdio_count; i++) {
        stdio[i] = more->stdio[i];
    }
    stdio[1] = open_pipe(scene, &program->out);
    stdio[2] = open_pipe(scene, &program->err);
    options.file = args[0];
    options.args = (char **)(uintptr_t)args; /* libuv does not write there */
    options.exit_cb = on_exited;
    options.stdio = stdio;
    options.stdio_count = more->stdio_count > 3 ? more->stdio_count : 3;
    /* A console of its own, without a window: see programs_win.c. */
    options.flags |= UV_PROCESS_WINDOWS_HIDE;
    program->scene = scene;
    program->file = args[0];
    program->process.data = program;
    int err = uv_spawn(&scene->loop, &program->process, &options);
    if (err != 0) {
        return err; /* the handles are closed by the teardown */
    }
    program->next = scene->programs;
    scene->programs = program;
    read_output(&program->out);
    read_output(&program->err);
    *started = program;
    return 0;
}

struct program *program_start(struct scene *scene, const char *const *args)
{
    const uv_process_options_t plain = {0};
    struct program *program = NULL;
    unsigned tries = 0;
    int err;
    do {
        err = program_try(scene, args, &plain, &program);
        tries++;
    } while (tries < TRIES_MOST && programs_may_start_after(err));
    if (err != 0) {
        fail_msg("cannot start %s: %s", args[0], uv_strerror(err));
    }
    return program;
}

int program_run(
    struct scene *scene, const char *const *args, struct program **program)
{
    *program = program_start(scene, args);
    return program_wait(*program);
}

/* ---- what it says ---- */

void program_fail(const struct program *program, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, args); /* may be cut */
    va_end(args);
    print_error("%s %s\n--- its stdout ---\n%s--- its stderr ---\n%s---\n",
        program->file, sentence, program->out.text, program->err.text);
    fail();
}

unsigned output_lines(const struct output *output)
{
    unsigned lines = 0;
    for (size_t i = 0; i < output->length; i++) {
        lines += output->text[i] == '\n';
    }
    return lines;
}

const char *output_line(
    struct scene *scene, const struct output *output, unsigned index)
{
    const char *begin = output->text;
    const char *end = strchr(begin, '\n');
    while (end != NULL && index > 0) {
        begin = end + 1;
        end = strchr(begin, '\n');
        index--;
    }
    if (end == NULL) {
        return NULL;
    }
    char *line = scene_alloc(scene, (size_t)(end - begin) + 1);
    memcpy(line, begin, (size_t)(end - begin));
    return line;
}

struct awaited {
    const struct output *output;
    const char *words;
};

static bool has_line_or_ended(const void *arg)
{
    const struct awaited *awaited = arg;
    const char *found = strstr(awaited->output->text, awaited->words);
    return (found != NULL && strchr(found, '\n') != NULL) ||
           awaited->output->ended;
}

void program_wait_for(
    struct program *program, const struct output *output, const char *words)
{
    struct awaited awaited = {.output = output, .words = words};
    (void)run_until(program->scene, has_line_or_ended, &awaited);
    if (strstr(output->text, words) == NULL) {
        program_fail(program, "has not said \"%s\"", words);
    }
}

struct some_lines {
    const struct output *output;
    unsigned count;
};

static bool has_lines_or_ended(const void *arg)
{
    const struct some_lines *lines = arg;
    return output_lines(lines->output) >= lines->count || lines->output->ended;
}

void program_wait_lines(struct program *program, unsigned count)
{
    struct some_lines lines = {.output = &program->out, .count = count};
    (void)run_until(program->scene, has_lines_or_ended, &lines);
    if (output_lines(&program->out) < count) {
        program_fail(program, "has not said %u lines", count);
    }
}

void program_hang_up(struct program *program)
{
    program->out.ended = true;
    uv_close((uv_handle_t *)&program->out.pipe, NULL);
}

struct nth_address {
    struct program *program;
    unsigned index;
};

static const char listening[] = "listening on ";

static const char *find_listening(const struct program *program, unsigned index)
{
    const char *found = strstr(program->out.text, listening);
    while (found != NULL && index > 0) {
        found = strstr(found + 1, listening);
        index--;
    }
    return found == NULL || strchr(found, '\n') == NULL ? NULL : found;
}

static bool listens_or_ended(const void *arg)
{
    const struct nth_address *nth = arg;
    return find_listening(nth->program, nth->index) != NULL ||
           nth->program->out.ended;
}

const char *program_address(struct program *program, unsigned index)
{
    struct nth_address nth = {.program = program, .index = index};
    (void)run_until(program->scene, listens_or_ended, &nth);
    const char *found = find_listening(program, index);
    if (found == NULL) {
        program_fail(program, "has not said where it listens");
        return NULL;
    }
    found += strlen(listening);
    size_t length = strcspn(found, ",\n");
    char *address = scene_alloc(program->scene, length + 1);
    memcpy(address, found, length);
    return address;
}

/* ---- ending ---- */

static bool is_over(const void *arg)
{
    const struct program *program = arg;
    return program->exited && program->out.ended && program->err.ended;
}

int program_wait(struct program *program)
{
    if (!run_until(program->scene, is_over, program)) {
        program_fail(program, "has not ended");
    }
    if (program->term_signal != 0) {
        program_fail(
            program, "was ended by signal %d", program->term_signal);
    }
    return (int)program->status;
}

void program_ask(struct program *program, enum ask ask)
{
    if (program->exited) {
        program_fail(program, "has ended before it was asked to");
    }
    int err = programs_send(program, ask);
    if (err != 0) {
        program_fail(program, "cannot be signalled: %s", uv_strerror(err));
    }
}

bool program_complains(const struct program *program)
{
    const struct output *err = &program->err;
    unsigned lines = output_lines(err);
    if (err->length > 0 && err->text[err->length - 1] != '\n') {
        return true;
    }
    for (unsigned i = 0; i < lines; i++) {
        const char *line = output_line(program->scene, err, i);
        if (strstr(line, " has not turned for ") == NULL &&
            strstr(line, " turns again, after ") == NULL) {
            return true;
        }
    }
    return false;
}

/* By its words too: whom Ctrl-C just ends leaves Wine with 0. */
void program_stop(struct program *program)
{
    const char *text = program->out.text;
    program_ask(program, ASK_CTRL_C);
    int status = program_wait(program);
    if (status != 0 || program_complains(program) ||
        (strstr(text, "\nstopped after ") == NULL &&
            strstr(text, "\"summary\"") == NULL)) {
        program_fail(program,
            "has ended with %d, with words, or without a summary", status);
    }
}

void program_expect_complaint(
    struct program *program, int status, const char *const *words)
{
    int got = program_wait(program);
    if (got != status || program->out.length != 0 ||
        output_lines(&program->err) != 1 ||
        program->err.text[program->err.length - 1] != '\n') {
        program_fail(program,
            "has ended with %d, not with %d and one line on stderr alone", got,
            status);
    }
    for (; *words != NULL; words++) {
        if (strstr(program->err.text, *words) == NULL) {
            program_fail(program, "does not complain of \"%s\"", *words);
        }
    }
}

static bool all_exited(const void *arg)
{
    const struct scene *scene = arg;
    const struct program *program = scene->programs;
    while (program != NULL && program->exited) {
        program = program->next;
    }
    return program == NULL;
}

void programs_end(struct scene *scene)
{
    for (struct program *p = scene->programs; p != NULL; p = p->next) {
        if (!p->exited) {
            (void)uv_process_kill(&p->process, SIGKILL); /* may just be gone */
        }
    }
    (void)run_until(scene, all_exited, scene); /* else they are left behind */
}
