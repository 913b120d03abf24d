/* SPDX-License-Identifier: MIT */
/*
 * interrupt PID EVENT: generates a console event (0 Ctrl-C, 1 Ctrl-Break) on
 * the console of the process PID. See programs_win.c.
 *
 * We get the event as well, in a thread that the system makes for it, and wait
 * for the end of that thread: under Wine 8 a process that exits meanwhile may
 * fail with "wine client error: sendmsg: Socket operation on non-socket".
 */
#include <stdlib.h>

#include <windows.h>

enum { PATIENCE_MS = 5000 };

static HANDLE handled; /* an event */
static HANDLE thread;  /* the one that handled it */

static BOOL WINAPI on_event(DWORD event)
{
    (void)event;
    /* Without the handle there is nothing to wait for, and that is all. */
    (void)DuplicateHandle(GetCurrentProcess(), GetCurrentThread(),
        GetCurrentProcess(), &thread, SYNCHRONIZE, FALSE, 0);
    (void)SetEvent(handled);
    return TRUE;
}

int main(int argc, char **argv)
{
    handled = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (argc != 3 || handled == NULL) {
        return 2;
    }
    (void)FreeConsole(); /* may have none */
    if (!AttachConsole(strtoul(argv[1], NULL, 10))) {
        return 3;
    }
    if (!SetConsoleCtrlHandler(on_event, TRUE) ||
        !GenerateConsoleCtrlEvent(strtoul(argv[2], NULL, 10), 0)) {
        return 4;
    }
    if (WaitForSingleObject(handled, PATIENCE_MS) != WAIT_OBJECT_0) {
        return 5;
    }
    if (thread != NULL) {
        (void)WaitForSingleObject(thread, PATIENCE_MS);
    }
    return 0;
}
