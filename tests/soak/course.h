/* SPDX-License-Identifier: MIT */
/*
 * The kinds of client, and what one session of a kind is going to do: drawn from
 * a seed before it begins. Plain values; no loop, no socket.
 */
#ifndef TLR_TESTS_COURSE_H
#define TLR_TESTS_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "../net/fate.h"
#include "cli/text.h"

enum kind {
    /* Those of a day's work. Each ends by itself. */
    KIND_QUICK,  /* up to 20 messages, each when the last one is back */
    KIND_SLOW,   /* half-closes at once, and reads a little now and then */
    KIND_SILENT, /* says nothing for a while, then ends */
    KIND_RESET,  /* sends, and resets in mid-stream */
    KIND_HALF,   /* sends much (12 MiB, some), half-closes, then reads */
    KIND_BYTES,  /* writes single bytes */
    KIND_HOLD,   /* a message at the begin, and one when told to finish */
    KIND_PROBE,  /* a message at a steady pace: its latency is measured */
    /* Attackers. They go on until they are told to finish. */
    KIND_STARVE, /* sends without end, and reads a byte a second */
    KIND_DRIP,   /* sends a byte a second */
    KIND_FLOOD,  /* connects and closes at once */
    KIND_MUTE,   /* connects and says nothing */
    KINDS
};

enum finale {
    FINALE_END,   /* half-close, and all is back in front of the peer's end */
    FINALE_RESET, /* by us, whatever is still on the way */
    FINALE_CLOSE, /* the same with a plain close */
    FINALE_STAY,  /* stay until told to finish */
};

struct course {
    uint64_t total;      /* bytes to send; UINT64_MAX: without end */
    uint32_t message;    /* bytes of one write, at most */
    uint32_t begin_ms;   /* silence once connected */
    uint32_t pause_ms;   /* before a message but the first */
    uint32_t slice;      /* bytes of one read; 0: as they come */
    uint32_t slice_ms;   /* from one read to the next */
    uint8_t kind;        /* enum kind */
    uint8_t finale;      /* enum finale */
    bool waits;          /* for each message to be back */
};

/* What is set for all sessions. */
struct habits {
    uint64_t every_ms;    /* of KIND_PROBE and KIND_DRIP */
    uint64_t lifetime_ms; /* the longest that a day's session plans for */
    uint64_t half_bytes;  /* of KIND_HALF; 0: drawn */
    uint64_t probes;      /* of a KIND_PROBE; 0: until told to finish */
    uint64_t weights[KINDS];
};

const char *kind_name(enum kind kind);

/* Reads "quick=5,slow=1" into `weights`. Returns 0, or UV_EINVAL with what is
 * wrong. */
int kinds_parse(const char *mix, uint64_t weights[KINDS],
    struct tlr_cli_text *complaint);

/* Session `number`'s, of a kind that is drawn by the weights. */
struct course course_draw(
    const struct habits *habits, uint64_t seed, uint64_t number);

#endif
