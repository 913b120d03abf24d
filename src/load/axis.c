/* SPDX-License-Identifier: MIT */
#include "axis.h"

#include <math.h>

#include "html.h"

/* Steps of an axis of time, in seconds, where 1-2-5 would be odd. */
static const double time_steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900,
    1800, 3600, 7200, 14400, 21600, 43200, 86400};

/* Of an axis of time: it is as long as the next tick if that is so little more,
 * for a run of 10 s may have taken 9.9998. */
#define NEARLY 0.005

/* Decades of an axis that have room for 1, 2 and 5, and not only for 1. */
#define ROOM 4.05

enum { TIME_STEPS = sizeof(time_steps) / sizeof(time_steps[0]) };

/* The largest 1, 2 or 5 times a power of ten that is not above `value`, which
 * is above 0; a hair below counts as it. */
static double step_below(double value)
{
    double power = pow(10, floor(log10(value) + 1e-9));
    double digit = value / power + 1e-9;
    return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

static double step_above(double value)
{
    double below = step_below(value);
    if (value <= below * (1 + 1e-9)) {
        return below;
    }
    return step_below(below * 2.5); /* 1 2 5 10 */
}

/* 1, 1.5, 2, 3, 4 ... 9, 10: the next one. */
static double digit_after(double value)
{
    double power = pow(10, floor(log10(value) + 1e-9));
    double digit = value / power + 1e-9;
    return value + power * (digit < 2 ? 0.5 : 1);
}

static void add_tick(struct tlr_load_axis *axis, double value)
{
    if (axis->count < TLR_LOAD_AXIS_TICKS) {
        axis->ticks[axis->count++] = value;
    }
}

static void add_even_ticks(struct tlr_load_axis *axis, double step)
{
    for (unsigned i = 0; i * step <= axis->high * (1 + 1e-9) &&
                         axis->count < TLR_LOAD_AXIS_TICKS;
         i++) {
        add_tick(axis, i * step);
    }
}

void tlr_load_axis_count(struct tlr_load_axis *axis, double high)
{
    double step = high > 0 ? step_above(high / 5) : 1;
    *axis = (struct tlr_load_axis){.kind = TLR_LOAD_AXIS_COUNT};
    axis->high = high > 0 ? ceil(high / step - 1e-9) * step : 1;
    add_even_ticks(axis, step);
}

void tlr_load_axis_seconds(struct tlr_load_axis *axis, double high)
{
    *axis = (struct tlr_load_axis){.kind = TLR_LOAD_AXIS_SECONDS};
    axis->high = high > 0 ? high : 1.0;
    double least = axis->high / 7;
    double step = step_above(least);
    for (unsigned i = 0; least > 0.5 && i < TIME_STEPS; i++) {
        step = time_steps[i];
        if (step >= least) {
            break;
        }
    }
    if (step < least) { /* more than a week: whole days */
        step = 86400 * ceil(least / 86400);
    }
    double last = ceil(axis->high / step) * step;
    if (last <= axis->high * (1 + NEARLY)) {
        axis->high = last;
    }
    add_even_ticks(axis, step);
}

void tlr_load_axis_latency(struct tlr_load_axis *axis, double low, double high)
{
    *axis = (struct tlr_load_axis){.kind = TLR_LOAD_AXIS_LATENCY};
    axis->low = step_below(low < 1 ? 1 : low);
    axis->high = step_above(high < axis->low ? axis->low : high);
    if (axis->high < axis->low * 1.5) {
        axis->high = step_above(axis->low * 1.5);
    }
    double decades = log10(axis->high / axis->low);
    double tick = axis->low;
    if (decades < 0.75) { /* 1, 2 and 5 would be few */
        while (tick <= axis->high * (1 + 1e-9)) {
            add_tick(axis, tick);
            tick = digit_after(tick);
        }
        return;
    }
    if (decades > ROOM) { /* so that its ends are ticks too */
        axis->low = tick = pow(10, floor(log10(axis->low) + 1e-9));
        axis->high = pow(10, ceil(log10(axis->high) - 1e-9));
    }
    while (tick <= axis->high * (1 + 1e-9)) {
        double power = pow(10, round(log10(tick)));
        if (decades <= ROOM || fabs(tick / power - 1) < 1e-6) {
            add_tick(axis, tick);
        }
        tick = step_above(tick * 1.5);
    }
}

void tlr_load_axis_percent(struct tlr_load_axis *axis)
{
    *axis = (struct tlr_load_axis){.kind = TLR_LOAD_AXIS_PERCENT,
        .high = 99.999, .count = 7,
        .ticks = {0, 50, 90, 99, 99.9, 99.99, 99.999}};
}

double tlr_load_axis_place(const struct tlr_load_axis *axis, double value)
{
    double place;
    switch (axis->kind) {
    case TLR_LOAD_AXIS_LATENCY:
        place = value <= axis->low ? 0
                                   : log(value / axis->low) /
                                         log(axis->high / axis->low);
        break;
    case TLR_LOAD_AXIS_PERCENT:
        place = value >= axis->high ? 1
                                    : log10(1 - value / 100) /
                                          log10(1 - axis->high / 100);
        break;
    default:
        place = (value - axis->low) / (axis->high - axis->low);
        break;
    }
    return place > 1 ? 1 : place > 0 ? place : 0;
}

static void add_with_unit(
    struct tlr_cli_text *text, double value, const char *unit)
{
    tlr_cli_text_add(text, "%.6g&nbsp;%s", value, unit);
}

/* In the unit of the largest one: 5 k and 10 k stand beside each other. */
static void label_count(
    const struct tlr_load_axis *axis, double value, struct tlr_cli_text *text)
{
    if (axis->high >= 1e3 && axis->high < 1e4) {
        tlr_load_html_count(text, (uint64_t)(value + 0.5));
    } else if (value == 0 || axis->high < 1e3) {
        tlr_cli_text_add(text, "%.6g", value);
    } else if (axis->high >= 1e9) {
        add_with_unit(text, value / 1e9, "G");
    } else if (axis->high >= 1e6) {
        add_with_unit(text, value / 1e6, "M");
    } else {
        add_with_unit(text, value / 1e3, "k");
    }
}

/* In the unit of the steps: 0, 30 and 60 min stand beside each other. */
static void label_seconds(
    const struct tlr_load_axis *axis, double value, struct tlr_cli_text *text)
{
    double step = axis->count > 1 ? axis->ticks[1] : value;
    if (step >= 86400) {
        add_with_unit(text, value / 86400, "d");
    } else if (step >= 3600) {
        add_with_unit(text, value / 3600, "h");
    } else if (step >= 60) {
        add_with_unit(text, value / 60, "min");
    } else if (step >= 0.0999) {
        add_with_unit(text, value, "s");
    } else if (step >= 1e-3) {
        add_with_unit(text, value * 1e3, "ms");
    } else {
        add_with_unit(text, value * 1e6, "&micro;s");
    }
}

static void label_latency(struct tlr_cli_text *text, double value)
{
    if (value >= 1e9) {
        add_with_unit(text, value / 1e9, "s");
    } else if (value >= 1e6) {
        add_with_unit(text, value / 1e6, "ms");
    } else if (value >= 1e3) {
        add_with_unit(text, value / 1e3, "&micro;s");
    } else {
        add_with_unit(text, value, "ns");
    }
}

void tlr_load_axis_label(
    const struct tlr_load_axis *axis, double value, struct tlr_cli_text *text)
{
    switch (axis->kind) {
    case TLR_LOAD_AXIS_COUNT:
        label_count(axis, value, text);
        break;
    case TLR_LOAD_AXIS_SECONDS:
        label_seconds(axis, value, text);
        break;
    case TLR_LOAD_AXIS_LATENCY:
        label_latency(text, value);
        break;
    case TLR_LOAD_AXIS_PERCENT:
        tlr_cli_text_add(text, "%.6g%%", value);
        break;
    }
}
