/* SPDX-License-Identifier: MIT */
/* teller-load merge: the logs of several runs, as of several machines, as one
 * result. */
#ifndef TLR_LOAD_MERGE_H
#define TLR_LOAD_MERGE_H

/* Does it with the program's own arguments, argv[1] being "merge", and returns what
 * to exit with: 0; 1: a log cannot be read or is damaged, a file cannot be written,
 * or one of the logs has errors; 2: wrong usage. */
int tlr_load_merge_main(int argc, char **argv);

#endif
