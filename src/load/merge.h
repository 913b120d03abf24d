/* SPDX-License-Identifier: MIT */
/* teller-load merge: the logs of several runs, as of several machines, as one
 * result. */
#ifndef TLR_LOAD_MERGE_H
#define TLR_LOAD_MERGE_H

/* The whole program; argv[0] is "merge". Returns its exit status: 0; 1: a log
 * cannot be read or is damaged or has errors, or a file or the result cannot be
 * written; 2: wrong usage. Main thread. */
int tlr_load_merge_main(int argc, char **argv);

#endif
