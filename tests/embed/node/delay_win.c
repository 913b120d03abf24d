/* SPDX-License-Identifier: MIT */
/*
 * The addon's functions of Node and of libuv are those of the program that has
 * loaded it, whatever that is called: node.exe is only its name when the import
 * library was made.
 */
#include <windows.h>

#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI find_host(unsigned event, PDelayLoadInfo info)
{
    if (event == dliNotePreLoadLibrary &&
        _stricmp(info->szDll, "node.exe") == 0) {
        return (FARPROC)(void *)GetModuleHandleW(NULL);
    }
    return NULL;
}

PfnDliHook __pfnDliNotifyHook2 = find_host;
