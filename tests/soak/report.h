/* SPDX-License-Identifier: MIT */
/* The lines of JSON that teller-soak prints. */
#ifndef TLR_TESTS_REPORT_H
#define TLR_TESTS_REPORT_H

#include <stdbool.h>

#include "crowd.h"
#include "watch.h"

/* Once a second. */
void report_second(
    const struct crowd *crowd, const struct watch *watch, double seconds);

/* Of the first so many failures a line each. */
enum { REPORT_FAILURES = 50 };
void report_failure(const struct session *session, enum cause cause, int err);

void report_summary(const struct crowd *crowd, const struct watch *watch,
    double seconds, bool good);

#endif
