/* SPDX-License-Identifier: MIT */
/*
 * Contract of arguments_unix.c and arguments_win.c: a program's arguments as
 * UTF-8, which is what libuv takes names of files and everything else in. On
 * Windows main() gets them in the machine's code page, where most characters have
 * no place. A console there is told that what is printed is UTF-8; it is as it was
 * when the program exits.
 *
 * Call it first thing in main(). Returns what to use in place of `argv`, to be kept
 * until the program ends, and sets *argc to fit; or NULL: there is no memory.
 */
#ifndef TLR_CLI_ARGUMENTS_H
#define TLR_CLI_ARGUMENTS_H

char **tlr_cli_arguments(int *argc, char **argv);

#endif
