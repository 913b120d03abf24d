/* SPDX-License-Identifier: MIT */
#ifndef WINE_WIN_H
#define WINE_WIN_H

#include <stdbool.h>

#include <windows.h>

/* By a function that only its library has. */
static inline bool is_wine(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");

    return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

#endif
