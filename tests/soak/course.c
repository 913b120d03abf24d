/* SPDX-License-Identifier: MIT */
#include "course.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "cli/parse.h"

enum { KIB = 1024, MIB = 1024 * KIB, LARGE_ONE_OF = 20, LARGE = 12 * MIB };

static const char *const names[KINDS] = {"quick", "slow", "silent", "reset",
    "half", "bytes", "hold", "probe", "starve", "drip", "flood", "mute"};

const char *kind_name(enum kind kind)
{
    return names[kind];
}

/* ---- the mix ---- */

static int kind_of(const char *name, size_t length)
{
    for (int i = 0; i < KINDS; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            return i;
        }
    }
    return KINDS;
}

/* One "name=weight", of `length` bytes. */
static int parse_part(
    const char *part, size_t length, uint64_t weights[KINDS])
{
    char number[16] = "";
    const char *equals = memchr(part, '=', length);
    if (equals == NULL) {
        return UV_EINVAL;
    }
    size_t digits = length - (size_t)(equals + 1 - part);
    int kind = kind_of(part, (size_t)(equals - part));
    if (kind == KINDS || digits >= sizeof(number)) {
        return UV_EINVAL;
    }
    memcpy(number, equals + 1, digits);
    return tlr_cli_parse_number(number, 0, 1000000, &weights[kind]);
}

int kinds_parse(const char *mix, uint64_t weights[KINDS],
    struct tlr_cli_text *complaint)
{
    uint64_t sum = 0;
    int err = 0;
    memset(weights, 0, KINDS * sizeof(weights[0]));
    for (const char *part = mix; err == 0 && part != NULL;) {
        size_t length = strcspn(part, ",");
        err = parse_part(part, length, weights);
        part = part[length] == ',' ? part + length + 1 : NULL;
    }
    for (unsigned i = 0; i < KINDS; i++) {
        sum += weights[i];
    }
    if (err == 0 && sum > 0) {
        return 0;
    }
    tlr_cli_text_add(complaint, "wants weights such as quick=5,slow=1 of");
    for (unsigned i = 0; i < KINDS; i++) {
        tlr_cli_text_add(complaint, " %s", names[i]);
    }
    tlr_cli_text_add(complaint, ", not \"%s\"", mix);
    return UV_EINVAL;
}

static enum kind draw_kind(const uint64_t weights[KINDS], struct fate *fate)
{
    uint64_t sum = 0;
    unsigned kind = 0;
    for (unsigned i = 0; i < KINDS; i++) {
        sum += weights[i];
    }
    uint64_t at = fate_draw(fate, 1, sum);
    while (at > weights[kind]) {
        at -= weights[kind++];
    }
    return (enum kind)kind;
}

/* ---- a course ---- */

static uint32_t draw(struct fate *fate, uint64_t low, uint64_t high)
{
    return (uint32_t)fate_draw(fate, low, high);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void draw_slow(
    struct course *course, const struct habits *habits, struct fate *fate)
{
    uint64_t slices = fate_draw(fate, 4, 32);
    course->message = 64 * KIB;
    course->slice = draw(fate, 4 * KIB, 16 * KIB);
    course->slice_ms = draw(
        fate, 1, least(200, habits->lifetime_ms / (slices + 1) + 1));
    course->total = slices * course->slice;
}

static void draw_half(
    struct course *course, const struct habits *habits, struct fate *fate)
{
    course->message = 64 * KIB;
    course->total = habits->half_bytes;
    if (course->total == 0) {
        course->total = fate_draw(fate, 1, LARGE_ONE_OF) == 1
                            ? LARGE
                            : fate_draw(fate, 64 * KIB, MIB);
    }
}

static void draw_days_work(
    struct course *course, const struct habits *habits, struct fate *fate)
{
    uint64_t life = habits->lifetime_ms;
    switch ((enum kind)course->kind) {
    case KIND_QUICK:
        course->waits = true;
        course->message = draw(fate, 16, 4 * KIB);
        course->pause_ms = draw(fate, 0, least(100, life / 20));
        course->total = course->message * fate_draw(fate, 1, 20);
        break;
    case KIND_SLOW:
        draw_slow(course, habits, fate);
        break;
    case KIND_SILENT:
        course->begin_ms = draw(fate, life / 8, life);
        break;
    case KIND_RESET:
        course->message = 16 * KIB;
        course->begin_ms = draw(fate, 0, 100);
        course->pause_ms = draw(fate, 0, 5);
        course->total = fate_draw(fate, 1, 64 * KIB);
        course->finale = FINALE_RESET;
        break;
    case KIND_HALF:
        draw_half(course, habits, fate);
        break;
    default: /* KIND_BYTES */
        course->message = 1;
        course->total = fate_draw(fate, 20, 100);
        course->pause_ms =
            draw(fate, 1, least(50, life / course->total + 1));
        break;
    }
}

struct course course_draw(
    const struct habits *habits, uint64_t seed, uint64_t number)
{
    enum { HOLD_MESSAGE = 32, PROBE_MESSAGE = 64 };
    struct fate fate = fate_of(seed, number, 0);
    struct course course = {.finale = FINALE_END};
    course.kind = (uint8_t)draw_kind(habits->weights, &fate);
    switch ((enum kind)course.kind) {
    case KIND_HOLD:
        course.waits = true;
        course.message = HOLD_MESSAGE;
        course.total = HOLD_MESSAGE;
        course.finale = FINALE_STAY;
        break;
    case KIND_PROBE:
        course.waits = true;
        course.message = PROBE_MESSAGE;
        course.total = habits->probes == 0 ? UINT64_MAX
                                           : habits->probes * PROBE_MESSAGE;
        course.begin_ms = draw(&fate, 0, habits->every_ms);
        break;
    case KIND_STARVE:
        course.message = 64 * KIB;
        course.total = UINT64_MAX;
        course.slice = 1;
        course.slice_ms = 1000;
        break;
    case KIND_DRIP:
        course.message = 1;
        course.total = UINT64_MAX;
        course.begin_ms = draw(&fate, 0, habits->every_ms);
        course.pause_ms = (uint32_t)habits->every_ms;
        break;
    case KIND_FLOOD:
        course.finale = FINALE_CLOSE;
        break;
    case KIND_MUTE:
        course.finale = FINALE_STAY;
        break;
    default:
        draw_days_work(&course, habits, &fate);
        break;
    }
    return course;
}
