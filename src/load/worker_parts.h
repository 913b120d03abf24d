/* SPDX-License-Identifier: MIT */
/* What the files that make up a worker (worker.c, slots.c, thinking.c, due.c)
 * call of each other; all on its thread. */
#ifndef TLR_LOAD_WORKER_PARTS_H
#define TLR_LOAD_WORKER_PARTS_H

#include "worker.h"

static inline struct tlr_load_session *tlr_load_worker_session(
    const struct tlr_load_worker *worker, uint32_t slot)
{
    return (struct tlr_load_session *)(worker->sessions +
                                       slot * worker->stride);
}

static inline struct tlr_load_worker *tlr_load_worker_of(
    const struct tlr_load_session *session)
{
    return session->context->data;
}

/* Whether it sends. */
static inline bool tlr_load_worker_runs(const struct tlr_load_worker *worker)
{
    return worker->phase == TLR_LOAD_PHASE_WARM ||
           worker->phase == TLR_LOAD_PHASE_MEASURE;
}

/* ---- worker.c: the thread, its phases and ticks ---- */

/* Something that the run looks at has changed. */
void tlr_load_worker_notify(struct tlr_load_worker *worker);

/* One more of the crew's counter has. */
void tlr_load_worker_add(struct tlr_load_worker *worker, atomic_uint *counter);

/* ---- slots.c: which of them have a connection ---- */

void tlr_load_slots_dial(struct tlr_load_worker *worker, uint32_t slot);

/* Dials the next ones that were never dialled: where connecting is what is
 * measured not before that begins, and in the open loop each when it is due. A
 * session reports later, never from inside this. */
void tlr_load_slots_dial_more(struct tlr_load_worker *worker);

/* Those that have failed since the last tick. */
void tlr_load_slots_dial_failed(struct tlr_load_worker *worker);

/* IDLE, at the end: all are asked, not all at once. */
void tlr_load_slots_ask(struct tlr_load_worker *worker);

/* All that are not over take the step, but those without a connection: these are
 * over now. */
void tlr_load_slots_each(
    struct tlr_load_worker *worker, tlr_load_session_cb step);

/* For the context. */
void tlr_load_slots_on_ready(struct tlr_load_session *session);
void tlr_load_slots_on_failed(struct tlr_load_session *session);
void tlr_load_slots_on_closed(struct tlr_load_session *session);

/* ---- thinking.c: who has thought long enough ---- */

/* Before it sends; nothing without a time to think. */
void tlr_load_thinking_start(struct tlr_load_worker *worker);

/* ---- due.c: the open loop ---- */

/* The time begins; nothing in the closed loop. */
void tlr_load_due_start(struct tlr_load_worker *worker);

/* Sends what is due by now, as far as it can. */
void tlr_load_due_run(struct tlr_load_worker *worker);

/* The figures are handed over: what is asked for at the end is kept. */
void tlr_load_due_note_least(struct tlr_load_worker *worker);

/* The end: what was due and is not sent. */
void tlr_load_due_count_unsent(struct tlr_load_worker *worker);

#endif
