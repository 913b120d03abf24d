/* SPDX-License-Identifier: MIT */
#include "chart.h"

#include "chart_bands.h"
#include "html.h"

/* Between two labels at the ends of lines, in pixels. */
#define APART 15.0

/* Lines of more points are thinner. */
enum { DENSE = 1000 };

enum { BUCKETS = TLR_LOAD_CHART_POINTS / 2 };

static double from_top(const struct tlr_load_chart *chart, double y)
{
    return 1 - tlr_load_axis_place(&chart->y, y);
}

/* ---- lines ---- */

struct pen {
    struct tlr_cli_text *text;
    const struct tlr_load_chart *chart;
    bool down;
    bool moved; /* and no line from there yet */
    double x;
    double y;
};

static void lift(struct pen *pen)
{
    if (pen->down && pen->moved) { /* a dot, by the line's round caps */
        tlr_cli_text_add(pen->text, "L%.1f %.1f", pen->x, pen->y);
    }
    pen->down = false;
}

static void draw_to(struct pen *pen, double x, double y)
{
    pen->x = TLR_LOAD_CHART_SIDE * tlr_load_axis_place(&pen->chart->x, x);
    pen->y = TLR_LOAD_CHART_SIDE * from_top(pen->chart, y);
    tlr_cli_text_add(
        pen->text, "%c%.1f %.1f", pen->down ? 'L' : 'M', pen->x, pen->y);
    pen->moved = !pen->down;
    pen->down = true;
}

/* The smallest and the largest of some points, in their order. */
static void draw_bucket(
    struct pen *pen, unsigned line, size_t begin, size_t end)
{
    const struct tlr_load_chart *chart = pen->chart;
    double x;
    double y;
    double least = 0;
    double most = 0;
    size_t least_at = end;
    size_t most_at = end;
    for (size_t i = begin; i < end; i++) {
        if (chart->point(chart->data, line, i, &x, &y)) {
            if (least_at == end || y < least) {
                least = y;
                least_at = i;
            }
            if (most_at == end || y > most) {
                most = y;
                most_at = i;
            }
        }
    }
    if (least_at == end) {
        lift(pen);
        return;
    }
    size_t first = least_at < most_at ? least_at : most_at;
    size_t second = least_at < most_at ? most_at : least_at;
    (void)chart->point(chart->data, line, first, &x, &y); /* as above */
    draw_to(pen, x, y);
    if (second != first) {
        (void)chart->point(chart->data, line, second, &x, &y);
        draw_to(pen, x, y);
    }
}

static size_t buckets_of(const struct tlr_load_chart *chart)
{
    return chart->points <= TLR_LOAD_CHART_POINTS ? chart->points
                                                  : (size_t)BUCKETS;
}

static bool has_points(const struct tlr_load_chart *chart, unsigned line)
{
    double x;
    double y;
    for (size_t i = 0; i < chart->points; i++) {
        if (chart->point(chart->data, line, i, &x, &y)) {
            return true;
        }
    }
    return false;
}

/* Where a share of the points begins. No overflow: so many would not fit into
 * memory. */
static size_t begin_of(const struct tlr_load_chart *chart, size_t bucket)
{
    return bucket * chart->points / buckets_of(chart);
}

static void add_line(const struct tlr_load_chart *chart, unsigned line,
    struct tlr_cli_text *text)
{
    struct pen pen = {.text = text, .chart = chart};
    tlr_cli_text_add(text, "<path class=\"l%u\" d=\"", line);
    for (size_t i = 0; i < buckets_of(chart); i++) {
        draw_bucket(&pen, line, begin_of(chart, i), begin_of(chart, i + 1));
    }
    lift(&pen);
    tlr_cli_text_add(text, "\"/>\n");
}

static void add_lines(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    tlr_cli_text_add(text,
        "<svg class=\"lines%s\" width=\"100%%\" height=\"100%%\" viewBox=\"0 0 "
        "%d %d\" preserveAspectRatio=\"none\">\n",
        chart->points > DENSE ? " dense" : "", TLR_LOAD_CHART_SIDE,
        TLR_LOAD_CHART_SIDE);
    /* The last one first: where lines meet, the first one is seen. */
    for (unsigned i = chart->line_count; i-- > 0;) {
        if (has_points(chart, i)) {
            add_line(chart, i, text);
        }
    }
    tlr_cli_text_add(text, "</svg>\n");
}

/* ---- axes ---- */

static void add_y_axis(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    for (unsigned i = 0; i < chart->y.count; i++) {
        double tick = chart->y.ticks[i];
        double y = 100 * from_top(chart, tick);
        tlr_cli_text_add(text,
            "<line x1=\"0\" x2=\"100%%\" y1=\"%.2f%%\" y2=\"%.2f%%\"/>"
            "<text class=\"y\" x=\"-8\" y=\"%.2f%%\" dy=\".35em\">",
            y, y, y);
        tlr_load_axis_label(&chart->y, tick, text);
        tlr_cli_text_add(text, "</text>\n");
    }
}

static void add_x_axis(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    for (unsigned i = 0; i < chart->x.count; i++) {
        double tick = chart->x.ticks[i];
        double x = 100 * tlr_load_axis_place(&chart->x, tick);
        /* On a phone there is room for every other one of many. */
        const char *kind = chart->x.count > 5 && i % 2 == 1 ? " minor" : "";
        if (chart->x.kind == TLR_LOAD_AXIS_PERCENT) {
            /* 0% is near 50%, and 99.99% is a long one beside a long one. */
            kind = i == 0 ? " minor" : i == 5 ? " tight" : "";
        }
        tlr_cli_text_add(text,
            "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"100%%\"/>"
            "<text class=\"x%s\" x=\"%.2f%%\" y=\"100%%\" dy=\"18\">",
            x, x, kind, x);
        tlr_load_axis_label(&chart->x, tick, text);
        tlr_cli_text_add(text, "</text>\n");
    }
}

/* ---- labels ---- */

/* The last y of a line, in pixels from the top; below 0: it has no point. */
static double end_of(const struct tlr_load_chart *chart, unsigned line)
{
    double x;
    double y;
    for (size_t i = chart->points; i-- > 0;) {
        if (chart->point(chart->data, line, i, &x, &y)) {
            return TLR_LOAD_CHART_HEIGHT * from_top(chart, y);
        }
    }
    return -1;
}

/* Moves the places, which are in order, so far apart as they have to be. */
static void spread(double *places, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        if (places[i] < places[i - 1] + APART) {
            places[i] = places[i - 1] + APART;
        }
    }
    double limit = TLR_LOAD_CHART_HEIGHT - 4; /* the axis has labels too */
    for (unsigned i = count; i-- > 0;) {
        places[i] = places[i] > limit ? limit : places[i];
        limit = places[i] - APART;
    }
}

static void add_labels(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    double places[TLR_LOAD_CHART_LINES];
    unsigned lines[TLR_LOAD_CHART_LINES];
    unsigned count = 0;
    for (unsigned line = 0; line < chart->line_count; line++) {
        double place = end_of(chart, line);
        unsigned at = count;
        if (place < 0 || chart->lines[line] == NULL) {
            continue;
        }
        /* Equal ones: the later line, which is the larger one, is above. */
        for (; at > 0 && places[at - 1] >= place; at--) {
            places[at] = places[at - 1];
            lines[at] = lines[at - 1];
        }
        places[at] = place;
        lines[at] = line;
        count++;
    }
    spread(places, count);
    for (unsigned i = 0; i < count; i++) {
        tlr_cli_text_add(text,
            "<text class=\"l%u\" x=\"100%%\" dx=\"8\" y=\"%.1f\" "
            "dy=\".35em\">",
            lines[i], places[i]);
        tlr_load_html_escape(text, chart->lines[lines[i]]);
        tlr_cli_text_add(text, "</text>\n");
    }
}

static void add_marks(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    for (unsigned i = 0; i < chart->mark_count; i++) {
        const struct tlr_load_chart_mark *mark = &chart->marks[i];
        double x = tlr_load_axis_place(&chart->x, mark->x);
        double y = TLR_LOAD_CHART_HEIGHT * from_top(chart, mark->y);
        /* Where a rising line is not: left above, or right below. By turns they
         * are apart on a phone too. */
        bool below = mark->below && y < TLR_LOAD_CHART_HEIGHT - 24;
        tlr_cli_text_add(text,
            "<circle cx=\"%.2f%%\" cy=\"%.1f\" r=\"3.5\"/><text "
            "class=\"mark %s\" x=\"%.2f%%\" y=\"%.1f\" dy=\"%d\">",
            100 * x, y, below ? "below" : "above", 100 * x, y,
            below ? 18 : -10);
        tlr_load_html_time(text, (uint64_t)mark->y);
        tlr_cli_text_add(
            text, "%s</text>\n", mark->mark == NULL ? "" : mark->mark);
    }
}

static void add_caption(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    tlr_cli_text_add(text, "<figcaption><b>");
    tlr_load_html_escape(text, chart->title);
    tlr_cli_text_add(text, "</b> <span>");
    tlr_load_html_escape(text, chart->unit);
    tlr_cli_text_add(text, "</span>");
    tlr_load_chart_explain_bands(chart, text);
    if (chart->legend != NULL) {
        tlr_cli_text_add(
            text, "<span class=\"legend\">%s</span>", chart->legend);
    }
    tlr_cli_text_add(text, "</figcaption>\n");
}

void tlr_load_chart_add(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    bool any = false;
    for (unsigned i = 0; i < chart->line_count; i++) {
        any = any || has_points(chart, i);
    }
    tlr_cli_text_add(text, "<figure id=\"%s\">\n", chart->name);
    add_caption(chart, text);
    if (any) {
        tlr_cli_text_add(
            text, "<svg class=\"chart\" role=\"img\" aria-label=\"");
        tlr_load_html_escape(text, chart->title);
        tlr_cli_text_add(text, "\">\n");
        add_y_axis(chart, text);
        add_x_axis(chart, text);
        tlr_load_chart_add_bands(chart, text);
        add_lines(chart, text);
        add_labels(chart, text);
        add_marks(chart, text);
        tlr_cli_text_add(text, "</svg>\n");
    } else {
        tlr_cli_text_add(text, "<p>Nothing was measured.</p>\n");
    }
    tlr_cli_text_add(text, "</figure>\n");
}
