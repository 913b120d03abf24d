/* SPDX-License-Identifier: MIT */
/* What the files that make up a session (session.c, dial.c, traffic.c, examine.c)
 * call of each other. */
#ifndef TLR_LOAD_PARTS_H
#define TLR_LOAD_PARTS_H

#include "session.h"

/* ---- session.c: closing, failing, reading ---- */

void tlr_load_session_enter(
    struct tlr_load_session *session, enum tlr_load_state state);

/* There was some progress. */
void tlr_load_session_touch(struct tlr_load_session *session);

/* Counts the failure and closes. The line begins with the connection's number;
 * `format` goes on. */
void tlr_load_session_fail(struct tlr_load_session *session,
    enum tlr_load_cause cause, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* It has ended well: counts that, and closes. */
void tlr_load_session_succeed(struct tlr_load_session *session);

void tlr_load_session_close(struct tlr_load_session *session);

/* Has what comes be read. Returns 0 or libuv's error. */
int tlr_load_session_read(struct tlr_load_session *session);

/* ---- dial.c: connecting ---- */

/* The address that is dialled has given no connection: the next one is tried, or
 * the session fails. */
void tlr_load_dial_failed(struct tlr_load_session *session, int err);

/* Tries the next address; false: there is none. */
bool tlr_load_dial_next(struct tlr_load_session *session);

/* ---- traffic.c: what is sent and what comes back ---- */

/* A connection begins: where the slot's last one was. */
void tlr_load_traffic_begin(struct tlr_load_session *session);

/* The slot's goal has changed. */
void tlr_load_traffic_set_goal(struct tlr_load_session *session);

/* It runs: sends what may be sent, and ends its side when all is back. */
void tlr_load_traffic_go_on(struct tlr_load_session *session);

/* Bytes came, for one that runs or ends. */
void tlr_load_traffic_receive(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size);

/* Bytes that may be read now: SLOW has a limit. */
size_t tlr_load_traffic_room(struct tlr_load_session *session);

/* ---- examine.c: a wrong byte ---- */

/* The first of these bytes is wrong. */
void tlr_load_examine(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size);

/* More came, for one that is EXAMINING. */
void tlr_load_examine_more(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size);

/* No more will. Fails. */
void tlr_load_examine_end(struct tlr_load_session *session);

/* Whether it has waited long enough; `now`: uv_hrtime(). */
bool tlr_load_examine_is_late(
    const struct tlr_load_session *session, uint64_t now);

void tlr_load_examine_free(struct tlr_load_session *session);

#endif
