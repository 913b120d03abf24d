/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <inttypes.h>
#include <string.h>

#include "rates.h"
#include "report.h"

/* Seconds between two lines where there is no terminal. */
#define EACH 10.0

/* A line that is longer than the terminal would not be written over. */
enum { COLUMNS = 79 };

void tlr_load_progress_init(struct tlr_load_progress *progress,
    const struct tlr_load_plan *plan, bool silent)
{
    memset(progress, 0, sizeof(*progress));
    progress->plan = plan;
    progress->to = stderr;
    progress->silent = silent;
    progress->terminal = uv_guess_handle(2) == UV_TTY;
    progress->due = EACH;
}

static void add_left(const struct tlr_load_progress *progress, double now,
    struct tlr_cli_text *text)
{
    double duration = (double)progress->plan->duration_ms / 1000;
    if (duration == 0) {
        tlr_cli_text_add(text, "%.0f s", now);
    } else if (duration > now) {
        tlr_cli_text_add(text, "%.0f s left", duration - now);
    } else {
        tlr_cli_text_add(text, "ending");
    }
}

static const char *what(const struct tlr_load_plan *plan)
{
    if (tlr_load_plan_dials_late(plan)) {
        return "connections/s";
    }
    return "round trips/s";
}

void tlr_load_progress_text(const struct tlr_load_progress *progress,
    const struct tlr_load_interval *interval, double seconds,
    struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = progress->plan;
    double bytes = tlr_load_rate(progress->bytes, seconds);
    add_left(progress, interval->from + interval->seconds, text);
    tlr_cli_text_add(text, ", %" PRIu64 " open", interval->open);
    if (plan->mode != TLR_LOAD_STREAM && plan->mode != TLR_LOAD_IDLE) {
        tlr_cli_text_add(text, ", %.0f %s",
            tlr_load_rate(progress->trips, seconds), what(plan));
    }
    if (!tlr_load_plan_dials_late(plan) && plan->mode != TLR_LOAD_IDLE) {
        tlr_cli_text_add(text, ", %.1f MiB/s", bytes / (1024 * 1024));
    }
    if (interval->latency[TLR_LOAD_PERCENTILES - 1] != 0) {
        tlr_cli_text_add(text, ", p99 ");
        tlr_load_report_time(text, interval->latency[3]);
    }
    tlr_cli_text_add(text, ", %" PRIu64 " error%s", progress->errors,
        progress->errors == 1 ? "" : "s");
}

void tlr_load_progress_clear(struct tlr_load_progress *progress)
{
    if (progress->shown > 0) {
        (void)fprintf(progress->to, "\r%*s\r", progress->shown, "");
        (void)fflush(progress->to);
        progress->shown = 0;
    }
}

/* Over the line that is there, whose rest goes; every terminal can do that. */
static void show(struct tlr_load_progress *progress, const char *line)
{
    int length = (int)strlen(line) < COLUMNS ? (int)strlen(line) : COLUMNS;
    int rest = progress->shown > length ? progress->shown - length : 0;
    (void)fprintf(progress->to, "\r%.*s%*s", length, line, rest, "");
    (void)fflush(progress->to);
    progress->shown = length;
}

/* And releases it. */
static void tell(struct tlr_load_progress *progress, struct tlr_cli_text *text)
{
    if (progress->terminal) {
        show(progress, tlr_cli_text_get(text));
    } else {
        (void)fprintf(
            progress->to, "teller-load: %s\n", tlr_cli_text_get(text));
    }
    tlr_cli_text_free(text);
}

void tlr_load_progress_wait(struct tlr_load_progress *progress, double seconds,
    uint64_t open, double warm)
{
    const struct tlr_load_plan *plan = progress->plan;
    struct tlr_cli_text text = {0};
    if (progress->silent || (!progress->terminal && seconds < progress->due)) {
        return;
    }
    if (warm < 0) {
        tlr_cli_text_add(&text, "connecting, %" PRIu64 " of %" PRIu32 " open",
            open, plan->connections);
    } else {
        double left = (double)plan->warmup_ms / 1000 - warm;
        tlr_cli_text_add(&text, "warming up, %.0f s left, %" PRIu64 " open",
            left > 0 ? left : 0, open);
    }
    tell(progress, &text);
    progress->due = seconds + EACH - 0.5;
    progress->waits = true;
}

void tlr_load_progress_add(struct tlr_load_progress *progress,
    const struct tlr_load_interval *interval)
{
    struct tlr_cli_text text = {0};
    double now = interval->from + interval->seconds;
    progress->trips += tlr_load_plan_dials_late(progress->plan)
                           ? interval->sessions
                           : interval->round_trips;
    progress->bytes += interval->bytes_received;
    progress->errors += interval->errors;
    progress->due = progress->waits ? EACH : progress->due;
    progress->waits = false;
    if (progress->silent || (!progress->terminal && now < progress->due)) {
        return;
    }
    tlr_load_progress_text(progress, interval, now - progress->since, &text);
    tell(progress, &text);
    progress->since = now;
    progress->due = now + EACH - interval->seconds / 2;
    progress->trips = 0;
    progress->bytes = 0;
}
