/* SPDX-License-Identifier: MIT */
/* teller-load compare A.json B.json...: results side by side. */
#ifndef TLR_LOAD_COMPARE_H
#define TLR_LOAD_COMPARE_H

/* The whole program; argv[0] is "compare". Returns its exit status: 0, 1 for a
 * file that cannot be read or is no result, 2 for wrong usage. Main thread. */
int tlr_load_compare_main(int argc, char **argv);

#endif
