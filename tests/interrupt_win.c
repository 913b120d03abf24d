/* SPDX-License-Identifier: MIT */
/* interrupt PID EVENT: generates a console event (0 Ctrl-C, 1 Ctrl-Break) on
 * the console of the process PID. See programs_win.c. */
#include <stdlib.h>

#include <windows.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    (void)FreeConsole(); /* may have none */
    if (!AttachConsole(strtoul(argv[1], NULL, 10))) {
        return 3;
    }
    /* Ctrl-C is ignored by us from here on, and by nobody else. */
    if (!SetConsoleCtrlHandler(NULL, TRUE) ||
        !GenerateConsoleCtrlEvent(strtoul(argv[2], NULL, 10), 0)) {
        return 4;
    }
    return 0;
}
