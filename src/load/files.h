/* SPDX-License-Identifier: MIT */
/* What is wrong with a file of the C library's, as a libuv error. */
#ifndef TLR_LOAD_FILES_H
#define TLR_LOAD_FILES_H

#include <stdio.h>

/* What errno says, after a function of <stdio.h> has failed: UV_EIO if it says
 * nothing, or something that is not known here. */
int tlr_load_file_error(void);

/* Closes `file`. Returns 0, or what that or any write before has failed with. */
int tlr_load_file_close(FILE *file);

#endif
