/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/address.h"
#include "cli/limits.h"
#include "cli/signals.h"

enum { SLOW_MOST = 10000, SLICE = 50 };

#define NANOSECONDS 1000000u /* of a millisecond */

static const struct model *self;
static unsigned threads; /* that it has */

int model_fail(const char *what, int err)
{
    (void)fprintf(stderr, "%s: %s: %s (%s)\n", self->name, what,
        uv_strerror(err), uv_err_name(err));
    return TLR_CLI_STATUS_FAILURE;
}

/* ---- options ---- */

struct values {
    const char *listen;
    uint64_t threads;
    uint64_t slow_ms;
    unsigned balance;
};

/* "least|rr", as the help has it. */
static const char *ways(const struct model *model)
{
    static char text[64];
    const char *const *way = model->balances;
    for (size_t length = 0; way != NULL && *way != NULL; way++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
            length > 0 ? "|" : "", *way);
    }
    return text;
}

static bool parse(const struct model *model, int argc, char *const *argv,
    struct values *values, int *status)
{
    const struct tlr_cli_option options[] = {
        {.name = "--listen", .argument = "HOST:PORT",
            .help = "where to listen (127.0.0.1:7007); port 0 is a free one",
            .apply = tlr_cli_apply_string, .target = &values->listen},
        {.name = "--slow", .argument = "MS",
            .help = "milliseconds of blocking work for each read of the first "
                    "connection",
            .apply = tlr_cli_apply_number, .target = &values->slow_ms,
            .max = SLOW_MOST},
        {.name = "--threads", .argument = "N", .help = "threads that serve",
            .apply = tlr_cli_apply_number, .target = &values->threads,
            .min = 1, .max = MODEL_THREADS_MOST},
        {.name = "--balance", .argument = ways(model),
            .help = "how a connection comes to a thread; the first of these is "
                    "the default",
            .apply = tlr_cli_apply_choice, .target = &values->balance,
            .choices = model->balances},
    };
    size_t count = sizeof(options) / sizeof(*options);
    count -= (model->balances == NULL) + (model->threads == 0);
    const struct tlr_cli_program program = {
        .name = model->name,
        .version = TELLER_VERSION,
        .summary = model->summary,
        .options = options,
        .option_count = count,
    };
    return tlr_cli_begin(&program, argc, argv, status);
}

/* A name may have several addresses: the first one will do. */
static bool resolve(const char *text, struct sockaddr_storage *address)
{
    struct tlr_cli_addresses addresses;
    struct tlr_cli_text complaint = {0};
    int err = tlr_cli_resolve(text, "127.0.0.1", &addresses, &complaint);
    if (err != 0) {
        (void)fprintf(stderr, "%s: --listen: %s\n", self->name,
            tlr_cli_text_get(&complaint));
    } else {
        *address = addresses.items[0];
        tlr_cli_addresses_free(&addresses);
    }
    tlr_cli_text_free(&complaint);
    return err == 0;
}

bool model_begin(const struct model *model, int argc, char *const *argv,
    struct model_options *options, int *status)
{
    struct values values = {
        .listen = "127.0.0.1:7007",
        .threads = model->threads > 0 ? model->threads : 1,
    };
    self = model;
    if (!parse(model, argc, argv, &values, status)) {
        return false;
    }
    memset(options, 0, sizeof(*options));
    options->slow_ms = (unsigned)values.slow_ms;
    options->threads = values.threads == MODEL_CPUS
                           ? uv_available_parallelism()
                           : (unsigned)values.threads;
    options->balance = values.balance;
    threads = options->threads;
    if (!resolve(values.listen, &options->address)) {
        *status = TLR_CLI_STATUS_USAGE;
        return false;
    }
    tlr_cli_ignore_sigpipe();
    (void)tlr_cli_raise_descriptor_limit(); /* serves with what it has */
    return true;
}

/* ---- what it says ---- */

void model_announce(const struct model_options *options)
{
    char text[TLR_CLI_ADDRESS_LENGTH];
    (void)printf("listening on %s\n",
        tlr_cli_format_address(
            (const struct sockaddr *)&options->address, text));
    (void)fflush(stdout); /* who hung up has no use for it */
}

/* ---- whose connections they are ---- */

/* Written to by its thread alone, but read by others, too. */
static struct share {
    alignas(64) atomic_uint open; /* no line of the cache is another thread's */
    atomic_uint taken;
} shares[MODEL_THREADS_MOST];

void model_opened(unsigned thread)
{
    atomic_fetch_add_explicit(&shares[thread].open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&shares[thread].taken, 1, memory_order_relaxed);
}

void model_closed(unsigned thread)
{
    atomic_fetch_sub_explicit(&shares[thread].open, 1, memory_order_relaxed);
}

/* In one piece, whichever thread prints beside. */
static void print_shares(const char *what, bool open)
{
    struct tlr_cli_text line = {0};
    for (unsigned i = 0; i < threads; i++) {
        tlr_cli_text_add(&line, " %u",
            atomic_load(open ? &shares[i].open : &shares[i].taken));
    }
    if (self->balances != NULL) {
        (void)printf("%s by thread:%s\n", what, tlr_cli_text_get(&line));
        (void)fflush(stdout);
    }
    tlr_cli_text_free(&line);
}

void model_tell_open(void)
{
    print_shares("open", true);
}

int model_end(void)
{
    print_shares("taken", false);
    (void)puts("stopped");
    (void)fflush(stdout);
    return TLR_CLI_STATUS_OK;
}

/* ---- slow work, and pauses ---- */

unsigned model_delay(const struct model_options *options)
{
    static atomic_bool given;
    /* Most are run without --slow: nothing shared is written to then. */
    return options->slow_ms > 0 && !atomic_exchange(&given, true)
               ? options->slow_ms
               : 0;
}

void model_work(unsigned ms)
{
    uint64_t end = ms > 0 ? uv_hrtime() + (uint64_t)ms * NANOSECONDS : 0;
    while (ms > 0 && !model_stopping()) {
        uint64_t now = uv_hrtime();
        if (now >= end) {
            return;
        }
        uint64_t left = (end - now + NANOSECONDS - 1) / NANOSECONDS;
        uv_sleep(left < SLICE ? (unsigned)left : SLICE);
    }
}

void model_pause_begin(struct model_pause *pause)
{
    pause->until = uv_hrtime() + (uint64_t)MODEL_PAUSE_MS * NANOSECONDS;
}

int model_pause_timeout(const struct model_pause *pause)
{
    if (pause->until == 0) {
        return -1;
    }
    uint64_t now = uv_hrtime();
    return now >= pause->until
               ? 1
               : (int)((pause->until - now) / NANOSECONDS) + 1;
}

bool model_pause_over(struct model_pause *pause)
{
    if (pause->until == 0 || uv_hrtime() < pause->until) {
        return false;
    }
    pause->until = 0;
    return true;
}

/* ---- what is owed ---- */

bool model_write(uv_os_sock_t sock, const char *bytes, size_t size,
    struct model_rest *rest)
{
    ptrdiff_t written = model_write_some(sock, bytes, size);
    if (written < 0) {
        return false;
    }
    size_t left = size - (size_t)written;
    if (left == 0) {
        return true;
    }
    rest->bytes = malloc(left);
    if (rest->bytes == NULL) {
        return false;
    }
    memcpy(rest->bytes, bytes + written, left);
    rest->begin = 0;
    rest->end = left;
    return true;
}

bool model_write_rest(uv_os_sock_t sock, struct model_rest *rest)
{
    ptrdiff_t written = model_write_some(
        sock, rest->bytes + rest->begin, rest->end - rest->begin);
    if (written < 0) {
        return false;
    }
    rest->begin += (size_t)written;
    if (rest->begin == rest->end) {
        free(rest->bytes);
        rest->bytes = NULL;
    }
    return true;
}
