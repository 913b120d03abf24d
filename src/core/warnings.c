/* SPDX-License-Identifier: MIT */
/* See warnings.h. */
#include "warnings.h"

#include "check.h"
#include "libuv.h"
#include "list.h"

#define SECOND 1000000000u /* in nanoseconds, as uv_hrtime() counts */
#define MILLISECOND 1000000u

void tlr_warnings_init(struct tlr_warnings *warnings, uv_loop_t *loop,
                       const struct tlr_warnings_callbacks *callbacks)
{
    TLR_CHECK(uv_timer_init(loop, &warnings->timer) == 0);
    uv_unref((uv_handle_t *)&warnings->timer);
    warnings->callbacks = callbacks;
}

/*
 * Who notes the first of a kind wakes the host; the others know that this has
 * been done, or that the timer runs.
 */
void tlr_warnings_note(struct tlr_warnings *warnings,
                       enum tlr_warning_kind kind, int error)
{
    if (warnings == NULL || warnings->callbacks == NULL) {
        return;
    }
    atomic_store(&warnings->errors[kind], error);
    if (atomic_fetch_add(&warnings->times[kind], 1) == 0) {
        warnings->callbacks->wake(warnings);
    }
}

/* The second is from the end of the call: then it is one to whoever is called,
 * however long the thread is kept from running before that. */
static void tell_of(struct tlr_warnings *warnings, enum tlr_warning_kind kind)
{
    struct tlr_warning warning = {.kind = kind};

    warning.times = atomic_exchange(&warnings->times[kind], 0);
    warning.error = atomic_load(&warnings->errors[kind]);
    warnings->callbacks->told(warnings, &warning);
    warnings->told[kind] = uv_hrtime();
}

static bool is_closing(const struct tlr_warnings *warnings)
{
    return uv_is_closing((const uv_handle_t *)&warnings->timer);
}

static void on_timer(uv_timer_t *timer)
{
    tlr_warnings_tell(TLR_CONTAINER_OF(timer, struct tlr_warnings, timer));
}

void tlr_warnings_tell(struct tlr_warnings *warnings)
{
    uint64_t now = uv_hrtime();
    uint64_t wait = UINT64_MAX;
    int kind;

    for (kind = 0; kind < TLR_WARNINGS && !is_closing(warnings); kind++) {
        uint64_t due = warnings->told[kind] + SECOND;

        if (atomic_load(&warnings->times[kind]) == 0) {
            continue;
        }
        if (warnings->told[kind] == 0 || due <= now) {
            tell_of(warnings, (enum tlr_warning_kind)kind);
        } else if (due - now < wait) {
            wait = due - now;
        }
    }
    if (wait != UINT64_MAX && !is_closing(warnings)) {
        TLR_CHECK(uv_timer_start(&warnings->timer, on_timer,
                                 wait / MILLISECOND + 1, 0) == 0);
    }
}

void tlr_warnings_close(struct tlr_warnings *warnings, uv_close_cb cb)
{
    tlr_libuv_close((uv_handle_t *)&warnings->timer, cb);
}
