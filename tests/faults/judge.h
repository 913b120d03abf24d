/* SPDX-License-Identifier: MIT */
/*
 * What may be made to fail, and what may come of it: whether a case went as it
 * has to, and whose fault an abort() is.
 */
#ifndef TLR_FAULTS_JUDGE_H
#define TLR_FAULTS_JUDGE_H

#include "client.h"

/* One way for one function to fail. */
struct fault {
    enum tlr_fault_function function;
    enum tlr_fault_kind kind;
    int error;
    uint32_t keep;
    unsigned times;    /* calls in a row that fail */
    unsigned loses;    /* connections that it may cost */
    unsigned aborts;   /* where libuv may abort: ABORTS_ */
    const char *name;  /* of the error, or of what is kept */
};

#define ABORTS_STARTING 1u /* until the server serves */
#define ABORTS_SERVING 2u

extern const struct fault faults[];
extern const unsigned fault_count;

const char *fault_function(enum tlr_fault_function function);

/* What a server leaves behind when nothing fails. */
struct normal {
    int descriptors;
    int blocks;
};

struct outcome {
    char complaint[256]; /* "": it is as it should be */
    bool fired;
    bool failed_start;
    unsigned lost;
};

/* Of a server that has ended, or that had to be killed: `hung`. */
void judge(const struct fault *fault, const struct normal *normal,
           const struct server *server, const struct clients *clients,
           bool hung, struct outcome *outcome);

/* An abort(), and how often it has come up. */
struct death {
    const struct fault *fault;
    bool serving; /* else the server was starting */
    unsigned config;
    unsigned call; /* the first that led to it */
    unsigned cases;
    struct tlr_fault_stack stack;
};

bool same_death(const struct death *a, const struct death *b);

/* Prints the stack; whether it is libuv's, and one that it may have. */
bool judge_death(const struct death *death);

#endif
