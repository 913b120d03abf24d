/* SPDX-License-Identifier: MIT */
#include "arguments.h"

/* They are what the shell has passed on, and names of files are bytes. */
char **tlr_cli_arguments(int *argc, char **argv)
{
    (void)argc;
    return argv;
}
