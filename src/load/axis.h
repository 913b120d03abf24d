/* SPDX-License-Identifier: MIT */
/* What the axis of a chart stands for, from one end to the other, and which of
 * its values are written beside it. Pure. */
#ifndef TLR_LOAD_AXIS_H
#define TLR_LOAD_AXIS_H

#include "cli/text.h"

enum { TLR_LOAD_AXIS_TICKS = 24 };

enum tlr_load_axis_kind {
    TLR_LOAD_AXIS_COUNT,   /* from 0, in even steps */
    TLR_LOAD_AXIS_SECONDS, /* likewise, and it ends where the data does */
    TLR_LOAD_AXIS_LATENCY, /* nanoseconds, logarithmic */
    TLR_LOAD_AXIS_PERCENT  /* 0 to 99.999, by log(1/(1-p)) */
};

struct tlr_load_axis {
    enum tlr_load_axis_kind kind;
    double low; /* the values at its ends */
    double high;
    unsigned count; /* of the ticks, in order */
    double ticks[TLR_LOAD_AXIS_TICKS];
};

/* `high` is the largest value; at most 6 ticks. */
void tlr_load_axis_count(struct tlr_load_axis *axis, double high);

/* 0 to `high`, or to a tick that is next to it; at most 8 ticks. */
void tlr_load_axis_seconds(struct tlr_load_axis *axis, double high);

/* From a 1, 2 or 5 below `low` to one above `high`; at most 16 ticks. Less than
 * a nanosecond counts as one. */
void tlr_load_axis_latency(
    struct tlr_load_axis *axis, double low, double high);

void tlr_load_axis_percent(struct tlr_load_axis *axis);

/* Where a value is: 0 at the low end, 1 at the high one, never beyond them. */
double tlr_load_axis_place(const struct tlr_load_axis *axis, double value);

/* Appends a value as it stands beside a tick, as HTML: "20 k", "5 min". */
void tlr_load_axis_label(
    const struct tlr_load_axis *axis, double value, struct tlr_cli_text *text);

#endif
