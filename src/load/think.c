/* SPDX-License-Identifier: MIT */
#include "think.h"

#include "cli/check.h"
#include "session.h"

void tlr_load_think_begin(struct tlr_load_session *session, uint64_t now)
{
    struct tlr_load_thinkers *thinkers = &session->context->thinkers;
    TLR_CLI_CHECK(!tlr_load_thinks(session));
    session->thinks_from = now;
    session->thinks_before = NULL;
    session->thinks_behind = thinkers->last;
    if (thinkers->last != NULL) {
        thinkers->last->thinks_before = session;
    } else {
        thinkers->first = session;
    }
    thinkers->last = session;
}

void tlr_load_think_end(struct tlr_load_session *session)
{
    struct tlr_load_thinkers *thinkers = &session->context->thinkers;
    struct tlr_load_session *ahead = session->thinks_behind;
    struct tlr_load_session *next = session->thinks_before;
    if (!tlr_load_thinks(session)) {
        return;
    }
    *(ahead != NULL ? &ahead->thinks_before : &thinkers->first) = next;
    *(next != NULL ? &next->thinks_behind : &thinkers->last) = ahead;
    session->thinks_from = 0;
}

bool tlr_load_thinks(const struct tlr_load_session *session)
{
    return session->thinks_from != 0;
}

uint64_t tlr_load_think_ends_at(
    const struct tlr_load_thinkers *thinkers, uint64_t think_ns)
{
    return thinkers->first->thinks_from + think_ns;
}
