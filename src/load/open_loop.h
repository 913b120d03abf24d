/* SPDX-License-Identifier: MIT */
/*
 * The open loop (--rate) of a worker: what is due is sent at its time, or counted
 * from it. The worker's; on its thread.
 */
#ifndef TLR_LOAD_OPEN_LOOP_H
#define TLR_LOAD_OPEN_LOOP_H

#include "worker.h"

/* The schedule begins now. Nothing, in the closed loop. */
void tlr_load_open_loop_start(struct tlr_load_worker *worker);

/* Issues all that is due by now. */
void tlr_load_open_loop_go_on(struct tlr_load_worker *worker);

/* The current figures are about to be handed over: what the end needs of them is
 * kept. */
void tlr_load_open_loop_note_least(struct tlr_load_worker *worker);

/* The run finishes: counts what was due and never sent. */
void tlr_load_open_loop_end(struct tlr_load_worker *worker);

/* ---- of the worker (worker.c) ---- */

struct tlr_load_session *tlr_load_worker_session_at(
    struct tlr_load_worker *worker, uint32_t slot);

/* Whether it may send: the run has begun, and not finished. */
bool tlr_load_worker_runs(const struct tlr_load_worker *worker);

void tlr_load_worker_dial(struct tlr_load_worker *worker, uint32_t slot);

#endif
