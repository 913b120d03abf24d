/* SPDX-License-Identifier: MIT */
#include "advice.h"

#include <inttypes.h>

#include "rates.h"
#include "report.h"

/* Of the asked rate: less is not reached. */
#define NEARLY 0.99

/* Of what a loop did in a shorter time nothing follows. */
#define SHORTEST_NS UINT64_C(100000000)

static bool is_late(const struct tlr_load_result *result,
    enum tlr_load_measure measure, double figure)
{
    const struct tlr_load_histogram *latency =
        &result->figures->latency[measure];
    const struct tlr_load_histogram *lateness =
        &result->figures->latency[TLR_LOAD_LATENESS];
    return lateness->count > 0 && latency->count > 0 &&
           tlr_load_histogram_figure(lateness, figure) * 2 >
               tlr_load_histogram_figure(latency, figure);
}

/* In the mode hello a first byte's latency runs from when it was connected: what
 * the schedule's lateness is in is the connect. */
bool tlr_load_advice_is_late_at(
    const struct tlr_load_result *result, double figure)
{
    enum tlr_load_measure measure = tlr_load_main_measure(result->plan);
    return measure != TLR_LOAD_FIRST_BYTE &&
           is_late(result, measure, figure);
}

bool tlr_load_advice_is_late(const struct tlr_load_result *result)
{
    return tlr_load_advice_is_late_at(result, 50) ||
           tlr_load_advice_is_late_at(result, 99);
}

const char *tlr_load_advice_mark(
    const struct tlr_load_result *result, double figure)
{
    return tlr_load_advice_is_late_at(result, figure) ? " *" : "";
}

static void look_at_client(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    double busy = tlr_load_figures_busy(result->figures);
    if (busy > TLR_LOAD_BUSY_MOST &&
        result->figures->elapsed_ns > SHORTEST_NS * result->plan->loops) {
        tlr_cli_text_add(text,
            "note: the client was the limit: its loops were busy for %.0f%% of "
            "the time; give it more --threads, or another machine\n",
            busy * 100);
    }
}

static void add_unsent(const struct tlr_load_result *result, double rate,
    struct tlr_cli_text *text)
{
    bool late = tlr_load_plan_dials_late(result->plan);
    bool one = result->total.unsent == 1;
    const char *those = tlr_load_tally_failed(&result->total) > 0
                            ? "those whose connection had not failed count"
                        : one ? "it counts"
                              : "they count";
    tlr_cli_text_add(text,
        "note: %" PRIu64 " %s%s due and never %s: %.0f/s of %.0f/s were "
        "reached; %s with the time %s had waited\n",
        result->total.unsent, late ? "connection" : "message",
        one ? " was" : "s were", late ? "opened" : "sent", rate,
        result->plan->rate, those, one ? "it" : "they");
}

static void look_at_schedule(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    /* Of all that was sent in time, whenever it came back. */
    double rate = tlr_load_rate(tlr_load_plan_dials_late(plan)
                                    ? result->figures->sessions
                                    : result->figures->round_trips,
        result->seconds);
    if (plan->rate == 0) {
        return;
    }
    if (tlr_load_advice_is_late(result)) {
        tlr_cli_text_add(text, "note: latencies with * are more than half the "
                               "schedule's own lateness\n");
    } else if (plan->mode == TLR_LOAD_HELLO &&
               (is_late(result, TLR_LOAD_CONNECTING, 50) ||
                   is_late(result, TLR_LOAD_CONNECTING, 99))) {
        tlr_cli_text_add(text, "note: the latencies of connects are more than "
                               "half the schedule's own lateness\n");
    }
    if (result->total.unsent > 0) {
        add_unsent(result, rate, text);
    } else if (rate < plan->rate * NEARLY && !result->stopped_early &&
               plan->duration_ms != 0) {
        tlr_cli_text_add(text, "note: %.0f/s of %.0f/s were reached\n", rate,
            plan->rate);
    }
}

static void look_at_end(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    if (result->gave_out > 0) {
        tlr_cli_text_add(text,
            "note: no connection was left after %.3f s: the rates are of the "
            "%g s that were asked for\n",
            result->gave_out, result->seconds);
    }
}

static void look_at_machine(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    if (result->total.errors[TLR_LOAD_MACHINE] > 0) {
        tlr_cli_text_add(text,
            "note: this machine, not the server, was at a limit: see the "
            "errors above for the setting\n");
    }
}

/* Where nobody was connected the errors say why. */
void tlr_load_advice_unmeasured(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    if (!result->unmeasured || plan->warmup_ms == 0 ||
        result->total.connected == 0) {
        return;
    }
    tlr_cli_text_add(text,
        "note: nothing was measured: the run ended within its warm-up of %g "
        "s\n",
        (double)plan->warmup_ms / 1000);
}

void tlr_load_advice(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    tlr_load_advice_unmeasured(result, text);
    look_at_client(result, text);
    look_at_end(result, text);
    look_at_schedule(result, text);
    look_at_machine(result, text);
}
