/* SPDX-License-Identifier: MIT */
#include "html.h"

#include <inttypes.h>
#include <string.h>

#include "report.h"

void tlr_load_html_escape(struct tlr_cli_text *text, const char *string)
{
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            tlr_cli_text_add(text, "&#%u;", (unsigned)c);
        } else {
            tlr_cli_text_add(text, "%c", c < ' ' || c == 127 ? '?' : c);
        }
    }
}

void tlr_load_html_count(struct tlr_cli_text *text, uint64_t count)
{
    unsigned groups[7]; /* of three digits, the last ones first */
    unsigned left = 0;
    do {
        groups[left++] = (unsigned)(count % 1000);
        count /= 1000;
    } while (count > 0);
    tlr_cli_text_add(text, "%u", groups[--left]);
    while (left > 0) {
        tlr_cli_text_add(text, ",%03u", groups[--left]);
    }
}

void tlr_load_html_rate(struct tlr_cli_text *text, double rate)
{
    if (rate < 100) {
        tlr_cli_text_add(text, "%.1f", rate);
    } else {
        tlr_load_html_count(text, (uint64_t)(rate + 0.5));
    }
}

void tlr_load_html_time(struct tlr_cli_text *text, uint64_t nanoseconds)
{
    struct tlr_cli_text plain = {0};
    tlr_load_report_time(&plain, nanoseconds);
    const char *unit = strchr(tlr_cli_text_get(&plain), ' ');
    if (unit == NULL) {
        text->failed = true;
    } else {
        tlr_cli_text_add(text, "%.*s&nbsp;%s", (int)(unit - plain.data),
            plain.data, strcmp(unit, " us") == 0 ? "&micro;s" : unit + 1);
    }
    tlr_cli_text_free(&plain);
}

void tlr_load_html_duration(struct tlr_cli_text *text, double seconds)
{
    uint64_t whole = (uint64_t)(seconds + 0.5);
    if (seconds < 120) {
        tlr_load_html_time(text, (uint64_t)(seconds * 1e9 + 0.5));
        return;
    }
    if (whole >= 3600) {
        tlr_cli_text_add(text, "%" PRIu64 "&nbsp;h ", whole / 3600);
    }
    tlr_cli_text_add(text, "%" PRIu64 "&nbsp;min %" PRIu64 "&nbsp;s",
        whole / 60 % 60, whole % 60);
}

void tlr_load_html_bytes(struct tlr_cli_text *text, double bytes)
{
    const char *unit = tlr_load_report_bytes(&bytes);
    tlr_cli_text_add(
        text, "%.*f&nbsp;%s", strcmp(unit, "B") == 0 ? 0 : 1, bytes, unit);
}

/* The Gregorian calendar from a March 1st on, so that a leap day is the last
 * one of its year: Howard Hinnant's "chrono-compatible low-level date
 * algorithms". The C library has nothing for this that threads may call. */
void tlr_load_html_date(struct tlr_cli_text *text, double seconds)
{
    /* From year 0 to 9999, whatever the clock says. */
    uint64_t now = seconds > 0 && seconds < 253402300800.0
                       ? (uint64_t)seconds : 0;
    uint64_t days = now / 86400 + 719468;
    uint64_t era = days / 146097;
    uint64_t day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint64_t month = (5 * day + 2) / 153; /* 0: March */
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += 400 * era + (month <= 2 ? 1 : 0);
    tlr_cli_text_add(text,
        "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 " %02" PRIu64 ":%02" PRIu64
        ":%02" PRIu64 " UTC",
        year, month, day + 1, now / 3600 % 24, now / 60 % 60, now % 60);
}
