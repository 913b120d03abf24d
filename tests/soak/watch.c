/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdio.h>
#include <string.h>

/* ---- a line ---- */

void line_add(struct line *line, double x, double y)
{
    if (line->count == 0) {
        line->first = line->least = line->most = y;
    }
    line->count++;
    line->x += x;
    line->y += y;
    line->xx += x * x;
    line->xy += x * y;
    line->last = y;
    line->least = y < line->least ? y : line->least;
    line->most = y > line->most ? y : line->most;
}

double line_slope(const struct line *line)
{
    double n = (double)line->count;
    double spread = n * line->xx - line->x * line->x;
    return line->count < 2 || spread <= 0
               ? 0
               : (n * line->xy - line->x * line->y) / spread;
}

double line_mean(const struct line *line)
{
    return line->count == 0 ? 0 : line->y / (double)line->count;
}

/* ---- the processes ---- */

static int read_rss(unsigned long pid, unsigned long *kib)
{
    char path[64];
    char text[256];
    int found = 0;
    (void)snprintf(path, sizeof(path), "/proc/%lu/status", pid); /* it fits */
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    while (!found && fgets(text, sizeof(text), file) != NULL) {
        found = sscanf(text, "VmRSS: %lu", kib) == 1;
    }
    (void)fclose(file); /* it was only read */
    return found;
}

static int count_descriptors(unsigned long pid)
{
    char path[64];
    uv_fs_t request;
    (void)snprintf(path, sizeof(path), "/proc/%lu/fd", pid); /* it fits */
    int count = uv_fs_scandir(NULL, &request, path, 0, NULL);
    uv_fs_req_cleanup(&request);
    return count < 0 ? 0 : count;
}

void watch_look(struct watch *watch, double seconds, int counts)
{
    unsigned long pid;
    unsigned long kib;
    FILE *file = watch->file == NULL ? NULL : fopen(watch->file, "r");
    watch->pids = 0;
    watch->rss_now = 0;
    watch->descriptors_now = 0;
    while (file != NULL && fscanf(file, "%lu", &pid) == 1) {
        if (read_rss(pid, &kib)) {
            watch->pids++;
            watch->rss_now += (double)kib;
            watch->descriptors_now += count_descriptors(pid);
        }
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    if (watch->pids == 0) {
        watch->missed++;
    } else if (counts) {
        line_add(&watch->rss, seconds, watch->rss_now);
        line_add(&watch->descriptors, seconds, watch->descriptors_now);
    }
}
