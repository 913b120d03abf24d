/* SPDX-License-Identifier: MIT */
/* Whose bytes came in the place of the right ones is told from a few of them, and
 * TCP may deliver those one by one: so it waits for a moment. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis.h"
#include "parts.h"
#include "pattern.h"

/* How long to wait for more bytes after a wrong one. */
#define WAIT_NS UINT64_C(200000000)

/* Bytes that are shown on either side of the first wrong one. */
enum { AROUND = 8 };

struct tlr_load_evidence {
    size_t size;
    uint64_t since; /* uv_hrtime() */
    uint8_t bytes[TLR_LOAD_EVIDENCE];
};

static void add_hex(char *text, size_t room, const uint8_t *bytes, size_t size)
{
    size_t used = strlen(text);
    for (size_t i = 0; i < size && used + 4 < room; i++) {
        (void)snprintf(text + used, room - used, " %02x", bytes[i]);
        used += 3;
    }
}

/* "expected 00 11 .., got 00 12 ..": up to 16 bytes, the wrong one in the middle. */
static const char *show(const struct tlr_load_session *session,
    const uint8_t *bytes, size_t size, char text[160])
{
    uint8_t expected[2 * AROUND];
    uint64_t at = session->received;
    uint64_t seen = at - session->first; /* right ones before it */
    size_t before = seen < AROUND ? (size_t)seen : AROUND;
    size_t after = size < AROUND ? size : AROUND;
    tlr_load_pattern_fill(
        session->number, at - before, expected, before + after);
    (void)snprintf(text, 160, "from byte %" PRIu64 " on expected",
        at - before - session->first);
    add_hex(text, 160, expected, before + after);
    (void)snprintf(text + strlen(text), 160 - strlen(text), ", got");
    add_hex(text, 160, expected, before);
    add_hex(text, 160, bytes, after);
    return text;
}

/* A greeting, which may come before the first message is sent or behind that, and
 * in CHURN, where nothing is sent at all, is surplus. */
static bool is_early(const struct tlr_load_session *session)
{
    return session->received == session->first &&
           session->context->plan->mode != TLR_LOAD_CHURN;
}

static void fail(struct tlr_load_session *session, const uint8_t *bytes,
    size_t size, const char *text)
{
    char hex[160];
    uint64_t position = session->received;
    uint64_t sent = session->sent - session->first;
    uint8_t expected;
    tlr_load_pattern_fill(session->number, position, &expected, 1);
    if (position < session->sent) {
        tlr_load_session_fail(session, TLR_LOAD_WRONG,
            ": byte %" PRIu64 " is wrong (expected 0x%02x, got 0x%02x): %s; %s",
            position - session->first, expected, bytes[0], text,
            show(session, bytes, size, hex));
    } else if (is_early(session)) {
        tlr_load_session_fail(session, TLR_LOAD_WRONG,
            ": byte 0 is wrong: it came before anything was sent; %s; %s", text,
            show(session, bytes, size, hex));
    } else {
        tlr_load_session_fail(session, TLR_LOAD_SURPLUS,
            ": surplus: more came back than the %" PRIu64 " %s sent; %s", sent,
            tlr_load_problem_bytes(sent), text);
    }
}

static void conclude(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    char text[TLR_LOAD_DIAGNOSIS_LENGTH];
    const struct tlr_load_plan *plan = session->context->plan;
    struct tlr_load_diagnosis diagnosis = tlr_load_diagnose(session->number,
        session->received, bytes, size, plan->connections);
    tlr_load_diagnosis_text(
        &diagnosis, session->number, session->first, text);
    if (diagnosis.finding == TLR_LOAD_FOREIGN && tlr_load_plan_reopens(plan)) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof(text) - length,
            " (counted over all its sessions)"); /* it fits */
    }
    fail(session, bytes, size, text);
}

void tlr_load_examine_end(struct tlr_load_session *session)
{
    conclude(session, session->evidence->bytes, session->evidence->size);
}

void tlr_load_examine_more(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    struct tlr_load_evidence *evidence = session->evidence;
    size_t room = TLR_LOAD_EVIDENCE - evidence->size;
    size_t length = size < room ? size : room;
    memcpy(evidence->bytes + evidence->size, bytes, length);
    evidence->size += length;
    if (evidence->size == TLR_LOAD_EVIDENCE) {
        tlr_load_examine_end(session);
    }
}

void tlr_load_examine(
    struct tlr_load_session *session, const uint8_t *bytes, size_t size)
{
    if (size < TLR_LOAD_EVIDENCE) {
        session->evidence = calloc(1, sizeof(*session->evidence));
    }
    if (session->evidence == NULL) {
        conclude(session, bytes, size);
        return;
    }
    session->evidence->since = uv_hrtime();
    session->context->examining++;
    tlr_load_session_enter(session, TLR_LOAD_EXAMINING);
    tlr_load_examine_more(session, bytes, size);
}

bool tlr_load_examine_is_late(
    const struct tlr_load_session *session, uint64_t now)
{
    return now >= session->evidence->since + WAIT_NS;
}

void tlr_load_examine_free(struct tlr_load_session *session)
{
    session->context->examining -= session->evidence != NULL;
    free(session->evidence);
    session->evidence = NULL;
}
