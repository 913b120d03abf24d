/* SPDX-License-Identifier: MIT */
/*
 * The memory and the descriptors of other processes, once a second, and whether
 * they grow: the slope of the straight line with the least squares. Reads /proc,
 * so it is for Linux; elsewhere it finds nothing.
 */
#ifndef TLR_TESTS_WATCH_H
#define TLR_TESTS_WATCH_H

#include <stdint.h>

#include <uv.h>

struct line {
    uint64_t count;
    double x, y, xx, xy; /* sums */
    double first, last, least, most;
};

void line_add(struct line *line, double x, double y);
double line_slope(const struct line *line); /* 0 with less than two points */
double line_mean(const struct line *line);

struct watch {
    const char *file; /* of pids, one a line; read each time: they may change */
    struct line rss; /* KiB, of all of them together */
    struct line descriptors;
    uint64_t missed; /* times that none of them was there */
    /* the last time's */
    uint64_t pids;
    double rss_now;
    double descriptors_now;
};

/* Looks now, which is `seconds` after the begin; the lines get it if `counts`.*/
void watch_look(struct watch *watch, double seconds, int counts);

#endif
