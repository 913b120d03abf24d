/* SPDX-License-Identifier: MIT */
/*
 * TLR_POINT(name): a place where a thread may be held up while others go on, and
 * where that matters: the steps of tests/model/handover.pml. Nothing, unless
 * TLR_POINTS is defined: tests/test_handover.c, which is linked with files built
 * so, lets time pass there.
 */
#ifndef TLR_POINT_H
#define TLR_POINT_H

#ifdef TLR_POINTS
void tlr_point(const char *name); /* the test's; any thread */
#define TLR_POINT(name) tlr_point(#name)
#else
#define TLR_POINT(name) ((void)0)
#endif

#endif
