/* SPDX-License-Identifier: MIT */
#include "require.h"

#include "rates.h"
#include "report.h"

static bool time_of(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, double *value)
{
    enum tlr_load_measure measure = requirement->is_main
                                        ? tlr_load_main_measure(result->plan)
                                        : requirement->measure;
    const struct tlr_load_histogram *of = &result->figures->latency[measure];
    *value = tlr_load_histogram_figure(of, requirement->percent);
    return of->count > 0;
}

/* False: it was not measured. */
static bool value_of(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, double *value)
{
    const struct tlr_load_figures *measured = result->figures;
    const struct tlr_load_tally *total = &result->total;
    struct tlr_load_rates rates = tlr_load_rates_of(result);
    switch (requirement->goal) {
    case TLR_LOAD_GOAL_ERRORS:
        *value = (double)tlr_load_tally_failed(total);
        return true;
    case TLR_LOAD_GOAL_RATE:
        *value = tlr_load_plan_dials_late(result->plan) ? rates.sessions
                                                        : rates.round_trips;
        return true;
    case TLR_LOAD_GOAL_BYTES:
        *value = rates.bytes_received;
        return true;
    case TLR_LOAD_GOAL_BUSY:
        *value = 100 * tlr_load_figures_busy(measured);
        return measured->elapsed_ns > 0;
    case TLR_LOAD_GOAL_ROUND_TRIPS:
        *value = (double)measured->round_trips;
        return true;
    case TLR_LOAD_GOAL_SESSIONS:
        *value = (double)measured->sessions;
        return true;
    case TLR_LOAD_GOAL_UNSENT:
        *value = (double)total->unsent;
        return true;
    case TLR_LOAD_GOAL_CONNECTED:
        *value = (double)total->connected;
        return true;
    case TLR_LOAD_GOAL_MEMORY:
        *value = result->memory;
        return result->memory > 0;
    case TLR_LOAD_GOAL_TIME:
        return time_of(requirement, result, value);
    default:
        *value = (double)total->errors[requirement->goal];
        return true;
    }
}

static bool compare(enum tlr_load_operator op, double value, double wanted)
{
    switch (op) {
    case TLR_LOAD_LESS:
        return value < wanted;
    case TLR_LOAD_LESS_OR_EQUAL:
        return value <= wanted;
    case TLR_LOAD_EQUAL:
        return value == wanted;
    case TLR_LOAD_NOT_EQUAL:
        return value != wanted;
    case TLR_LOAD_GREATER_OR_EQUAL:
        return value >= wanted;
    default:
        return value > wanted;
    }
}

static void add_value(
    struct tlr_cli_text *line, enum tlr_load_unit unit, double value)
{
    switch (unit) {
    case TLR_LOAD_TIME:
        tlr_load_report_time(line, (uint64_t)value);
        break;
    case TLR_LOAD_RATE:
        tlr_cli_text_add(line, "%.1f/s", value);
        break;
    case TLR_LOAD_FLOW:
        tlr_cli_text_add(line, "%.0f bytes/s", value);
        break;
    case TLR_LOAD_SHARE:
        tlr_cli_text_add(line, "%.1f%%", value);
        break;
    case TLR_LOAD_BYTES:
        tlr_cli_text_add(line, "%.0f bytes", value);
        break;
    default:
        tlr_cli_text_add(line, "%.0f", value);
        break;
    }
}

bool tlr_load_require_holds(const struct tlr_load_requirement *requirement,
    const struct tlr_load_result *result, struct tlr_cli_text *line)
{
    double value = 0;
    bool known = value_of(requirement, result, &value);
    if (known && compare(requirement->op, value, requirement->wanted)) {
        return true;
    }
    tlr_cli_text_add(line, "required %s, but it was ", requirement->text);
    if (known) {
        add_value(line, requirement->unit, value);
    } else {
        tlr_cli_text_add(line, "not measured");
    }
    return false;
}

bool tlr_load_require_allows(const struct tlr_load_requirements *requirements,
    const struct tlr_load_result *result)
{
    bool allowed[TLR_LOAD_CAUSES] = {false};
    for (size_t i = 0; i < requirements->count; i++) {
        const struct tlr_load_requirement *one = &requirements->items[i];
        double value;
        if (one->goal > TLR_LOAD_GOAL_ERRORS || !value_of(one, result, &value) ||
            !compare(one->op, value, one->wanted)) {
            continue;
        }
        for (unsigned cause = 0; cause < TLR_LOAD_CAUSES; cause++) {
            allowed[cause] |= one->goal == TLR_LOAD_GOAL_ERRORS || one->goal == cause;
        }
    }
    for (unsigned cause = 0; cause < TLR_LOAD_CAUSES; cause++) {
        if (result->total.errors[cause] > 0 && !allowed[cause]) {
            return false;
        }
    }
    return !result->aborted;
}
