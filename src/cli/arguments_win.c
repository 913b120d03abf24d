/* SPDX-License-Identifier: MIT */
/* uv_setup_args() does nothing on Windows. */
#include "arguments.h"

#include <stdlib.h>

#include <windows.h>

#include <shellapi.h>

static UINT code_page; /* of the console, before */

static void restore_console(void)
{
    (void)SetConsoleOutputCP(code_page); /* or it is gone */
}

static void set_console(void)
{
    code_page = GetConsoleOutputCP(); /* 0: there is none */
    if (code_page != 0 && code_page != CP_UTF8 &&
        SetConsoleOutputCP(CP_UTF8) && atexit(restore_console) != 0) {
        restore_console();
    }
}

/* free() it. Half a pair of surrogates becomes U+FFFD. */
static char *to_utf8(const wchar_t *wide)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = size <= 0 ? NULL : malloc((size_t)size);
    if (text != NULL &&
        WideCharToMultiByte(
            CP_UTF8, 0, wide, -1, text, size, NULL, NULL) != size) {
        free(text);
        text = NULL;
    }
    return text;
}

static void free_all(char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        free(texts[i]);
    }
    free(texts);
}

char **tlr_cli_arguments(int *argc, char **argv)
{
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **texts =
        wide == NULL ? NULL : calloc((size_t)count + 1, sizeof(*texts));
    (void)argv;
    set_console();
    for (int i = 0; texts != NULL && i < count; i++) {
        texts[i] = to_utf8(wide[i]);
        if (texts[i] == NULL) {
            free_all(texts);
            texts = NULL;
        }
    }
    (void)LocalFree(wide);
    *argc = count;
    return texts;
}
