/* SPDX-License-Identifier: MIT */
/*
 * The real programs, started by a test and watched on its loop. Each function
 * that waits fails the test when it takes too long, and prints what the program
 * has said so far.
 *
 * A struct program is the scene's. Its process is ended by the teardown if it
 * still runs: by the handle, never by its name.
 */
#ifndef TLR_TESTS_PROGRAMS_H
#define TLR_TESTS_PROGRAMS_H

#include "scene.h"

enum { OUTPUT_MOST = 65536 };

/* How often to try a start that fails: see programs_may_start_after. */
enum { TRIES_MOST = 3 };

/* What a program wrote, less the \r that Windows adds. Whatever goes beyond the
 * room is dropped: the test that looks for it fails. */
struct output {
    uv_pipe_t pipe;
    char text[OUTPUT_MOST];
    size_t length;
    bool ended;
};

struct program {
    struct scene *scene;
    const char *file;
    uv_process_t process;
    struct output out;
    struct output err;
    bool exited;
    int64_t status;
    int term_signal;
    struct program *next;
};

/* How a program is asked to stop: Ctrl-C or SIGINT, and the other way, which is
 * SIGTERM, or Ctrl-Break on Windows. */
enum ask { ASK_CTRL_C, ASK_OTHERWISE };

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* `args` begins with the file, TELLER_ECHO or TELLER_LOAD, and ends with NULL.
 * It is borrowed until this returns. */
struct program *program_start(struct scene *scene, const char *const *args);

/* Starts, waits until it is over, and returns its exit status. */
int program_run(
    struct scene *scene, const char *const *args, struct program **program);

/* Waits until the program has written a whole line with `words` in it. */
void program_wait_for(
    struct program *program, const struct output *output, const char *words);

/* Waits until there are so many lines on stdout. */
void program_wait_lines(struct program *program, unsigned count);

/* Stops reading stdout: whatever it still writes there fails. */
void program_hang_up(struct program *program);

/* Waits for the exit and the end of all output; returns the exit status. One
 * that a signal has ended fails the test. */
int program_wait(struct program *program);

/* Where it listens, "HOST:PORT", once it has said so: the `index`th of them. */
const char *program_address(struct program *program, unsigned index);

void program_ask(struct program *program, enum ask ask);

/* Whether it has said anything on stderr but that a loop has stalled, as loops do
 * if the machine has too much to do. */
bool program_complains(const struct program *program);

/* Asks teller-echo by Ctrl-C, waits, and requires exit status 0, its summary,
 * and no complaint. */
void program_stop(struct program *program);

/* Fails the test with a sentence about the program and all that it said. */
void program_fail(const struct program *program, const char *format, ...);

/* The program failed with `status`, wrote nothing to stdout, and one line to
 * stderr with all the `words` in it; `words` ends with NULL. */
void program_expect_complaint(
    struct program *program, int status, const char *const *words);

unsigned output_lines(const struct output *output);

/* A copy of line `index`, less the \n; NULL if it is not whole yet. */
const char *output_line(
    struct scene *scene, const struct output *output, unsigned index);

/* For the teardown. */
void programs_end(struct scene *scene);

/* ---- Contract of programs_unix.c, _win.c, _linux.c and _elsewhere.c ---- */

/* NULL, or why a program cannot be asked like that here. */
const char *programs_cannot_ask(enum ask ask);

/* Returns 0 or an error; the program may get the signal some time later. */
int programs_send(struct program *program, enum ask ask);

/* How many descriptors it has; 0 where they cannot be limited, or counted. */
unsigned programs_count_descriptors(const struct program *program);

/* Likewise, of handles where that is what there is: of these as many more than
 * before may stay as the second one says, which the system keeps by itself. */
unsigned programs_count_handles(const struct program *program);
unsigned programs_count_handles_slack(void);

/* How many children it has that it has not waited for; 0 where they cannot be
 * counted. */
unsigned programs_count_children(const struct program *program);

/* From now on it may have so many. */
void programs_limit_descriptors(
    const struct program *program, unsigned count);

/* Seconds of CPU that all of its threads have used. */
double programs_cpu_seconds(const struct program *program);

/* Whether --balance reuseport is for this system. */
bool programs_have_reuseport(void);

/* Whether a reset that comes right behind the last bytes is told from the end
 * of the stream: Wine 8 takes some for an end, and on a loaded machine most. */
bool programs_tell_every_reset(void);

/* Whether what a peer is owed comes behind its end too: Wine 8 drops it. */
bool programs_write_behind_an_end(void);

/* Whether --takeover and --user are. */
bool programs_have_takeover(void);

/* A port that only the mighty may listen on, for a program that is started
 * with these options added: `options` gets a user who is not. Returns the port;
 * 0 and *reason where there is none. */
unsigned programs_reserved_port(
    uv_process_options_t *options, const char **reason);

/* Where all may read and execute: an empty folder for a copy of a program. */
int programs_make_public_folder(char *path, size_t size);

/* Whether uv_spawn may well succeed if tried again after this error. */
bool programs_may_start_after(int err);

/* What a program may inherit beside its standard streams. */
enum { EXTRA_MOST = 4 };

/* program_start with more options; those set by it are overwritten, but of
 * stdio from 3 on. */
int program_try(struct scene *scene, const char *const *args,
    const uv_process_options_t *more, struct program **program);

#endif
