/* SPDX-License-Identifier: MIT */
#include "advice.h"

#include <inttypes.h>

#include "rates.h"
#include "report.h"

/* Of the asked rate: less is not reached. */
#define NEARLY 0.99

/* Of what a loop did in a shorter time nothing follows. */
#define SHORTEST_NS UINT64_C(100000000)

bool tlr_load_advice_is_late(const struct tlr_load_result *result)
{
    const struct tlr_load_histogram *latency =
        &result->figures->latency[tlr_load_main_measure(result->plan)];
    const struct tlr_load_histogram *lateness =
        &result->figures->latency[TLR_LOAD_LATENESS];
    return lateness->count > 0 &&
           tlr_load_histogram_percentile(lateness, 99) * 10 >
               tlr_load_histogram_percentile(latency, 50);
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
        tlr_cli_text_add(text, "note: the latency is marked with *: the "
                               "schedule's own lateness dominates it\n");
    }
    if (result->total.unsent > 0) {
        tlr_cli_text_add(text,
            "note: %" PRIu64 " messages were due and never sent: %.0f/s of "
            "%.0f/s were reached; they count with the time they had waited\n",
            result->total.unsent, rate, plan->rate);
    } else if (rate < plan->rate * NEARLY && !result->stopped_early &&
               plan->duration_ms != 0) {
        tlr_cli_text_add(text, "note: %.0f/s of %.0f/s were reached\n", rate,
            plan->rate);
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
        "note: nothing was measured: the run ended within its warm-up of %g s",
        (double)plan->warmup_ms / 1000);
    tlr_cli_text_add(text, "\n");
}

void tlr_load_advice(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    tlr_load_advice_unmeasured(result, text);
    look_at_client(result, text);
    look_at_schedule(result, text);
    look_at_machine(result, text);
}
