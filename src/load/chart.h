/* SPDX-License-Identifier: MIT */
/*
 * A chart of lines as a figure of HTML with one SVG, drawn by nothing but this
 * text: no script. It is as wide as its page, and its text is not scaled with
 * it, so that it can be read on a phone too: all places are shares of the
 * width, and the lines are in an SVG of their own, which is stretched.
 * Pure; all strings are borrowed for the call, and escaped.
 */
#ifndef TLR_LOAD_CHART_H
#define TLR_LOAD_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "axis.h"

enum {
    TLR_LOAD_CHART_LINES = 4,
    TLR_LOAD_CHART_MARKS = 8,
    TLR_LOAD_CHART_POINTS = 2000, /* of a line at most: extremes are kept */
    TLR_LOAD_CHART_SIDE = 1000,   /* of the viewBox of the lines */
    TLR_LOAD_CHART_HEIGHT = 240   /* CSS pixels, of what the axes enclose */
};

struct tlr_load_chart_band {
    double from;
    double to;
    uint64_t count;
};

struct tlr_load_chart {
    const char *name; /* the figure's id: letters */
    const char *title;
    const char *unit; /* what the lines are of: beside the title */
    const char *legend; /* HTML, below these two; NULL: none */
    struct tlr_load_axis x;
    struct tlr_load_axis y;
    size_t points; /* of each line */
    unsigned line_count;
    const char *lines[TLR_LOAD_CHART_LINES]; /* labels; NULL: none */
    /* Gives a point of a line; x does not fall. False: there is a gap. */
    bool (*point)(
        const void *data, unsigned line, size_t index, double *x, double *y);
    /* What happened in a part of the time: it is shaded in red, with the count.
     * False: there is no such part. From left to right; near ones become one.
     */
    size_t bands;
    bool (*band)(
        const void *data, size_t index, struct tlr_load_chart_band *band);
    const char *band_name; /* of what is counted, in the singular */
    uint64_t banded;       /* of these in all, within the time or not */
    const void *data;
    unsigned mark_count; /* points that are marked, from left to right */
    struct tlr_load_chart_mark {
        double x;
        double y; /* nanoseconds: it is the label */
        bool below; /* the label is right below the point, not left above */
        const char *mark; /* behind the label; NULL: none */
    } marks[TLR_LOAD_CHART_MARKS];
};

/* Appends the chart; without any point, that there is none. */
void tlr_load_chart_add(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text);

#endif
