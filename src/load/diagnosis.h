/* SPDX-License-Identifier: MIT */
/*
 * What became of a stream, told from the bytes that arrived in the place of the
 * right ones. Pure functions; any thread may call.
 */
#ifndef TLR_LOAD_DIAGNOSIS_H
#define TLR_LOAD_DIAGNOSIS_H

#include <stddef.h>
#include <stdint.h>

/* With this many bytes from the first wrong one on, all is told that can be. */
enum { TLR_LOAD_EVIDENCE = 64, TLR_LOAD_DIAGNOSIS_LENGTH = 256 };

enum tlr_load_finding {
    TLR_LOAD_LOST,      /* the stream goes on further ahead */
    TLR_LOAD_DOUBLED,   /* it starts again from an earlier position */
    TLR_LOAD_INSERTED,  /* it goes on where it was, behind some of no stream */
    TLR_LOAD_SWAPPED,   /* a later piece came before an earlier one */
    TLR_LOAD_FOREIGN,   /* another connection's stream */
    TLR_LOAD_CHANGED,   /* some bytes differ, then all is right again */
    TLR_LOAD_CORRUPTED, /* of no stream of this run */
    TLR_LOAD_TOO_FEW    /* not enough bytes to tell */
};

struct tlr_load_diagnosis {
    enum tlr_load_finding finding;
    uint32_t connection; /* whose bytes were found */
    uint64_t position;   /* where in its stream they belong */
    uint64_t length;     /* bytes lost, doubled, inserted or changed; TOO_FEW:
                            seen */
};

/*
 * `bytes` arrived where byte `position` and the following of `connection` were
 * due, and the first of them is wrong. Streams 0 to `connections` - 1 exist.
 */
struct tlr_load_diagnosis tlr_load_diagnose(uint32_t connection,
    uint64_t position, const uint8_t *bytes, size_t size, uint32_t connections);

/* Writes it as a clause: "what arrived is ..." and returns `text`. Positions in
 * its own stream count from `first` on, where this connection's begins: before it
 * were those of the slot's earlier sessions. */
const char *tlr_load_diagnosis_text(const struct tlr_load_diagnosis *diagnosis,
    uint32_t connection, uint64_t first, char text[TLR_LOAD_DIAGNOSIS_LENGTH]);

#endif
