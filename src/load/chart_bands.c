/* SPDX-License-Identifier: MIT */
#include "chart_bands.h"

#include "html.h"

/* Shares of the width: the least of a band; between labels of bands on a wide
 * page, and on a narrow one. */
#define BAND 0.006
#define APART_WIDE 0.06
#define APART_NARROW 0.2

/* How much of what is counted lies within the chart. */
static uint64_t count_banded(const struct tlr_load_chart *chart)
{
    struct tlr_load_chart_band band;
    uint64_t count = 0;
    for (size_t i = 0; i < chart->bands; i++) {
        count += chart->band(chart->data, i, &band) ? band.count : 0;
    }
    return count;
}

static void add_counted(const struct tlr_load_chart *chart, uint64_t count,
    struct tlr_cli_text *text)
{
    tlr_load_html_count(text, count);
    tlr_cli_text_add(
        text, " %s%s", chart->band_name, count == 1 ? "" : "s");
}

/* One that is drawn, and where the labels of those before it are. */
struct drawn {
    double left; /* places, 0 to 1 */
    double right;
    struct tlr_load_chart_band band;
    double label;       /* -1: there is none yet */
    double label_minor; /* of any, also of one that a narrow page leaves out */
};

static void label_band(struct drawn *drawn, struct tlr_cli_text *text)
{
    double middle = (drawn->left + drawn->right) / 2;
    const char *anchor = middle > 0.95 ? " last" : "";
    bool minor = drawn->label >= 0 && middle < drawn->label + APART_NARROW;
    if (drawn->label_minor >= 0 && middle < drawn->label_minor + APART_WIDE) {
        return;
    }
    drawn->label_minor = middle;
    drawn->label = minor ? drawn->label : middle;
    tlr_cli_text_add(text, "<text class=\"failed%s%s\" x=\"%.2f%%\" y=\"-6\">",
        anchor, minor ? " minor" : "",
        100 * (middle > 0.95 ? drawn->right : middle));
    tlr_load_html_count(text, drawn->band.count);
    tlr_cli_text_add(text, "</text>");
}

static void draw_band(const struct tlr_load_chart *chart, struct drawn *drawn,
    struct tlr_cli_text *text)
{
    if (drawn->band.count == 0) {
        return;
    }
    if (drawn->right > 1) {
        drawn->left -= drawn->right - 1;
        drawn->right = 1;
    }
    tlr_cli_text_add(text,
        "<rect class=\"failed\" x=\"%.2f%%\" y=\"0\" width=\"%.2f%%\" "
        "height=\"100%%\"><title>",
        100 * drawn->left, 100 * (drawn->right - drawn->left));
    add_counted(chart, drawn->band.count, text);
    tlr_cli_text_add(text, ", from %.1f to %.1f s</title></rect>",
        drawn->band.from, drawn->band.to);
    label_band(drawn, text);
    tlr_cli_text_add(text, "\n");
    drawn->band.count = 0;
}

void tlr_load_chart_add_bands(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    struct drawn drawn = {.label = -1, .label_minor = -1};
    for (size_t i = 0; i < chart->bands; i++) {
        struct tlr_load_chart_band band;
        if (!chart->band(chart->data, i, &band)) {
            continue;
        }
        double left = tlr_load_axis_place(&chart->x, band.from);
        double right = tlr_load_axis_place(&chart->x, band.to);
        if (drawn.band.count > 0 && left < drawn.left + BAND) {
            drawn.right = right > drawn.right ? right : drawn.right;
            drawn.band.to = band.to;
            drawn.band.count += band.count;
            continue;
        }
        draw_band(chart, &drawn, text);
        drawn.left = left;
        drawn.right = right < left + BAND ? left + BAND : right;
        drawn.band = band;
    }
    draw_band(chart, &drawn, text);
}

void tlr_load_chart_explain_bands(
    const struct tlr_load_chart *chart, struct tlr_cli_text *text)
{
    uint64_t count = count_banded(chart);
    if (count == 0) {
        return;
    }
    tlr_cli_text_add(text, " <span class=\"bad\">&#9632; ");
    if (count != chart->banded) { /* the others were before or after */
        tlr_load_html_count(text, count);
        tlr_cli_text_add(text, " of ");
    }
    add_counted(chart, chart->banded, text);
    tlr_cli_text_add(text, "</span>");
}
