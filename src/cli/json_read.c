/* SPDX-License-Identifier: MIT */
/* Each skip function takes a position and returns the one behind what it is
 * named after, or NULL if that is not there. */
#include "json_read.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
        return depth == TLR_CLI_JSON_READ_DEPTH ? NULL
                                                : skip_members(p, depth);
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

bool tlr_cli_json_is_object(const char *text)
{
    const char *p = skip_space(text);
    p = *p == '{' ? skip_value(p, 0) : NULL;
    return p != NULL && *skip_space(p) == '\0';
}

/* ---- from here on the text is known to be JSON ---- */

bool tlr_cli_json_step(struct tlr_cli_json_walk *walk)
{
    const char *p = walk->next;
    if (!walk->inside) {
        p = p == NULL ? "" : skip_space(p);
        if (*p != '{' && *p != '[') {
            return false;
        }
        walk->inside = true;
        walk->next = skip_space(p + 1);
        walk->name = *p == '{' ? walk->next : NULL; /* for the next step */
        p = walk->next;
    }
    if (*p == '}' || *p == ']') {
        return false;
    }
    if (walk->name != NULL) {
        walk->name = p + 1;
        walk->name_length = (size_t)(skip_string(p) - p) - 2;
        p = skip_name(p);
    }
    walk->value = p;
    p = skip_space(skip_value(p, 0));
    walk->next = *p == ',' ? skip_space(p + 1) : p;
    return true;
}

/* The member with the name or index that is `length` bytes long, or NULL. */
static const char *find_member(
    const char *value, const char *name, size_t length)
{
    struct tlr_cli_json_walk walk = {.next = value};
    for (unsigned long index = 0; tlr_cli_json_step(&walk); index++) {
        bool found = walk.name == NULL
                         ? strspn(name, "0123456789") == length &&
                               strtoul(name, NULL, 10) == index
                         : walk.name_length == length &&
                               memcmp(walk.name, name, length) == 0;
        if (found) {
            return walk.value;
        }
    }
    return NULL;
}

const char *tlr_cli_json_find(const char *value, const char *path)
{
    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        value = find_member(value, path, length);
        path += length;
        path += *path == '.';
    }
    return value;
}

bool tlr_cli_json_as_number(const char *value, double *number)
{
    if (value == NULL || *value == '\0' ||
        strchr("-0123456789", *value) == NULL) {
        return false;
    }
    double found = strtod(value, NULL);
    if (!isfinite(found)) {
        return false;
    }
    *number = found;
    return true;
}

bool tlr_cli_json_is_true(const char *value)
{
    return value != NULL && *value == 't';
}

size_t tlr_cli_json_length(const char *value)
{
    return (size_t)(skip_value(value, 0) - value);
}

/* ---- strings ---- */

/* Four hexadecimal digits. */
static uint32_t read_hex(const char *p)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = (uint32_t)(c <= '9'   ? c - '0'
                                    : c <= 'F' ? c - 'A' + 10
                                               : c - 'a' + 10);
        code = code * 16 + digit;
    }
    return code;
}

/* Behind "\u", moved behind the last digit. */
static uint32_t read_code(const char **p)
{
    uint32_t code = read_hex(*p);
    *p += 4;
    if (code < 0xd800 || code > 0xdfff) {
        return code;
    }
    if (code < 0xdc00 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        uint32_t low = read_hex(*p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *p += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

/* Returns how many bytes. */
static size_t write_utf8(uint32_t code, char bytes[4])
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(lead[more] | code >> 6 * more);
    for (size_t i = 1; i <= more; i++) {
        bytes[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
    }
    return more + 1;
}

/* One character, or one byte of it, of the string at *p. */
static size_t read_character(const char **p, char bytes[4])
{
    static const char written[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    char c = *(*p)++;
    if (c != '\\') {
        bytes[0] = c;
        return 1;
    }
    c = *(*p)++;
    if (c == 'u') {
        return write_utf8(read_code(p), bytes);
    }
    bytes[0] = c; /* a quote, "/" or "\\" */
    for (size_t i = 0; written[i] != '\0'; i++) {
        if (written[i] == c) {
            bytes[0] = meant[i];
        }
    }
    return 1;
}

bool tlr_cli_json_as_string(const char *value, char *string, size_t size)
{
    size_t length = 0;
    if (value == NULL || *value != '"' || size == 0) {
        return false;
    }
    for (const char *p = value + 1; *p != '"';) {
        char bytes[4];
        size_t count = read_character(&p, bytes);
        if (bytes[0] == '\0' || count >= size - length) {
            return false;
        }
        memcpy(string + length, bytes, count);
        length += count;
    }
    string[length] = '\0';
    return true;
}
