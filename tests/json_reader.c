/* SPDX-License-Identifier: MIT */
/* Each skip function takes a position and returns the one behind what it is
 * named after, or NULL if that is not there. */
#include "json_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH_MOST = 32 };

static const char *skip_value(const char *p, int depth);

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\n\r");
}

static const char *skip_digits(const char *p)
{
    size_t length = strspn(p, "0123456789");
    return length == 0 ? NULL : p + length;
}

static const char *skip_number(const char *p)
{
    p += *p == '-';
    if (*p == '0' && p[1] >= '0' && p[1] <= '9') {
        return NULL;
    }
    p = skip_digits(p);
    if (p != NULL && *p == '.') {
        p = skip_digits(p + 1);
    }
    if (p != NULL && (*p == 'e' || *p == 'E')) {
        p++;
        p = skip_digits(p + (*p == '+' || *p == '-'));
    }
    return p;
}

static const char *skip_escape(const char *p)
{
    if (*p == 'u') {
        return strspn(p + 1, "0123456789abcdefABCDEF") < 4 ? NULL : p + 5;
    }
    return *p != '\0' && strchr("\"\\/bfnrt", *p) != NULL ? p + 1 : NULL;
}

static const char *skip_string(const char *p)
{
    if (*p != '"') {
        return NULL;
    }
    p++;
    while (p != NULL && *p != '"') {
        if ((unsigned char)*p < ' ') {
            return NULL;
        }
        p = *p == '\\' ? skip_escape(p + 1) : p + 1;
    }
    return p == NULL ? NULL : p + 1;
}

static const char *skip_word(const char *p, const char *word)
{
    size_t length = strlen(word);
    return strncmp(p, word, length) == 0 ? p + length : NULL;
}

/* "name": of an object's member. */
static const char *skip_name(const char *p)
{
    p = skip_string(p);
    if (p == NULL) {
        return NULL;
    }
    p = skip_space(p);
    return *p == ':' ? skip_space(p + 1) : NULL;
}

/* An object or an array. */
static const char *skip_members(const char *p, int depth)
{
    char closer = *p == '{' ? '}' : ']';
    p = skip_space(p + 1);
    if (*p == closer) {
        return p + 1;
    }
    while (p != NULL) {
        p = closer == '}' ? skip_name(p) : p;
        p = p == NULL ? NULL : skip_value(p, depth + 1);
        p = p == NULL ? NULL : skip_space(p);
        if (p != NULL && *p == closer) {
            return p + 1;
        }
        p = p != NULL && *p == ',' ? skip_space(p + 1) : NULL;
    }
    return NULL;
}

static const char *skip_value(const char *p, int depth)
{
    switch (*p) {
    case '{':
    case '[':
        return depth == DEPTH_MOST ? NULL : skip_members(p, depth);
    case '"':
        return skip_string(p);
    case 't':
        return skip_word(p, "true");
    case 'f':
        return skip_word(p, "false");
    case 'n':
        return skip_word(p, "null");
    default:
        return skip_number(p);
    }
}

bool json_is_object(const char *text)
{
    const char *p = skip_space(text);
    p = *p == '{' ? skip_value(p, 0) : NULL;
    return p != NULL && *skip_space(p) == '\0';
}

/* ---- finding: the text is known to be JSON ---- */

/* The member of the object or array at `p` with the name or index that is
 * `length` bytes long, or NULL. */
static const char *find_member(const char *p, const char *name, size_t length)
{
    bool object = *p == '{';
    long index = 0;
    if (!object && *p != '[') {
        return NULL;
    }
    p = skip_space(p + 1);
    while (*p != '}' && *p != ']') {
        bool found = object ? strncmp(p + 1, name, length) == 0 &&
                                  p[1 + length] == '"'
                            : strtol(name, NULL, 10) == index;
        p = object ? skip_name(p) : p;
        if (found) {
            return p;
        }
        p = skip_space(skip_value(p, 0));
        p = *p == ',' ? skip_space(p + 1) : p;
        index++;
    }
    return NULL;
}

static const char *find(const char *text, const char *path)
{
    const char *p = json_is_object(text) ? skip_space(text) : NULL;
    while (p != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        p = find_member(p, path, length);
        path += length;
        path += *path == '.';
    }
    return p;
}

bool json_number(const char *text, const char *path, double *number)
{
    const char *p = find(text, path);
    if (p == NULL || strchr("-0123456789", *p) == NULL) {
        return false;
    }
    *number = strtod(p, NULL);
    return true;
}

bool json_string(const char *text, const char *path, char *string, size_t size)
{
    const char *p = find(text, path);
    if (p == NULL || *p != '"') {
        return false;
    }
    size_t length = (size_t)(skip_string(p) - p) - 2;
    if (length >= size) {
        return false;
    }
    memcpy(string, p + 1, length);
    string[length] = '\0';
    return true;
}

bool json_is_true(const char *text, const char *path)
{
    const char *p = find(text, path);
    return p != NULL && *p == 't';
}

double json_number_at(const char *text, const char *path)
{
    double number = -1;
    if (!json_number(text, path, &number)) {
        fail_msg("there is no number %s in %s", path, text);
    }
    return number;
}

void json_expect(const char *text, const char *path, double number)
{
    double got = json_number_at(text, path);
    if (got != number) {
        fail_msg("%s is %g and not %g in %s", path, got, number, text);
    }
}
