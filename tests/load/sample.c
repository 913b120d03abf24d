/* SPDX-License-Identifier: MIT */
/*
 * teller-load-sample FOLDER: writes logs and percentiles as runs of teller-load
 * would, of values that are the same each time, for check.js to read with an
 * implementation that is not ours:
 *
 *     one.log two.log    two machines' logs of three seconds each
 *     all.log            the log of one machine that has measured all of it
 *     all.txt            its percentiles
 *     all.counts         MEASURE VALUE COUNT of each value that was added
 *     empty.log empty.txt  of a run in which nothing came back
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "load/log.h"

enum { LOGS = 2, SECONDS = 3, VALUES = 20000, PATH = 1024, CONNECTIONS = 7 };

static const char *folder;
static FILE *counts; /* the file all.counts */
static struct sockaddr_storage address;
static struct tlr_load_plan plan = {
    .addresses = &address,
    .address_count = 1,
    .mode = TLR_LOAD_ECHO,
    .depth = 1,
    .size = 64,
};

/* Large: not for a stack. Each log's, and that of all. */
static struct tlr_load_figures second[LOGS + 1];
static struct tlr_load_figures sum[LOGS + 1];

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "teller-load-sample: %s\n", what);
        exit(1);
    }
}

static const char *path_of(const char *name)
{
    static char path[PATH];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* xorshift (Marsaglia 2003). */
static uint64_t draw(void)
{
    static uint64_t seed = 88172645463325252u;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void add(unsigned log, enum tlr_load_measure measure, uint64_t value)
{
    tlr_load_histogram_add(&second[log].latency[measure], value);
    tlr_load_histogram_add(&second[LOGS].latency[measure], value);
    (void)fprintf(counts, "%s %" PRIu64 " 1\n", tlr_load_measure_name(measure),
        value);
}

/* Some 50 us to 16 ms, and now and then one of any size at all. */
static uint64_t latency(void)
{
    uint64_t some = draw();
    return some % 1000 == 0 ? (some >> 22) >> (some % 42)
                            : 50000 + ((some >> 32) % 16000000 >> some % 9);
}

static void add_counts(struct tlr_load_figures *figures, unsigned log)
{
    figures->round_trips += VALUES;
    figures->bytes_sent += 64ull * VALUES;
    figures->bytes_received += 64ull * VALUES;
    figures->bytes_verified += 64ull * VALUES;
    tlr_load_figures_were_in_time(figures);
    figures->busy_ns += 250000000 + log;
    figures->elapsed_ns += 1000000000;
    figures->open += CONNECTIONS;
}

static void fill(unsigned log, unsigned at)
{
    for (unsigned i = 0; i < VALUES; i++) {
        add(log, TLR_LOAD_ROUND_TRIP, latency());
    }
    if (at == 1) { /* not in each second are there such */
        add(log, TLR_LOAD_CONNECTING, 123456 + log);
        add(log, TLR_LOAD_FIRST_BYTE, 0);
        add(log, TLR_LOAD_FIRST_BYTE, (UINT64_C(1) << 42) - 1);
        add(log, TLR_LOAD_LATENESS, 2047 + log);
    }
    add_counts(&second[log], log);
    add_counts(&second[LOGS], log);
}

static struct tlr_load_interval interval_of(unsigned at, unsigned log)
{
    const struct tlr_load_figures *figures = &second[log];
    return (struct tlr_load_interval){
        .at = 1700000000.25 + at,
        .from = at,
        .seconds = 1,
        .round_trips = figures->round_trips,
        .bytes_sent = figures->bytes_sent,
        .bytes_received = figures->bytes_received,
        .open = figures->open,
        .in_time = figures->in_time,
    };
}

static void close_log(struct tlr_load_log *log, unsigned number)
{
    struct tlr_cli_text complaint = {0};
    struct tlr_load_figures *figures = &sum[number];
    struct tlr_load_result result = {
        .plan = &plan,
        .figures = figures,
        .began = 1700000000.25,
        .seconds = SECONDS,
    };
    plan.loops = number == LOGS ? LOGS : 1;
    plan.connections = CONNECTIONS * plan.loops;
    tlr_load_tally_init(&result.total);
    result.total.connected = plan.connections;
    result.total.whole = plan.connections;
    result.total.bytes_sent = figures->bytes_sent;
    result.total.bytes_received = figures->bytes_received;
    result.total.bytes_verified = figures->bytes_verified;
    int err = tlr_load_log_close(log, &result, &complaint);
    require(err == 0, tlr_cli_text_get(&complaint));
    tlr_cli_text_free(&complaint);
}

static struct tlr_load_log *open_log(const char *name)
{
    static char paths[LOGS + 2][PATH];
    static unsigned opened;
    struct tlr_load_log *log = NULL;
    struct tlr_cli_text complaint = {0};
    char *path = paths[opened++];
    (void)snprintf(path, PATH, "%s", path_of(name));
    int err = tlr_load_log_open(&log, path, &complaint);
    require(err == 0, tlr_cli_text_get(&complaint));
    tlr_cli_text_free(&complaint);
    return log;
}

/* Connects that were made before the time ran: in the sum alone. */
static void connect_before(unsigned log)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        uint64_t value = 90000 + 1000 * i + log;
        tlr_load_histogram_add(&sum[log].latency[TLR_LOAD_CONNECTING], value);
        tlr_load_histogram_add(
            &sum[LOGS].latency[TLR_LOAD_CONNECTING], value);
        (void)fprintf(counts, "connect %" PRIu64 " 1\n", value);
    }
}

static void write_logs(void)
{
    static const char *const names[LOGS + 1] = {"one.log", "two.log", "all.log"};
    struct tlr_load_log *logs[LOGS + 1];
    for (unsigned i = 0; i <= LOGS; i++) {
        logs[i] = open_log(names[i]);
        tlr_load_figures_init(&sum[i]);
    }
    for (unsigned at = 0; at < SECONDS; at++) {
        tlr_load_figures_init(&second[LOGS]);
        for (unsigned i = 0; i < LOGS; i++) {
            tlr_load_figures_init(&second[i]);
            fill(i, at);
        }
        for (unsigned i = 0; i <= LOGS; i++) {
            struct tlr_load_interval interval = interval_of(at, i);
            tlr_load_log_interval(logs[i], &interval, &second[i]);
            tlr_load_figures_add(&sum[i], &second[i]);
        }
    }
    for (unsigned i = 0; i < LOGS; i++) {
        connect_before(i);
    }
    for (unsigned i = 0; i <= LOGS; i++) {
        close_log(logs[i], i);
    }
}

static void write_percentiles(
    const char *name, const struct tlr_load_histogram *histogram)
{
    struct tlr_cli_text complaint = {0};
    int err = tlr_load_histogram_write(path_of(name), histogram, &complaint);
    require(err == 0, tlr_cli_text_get(&complaint));
    tlr_cli_text_free(&complaint);
}

static void write_empty(void)
{
    struct tlr_load_log *log = open_log("empty.log");
    struct tlr_load_interval interval = {.at = 1700000000.25, .seconds = 1};
    tlr_load_figures_init(&second[0]);
    tlr_load_log_interval(log, &interval, &second[0]);
    tlr_load_figures_init(&sum[0]);
    close_log(log, 0);
    write_percentiles("empty.txt", &sum[0].latency[TLR_LOAD_ROUND_TRIP]);
}

int main(int argc, char **argv)
{
    require(argc == 2, "usage: teller-load-sample FOLDER");
    folder = argv[1];
    counts = fopen(path_of("all.counts"), "wb");
    require(counts != NULL, "cannot write in that folder");
    int err = uv_ip6_addr("::1", 7008, (struct sockaddr_in6 *)&address);
    require(err == 0, "no address");
    write_logs();
    write_percentiles("all.txt", &sum[LOGS].latency[TLR_LOAD_ROUND_TRIP]);
    write_empty();
    require(fclose(counts) == 0, "cannot write all.counts");
    return 0;
}
