/* SPDX-License-Identifier: MIT */
/* teller-load compare A.json B.json...: results side by side. */
#ifndef TLR_LOAD_COMPARE_H
#define TLR_LOAD_COMPARE_H

/* The whole program; argv[0] is "compare". Returns its exit status: 0; 1: a file
 * cannot be read or is no result, or the comparison cannot be written; 2: wrong
 * usage. Main thread. */
int tlr_load_compare_main(int argc, char **argv);

#endif
