/* SPDX-License-Identifier: MIT */
/* See report.h. */
#include "report.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "cli/address.h"
#include "cli/json.h"
#include "cli/text.h"

static const char *const causes[TLR_CAUSES] = {
    [TLR_CLOSED_BY_PEER] = "peer",   [TLR_CLOSED_BY_HANDLER] = "handler",
    [TLR_CLOSED_BY_RESET] = "reset", [TLR_CLOSED_BY_ERROR] = "error",
    [TLR_CLOSED_BY_STOP] = "stop",   [TLR_CLOSED_OWING] = "owing",
    [TLR_CLOSED_BY_IDLE] = "idle",   [TLR_CLOSED_BY_READ] = "read",
    [TLR_CLOSED_BY_WRITE] = "write", [TLR_CLOSED_BY_LIFETIME] = "lifetime",
    [TLR_CLOSED_BY_QUEUED] = "queued",
};

/* The others have a column only when there are any. */
#define USUAL_CAUSES 5

/* Figures that are 0 as long as nothing is wrong. */
static const struct {
    const char *name; /* in JSON, and for people */
    size_t offset;
} troubles[] = {
    {"refused_access", offsetof(struct tlr_counters, refused_access)},
    {"refused_peer", offsetof(struct tlr_counters, refused_peer)},
    {"refused_limit", offsetof(struct tlr_counters, refused_limit)},
    {"refused_rate", offsetof(struct tlr_counters, refused_rate)},
    {"refused_memory", offsetof(struct tlr_counters, refused_memory)},
    {"accept_errors", offsetof(struct tlr_counters, accept_errors)},
    {"out_of_descriptors", offsetof(struct tlr_counters, out_of_descriptors)},
    {"out_of_memory", offsetof(struct tlr_counters, out_of_memory)},
    {"waited_limit", offsetof(struct tlr_counters, waited_limit)},
    {"waited_rate", offsetof(struct tlr_counters, waited_rate)},
    {"queued", offsetof(struct tlr_counters, queued)},
    {"queue_refused", offsetof(struct tlr_counters, queue_refused)},
    {"stalls", offsetof(struct tlr_counters, stalls)},
};

#define TROUBLES (sizeof(troubles) / sizeof(troubles[0]))

static uint64_t trouble(const struct tlr_counters *counters, size_t i)
{
    return *(const uint64_t *)((const char *)counters + troubles[i].offset);
}

void tlr_echo_report_init(struct tlr_echo_report *report,
                          const struct tlr_server *server, bool json,
                          bool quiet)
{
    memset(report, 0, sizeof(*report));
    report->server = server;
    report->json = json;
    report->quiet = quiet;
    report->started = uv_hrtime();
    report->last = report->started;
}

/* One JSON object is one line. */
static void begin_event(struct tlr_cli_json *json, const char *event)
{
    tlr_cli_json_open(json, NULL, '{');
    tlr_cli_json_string(json, "event", event);
}

static void end_event(struct tlr_cli_json *json)
{
    tlr_cli_json_close(json);
    tlr_cli_text_add(json->text, "\n");
}

/* Nobody may be reading stdout any more: that is no reason to stop serving. */
static void print(struct tlr_cli_text *text)
{
    (void)tlr_cli_text_print(text, stdout);
    tlr_cli_text_free(text);
}

static double seconds_since(uint64_t hrtime)
{
    return (double)(uv_hrtime() - hrtime) / 1e9;
}

static void sum_up(const struct tlr_echo_report *report,
                   struct tlr_counters *sum)
{
    (void)tlr_server_counters(report->server, TLR_ALL_WORKERS, sum,
                              sizeof(*sum));
}

/* ---- listening ------------------------------------------------------ */

static const char *address_text(const struct tlr_server *server,
                                unsigned index,
                                char text[TLR_CLI_ADDRESS_LENGTH])
{
    struct sockaddr_storage address;

    (void)tlr_server_address(server, index, &address); /* the index is good */
    return tlr_cli_format_address((struct sockaddr *)&address, text);
}

static void listening_json(const struct tlr_echo_report *report,
                           struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};
    char address[TLR_CLI_ADDRESS_LENGTH];
    unsigned i;

    begin_event(&json, "listening");
    tlr_cli_json_open(&json, "addresses", '[');
    for (i = 0; i < tlr_server_addresses(report->server); i++) {
        tlr_cli_json_string(&json, NULL,
                            address_text(report->server, i, address));
    }
    tlr_cli_json_close(&json);
    tlr_cli_json_u64(&json, "loops", tlr_server_workers(report->server));
    tlr_cli_json_string(&json, "libuv", uv_version_string());
    end_event(&json);
}

/* How somebody on this machine would try it. */
static void add_hint(const struct tlr_server *server,
                     struct tlr_cli_text *text)
{
    struct sockaddr_storage address;
    unsigned port;
    const char *host = "127.0.0.1";
    char name[TLR_CLI_ADDRESS_LENGTH];

    (void)tlr_server_address(server, 0, &address); /* there is one */
    port = tlr_cli_port((struct sockaddr *)&address);
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (struct sockaddr_in *)&address;

        if (in->sin_addr.s_addr != 0) {
            (void)uv_ip4_name(in, name, sizeof(name)); /* it fits */
            host = name;
        }
    } else {
        (void)uv_ip6_name((struct sockaddr_in6 *)&address, name, sizeof(name));
        host = strcmp(name, "::") == 0 ? "::1" : name;
    }
    tlr_cli_text_add(text,
                     "try it: nc %s %u, type a line and press Enter\n", host,
                     port);
}

static void listening_text(const struct tlr_echo_report *report, int loops,
                           struct tlr_cli_text *text)
{
    unsigned workers = tlr_server_workers(report->server);
    char address[TLR_CLI_ADDRESS_LENGTH];
    unsigned i;

    for (i = 0; i < tlr_server_addresses(report->server); i++) {
        tlr_cli_text_add(text, "listening on %s",
                         address_text(report->server, i, address));
        if (loops == TLR_LOOPS_HOST) {
            tlr_cli_text_add(text, ", one loop and no thread\n");
        } else {
            tlr_cli_text_add(text, ", %u loop%s\n", workers,
                             workers == 1 ? "" : "s");
        }
    }
    add_hint(report->server, text);
}

void tlr_echo_report_listening(struct tlr_echo_report *report, int loops)
{
    struct tlr_cli_text text = {0};

    if (report->quiet) {
        return;
    }
    if (report->json) {
        listening_json(report, &text);
    } else {
        listening_text(report, loops, &text);
    }
    print(&text);
}

void tlr_echo_report_took_over(struct tlr_echo_report *report, int64_t pid)
{
    unsigned addresses = tlr_server_addresses(report->server);
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};

    if (report->quiet) {
        return;
    }
    if (report->json) {
        begin_event(&json, "took over");
        tlr_cli_json_u64(&json, "addresses", addresses);
        tlr_cli_json_u64(&json, "pid", (uint64_t)pid);
        end_event(&json);
    } else {
        tlr_cli_text_add(&text,
                         "took over %u address%s from process %" PRId64 "\n",
                         addresses, addresses == 1 ? "" : "es", pid);
    }
    print(&text);
}

void tlr_echo_report_taken_over(struct tlr_echo_report *report, int64_t pid)
{
    struct tlr_cli_text text = {0};
    struct tlr_cli_json json = {.text = &text};

    if (report->quiet) {
        return;
    }
    if (report->json) {
        begin_event(&json, "taken over");
        tlr_cli_json_u64(&json, "pid", (uint64_t)pid);
        end_event(&json);
    } else {
        tlr_cli_text_add(&text, "process %" PRId64 " has taken over\n", pid);
    }
    print(&text);
}

/* ---- figures -------------------------------------------------------- */

static void counters_json(struct tlr_cli_json *json,
                          const struct tlr_counters *counters)
{
    size_t t;
    int i;

    tlr_cli_json_u64(json, "accepted", counters->accepted);
    tlr_cli_json_u64(json, "open", counters->open);
    tlr_cli_json_open(json, "closed", '{');
    for (i = 0; i < TLR_CAUSES; i++) {
        tlr_cli_json_u64(json, causes[i], counters->closed[i]);
    }
    tlr_cli_json_close(json);
    tlr_cli_json_u64(json, "refused", counters->refused);
    tlr_cli_json_u64(json, "reads", counters->reads);
    tlr_cli_json_u64(json, "writes", counters->writes);
    tlr_cli_json_u64(json, "bytes_in", counters->bytes_in);
    tlr_cli_json_u64(json, "bytes_out", counters->bytes_out);
    tlr_cli_json_u64(json, "emulated", counters->emulated);
    for (t = 0; t < TROUBLES; t++) {
        tlr_cli_json_u64(json, troubles[t].name, trouble(counters, t));
    }
}

static void figures_json(const struct tlr_echo_report *report,
                         const struct tlr_counters *sum,
                         struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};

    begin_event(&json, "figures");
    tlr_cli_json_double(&json, "seconds", seconds_since(report->started), 3);
    counters_json(&json, sum);
    end_event(&json);
}

static void figures_text(const struct tlr_echo_report *report,
                         const struct tlr_counters *sum,
                         struct tlr_cli_text *text)
{
    const struct tlr_counters *last = &report->last_sum;
    double span = seconds_since(report->last);

    tlr_cli_text_add(
        text,
        "%8.1f s  open %" PRIu64 "  accepted %.0f/s  reads %.0f/s"
        "  in %.3f MB/s  out %.3f MB/s  refused %" PRIu64 "\n",
        seconds_since(report->started), sum->open,
        (double)(sum->accepted - last->accepted) / span,
        (double)(sum->reads - last->reads) / span,
        (double)(sum->bytes_in - last->bytes_in) / span / 1e6,
        (double)(sum->bytes_out - last->bytes_out) / span / 1e6,
        sum->refused);
}

void tlr_echo_report_figures(struct tlr_echo_report *report)
{
    struct tlr_cli_text text = {0};
    struct tlr_counters sum;

    if (report->quiet) {
        return;
    }
    sum_up(report, &sum);
    if (report->json) {
        figures_json(report, &sum, &text);
    } else {
        figures_text(report, &sum, &text);
    }
    report->last = uv_hrtime();
    report->last_sum = sum;
    print(&text);
}

/* ---- the end -------------------------------------------------------- */

static void draining_json(const struct tlr_counters *sum, uint64_t ms,
                          struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};

    begin_event(&json, ms > 0 ? "draining" : "stopping");
    tlr_cli_json_u64(&json, "open", sum->open);
    tlr_cli_json_double(&json, "deadline", (double)ms / 1e3, 3);
    end_event(&json);
}

void tlr_echo_report_draining(struct tlr_echo_report *report, uint64_t ms)
{
    struct tlr_cli_text text = {0};
    struct tlr_counters sum;

    if (report->quiet) {
        return;
    }
    sum_up(report, &sum);
    if (report->json) {
        draining_json(&sum, ms, &text);
    } else if (ms == 0) {
        tlr_cli_text_add(&text, "stopping: %" PRIu64 " open\n", sum.open);
    } else {
        tlr_cli_text_add(&text,
                         "draining: %" PRIu64 " open, up to %.1f s; "
                         "once more stops at once\n",
                         sum.open, (double)ms / 1e3);
    }
    print(&text);
}

static void progress_json(const struct tlr_progress *progress,
                          struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};

    begin_event(&json, "progress");
    tlr_cli_json_u64(&json, "open", progress->open);
    tlr_cli_json_u64(&json, "queued", progress->queued);
    if (progress->remaining != TLR_NO_DEADLINE) {
        tlr_cli_json_double(&json, "remaining",
                            (double)progress->remaining / 1e3, 3);
    }
    end_event(&json);
}

void tlr_echo_report_progress(struct tlr_echo_report *report)
{
    struct tlr_cli_text text = {0};
    struct tlr_progress progress;

    if (report->quiet) {
        return;
    }
    tlr_server_progress(report->server, &progress, sizeof(progress));
    if (report->json) {
        progress_json(&progress, &text);
    } else {
        tlr_cli_text_add(&text,
                         "draining: %" PRIu64 " open, %" PRIu64
                         " bytes owed",
                         progress.open, progress.queued);
        if (progress.remaining != TLR_NO_DEADLINE) {
            tlr_cli_text_add(&text, ", %.1f s left",
                             (double)progress.remaining / 1e3);
        }
        tlr_cli_text_add(&text, "\n");
    }
    print(&text);
}

static void stall_json(unsigned worker, uint64_t ms, bool over,
                       struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};

    begin_event(&json, over ? "stall over" : "stall");
    tlr_cli_json_u64(&json, "loop", worker);
    tlr_cli_json_double(&json, "seconds", (double)ms / 1e3, 3);
    end_event(&json);
}

/*
 * Told on stderr, with the errors, and not among the lines of JSON: so it is for
 * people, and for all when stdout is quiet.
 */
static bool goes_with_errors(const struct tlr_echo_report *report)
{
    return !report->json || report->quiet;
}

void tlr_echo_report_stall(struct tlr_echo_report *report, unsigned worker,
                           uint64_t ms, bool over)
{
    struct tlr_cli_text text = {0};

    if (goes_with_errors(report)) {
        (void)fprintf(stderr, /* there is nobody else to tell */
                      over ? "teller-echo: loop %u turns again, after %.1f s\n"
                           : "teller-echo: loop %u has not turned for %.1f s\n",
                      worker, (double)ms / 1e3);
    } else {
        stall_json(worker, ms, over, &text);
        print(&text);
    }
}

/* In JSON, and for people. */
static const char *const warnings[TLR_WARNINGS][2] = {
    [TLR_WARNING_DESCRIPTORS] = {"descriptors", "out of descriptors"},
    [TLR_WARNING_MEMORY] = {"memory", "out of memory"},
    [TLR_WARNING_ACCEPT] = {"accept", "accepting failed"},
    [TLR_WARNING_CONNECTIONS] = {"connections",
                                 "the limit of connections is reached"},
    [TLR_WARNING_PEER] = {"peer", "too many connections from one peer"},
    [TLR_WARNING_RATE] = {"rate", "connections come faster than the accept "
                                  "rate"},
    [TLR_WARNING_QUEUED] = {"queued", "too much output is queued"},
};

/* seconds: since the last one of its kind; 0: it is the first. */
static void warning_json(const struct tlr_warning *warning, double seconds,
                         struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};

    begin_event(&json, "warning");
    tlr_cli_json_string(&json, "kind", warnings[warning->kind][0]);
    if (warning->error != 0) {
        tlr_cli_json_string(&json, "error", uv_err_name(warning->error));
    }
    tlr_cli_json_u64(&json, "times", warning->times);
    tlr_cli_json_double(&json, "seconds", seconds, 3);
    end_event(&json);
}

static void warning_text(const struct tlr_warning *warning, double seconds,
                         struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "teller-echo: %s", warnings[warning->kind][1]);
    if (warning->error != 0) {
        tlr_cli_text_add(text, " (%s)", uv_err_name(warning->error));
    }
    tlr_cli_text_add(text, ", %" PRIu64 " time%s", warning->times,
                     warning->times == 1 ? "" : "s");
    if (seconds > 0) {
        tlr_cli_text_add(text, " in %.1f s", seconds);
    }
    tlr_cli_text_add(text, "\n");
}

void tlr_echo_report_warning(struct tlr_echo_report *report,
                             const struct tlr_warning *warning)
{
    uint64_t *last = &report->warned[warning->kind];
    double seconds = *last == 0 ? 0 : seconds_since(*last);
    struct tlr_cli_text text = {0};

    *last = uv_hrtime();
    if (goes_with_errors(report)) {
        warning_text(warning, seconds, &text);
        (void)tlr_cli_text_print(&text, stderr); /* there is nobody else */
        tlr_cli_text_free(&text);
    } else {
        warning_json(warning, seconds, &text);
        print(&text);
    }
}

static void summary_json(const struct tlr_echo_report *report,
                         struct tlr_cli_text *text)
{
    struct tlr_cli_json json = {.text = text};
    struct tlr_counters counters;
    unsigned i;

    begin_event(&json, "summary");
    tlr_cli_json_double(&json, "seconds", seconds_since(report->started), 3);
    sum_up(report, &counters);
    tlr_cli_json_open(&json, "total", '{');
    counters_json(&json, &counters);
    tlr_cli_json_close(&json);
    tlr_cli_json_open(&json, "loops", '[');
    for (i = 0; i < tlr_server_workers(report->server); i++) {
        (void)tlr_server_counters(report->server, i, &counters,
                                  sizeof(counters));
        tlr_cli_json_open(&json, NULL, '{');
        counters_json(&json, &counters);
        tlr_cli_json_close(&json);
    }
    tlr_cli_json_close(&json);
    end_event(&json);
}

static bool has_column(const struct tlr_counters *sum, int cause)
{
    /* cppcheck-suppress arrayIndexOutOfBoundsCond ; they are below TLR_CAUSES */
    return cause < USUAL_CAUSES || sum->closed[cause] > 0;
}

static void summary_row(struct tlr_cli_text *text, const char *name,
                        const struct tlr_counters *counters,
                        const struct tlr_counters *sum)
{
    int i;

    tlr_cli_text_add(text,
                     "%6s %10" PRIu64 " %12" PRIu64 " %12" PRIu64
                     " %15" PRIu64 " %15" PRIu64 " %8" PRIu64,
                     name, counters->accepted, counters->reads,
                     counters->writes, counters->bytes_in,
                     counters->bytes_out, counters->refused);
    for (i = 0; i < TLR_CAUSES; i++) {
        if (has_column(sum, i)) {
            tlr_cli_text_add(text, " %8" PRIu64, counters->closed[i]);
        }
    }
    tlr_cli_text_add(text, "\n");
}

static void summary_troubles(struct tlr_cli_text *text,
                             const struct tlr_counters *sum)
{
    size_t i;

    for (i = 0; i < TROUBLES; i++) {
        if (trouble(sum, i) > 0) {
            tlr_cli_text_add(text, "%20s %10" PRIu64 "\n", troubles[i].name,
                             trouble(sum, i));
        }
    }
}

static void summary_text(const struct tlr_echo_report *report,
                         struct tlr_cli_text *text)
{
    struct tlr_counters counters;
    struct tlr_counters sum;
    char name[16];
    unsigned i;

    sum_up(report, &sum);
    tlr_cli_text_add(text,
                     "stopped after %.1f s\n"
                     "%107s\n"
                     "%6s %10s %12s %12s %15s %15s %8s",
                     seconds_since(report->started), "connections closed by",
                     "loop", "accepted", "reads", "writes", "bytes in",
                     "bytes out", "refused");
    for (i = 0; i < TLR_CAUSES; i++) {
        if (has_column(&sum, (int)i)) {
            tlr_cli_text_add(text, " %8s", causes[i]);
        }
    }
    tlr_cli_text_add(text, "\n");
    for (i = 0; i < tlr_server_workers(report->server); i++) {
        (void)tlr_server_counters(report->server, i, &counters,
                                  sizeof(counters));
        (void)snprintf(name, sizeof(name), "%u", i); /* it fits */
        summary_row(text, name, &counters, &sum);
    }
    summary_row(text, "all", &sum, &sum);
    summary_troubles(text, &sum);
}

void tlr_echo_report_summary(struct tlr_echo_report *report)
{
    struct tlr_cli_text text = {0};

    if (report->quiet) {
        return;
    }
    if (report->json) {
        summary_json(report, &text);
    } else {
        summary_text(report, &text);
    }
    print(&text);
}
