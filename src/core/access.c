/* SPDX-License-Identifier: MIT */
/*
 * See access.h.
 *
 * Networks are within one another or apart, never half. So the rules, sorted,
 * are walked once with a stack of those that one is within, which gives the
 * places where the answer changes; to look is then one binary search, whatever
 * the prefixes are: 17 steps for 65536 rules.
 */
#include "access.h"

#include <string.h>

#define MAPPED 0xffff00000000u /* ::ffff:0:0/96, the lower half of it */
#define MAPPED_PREFIX 96
#define BITS 128

/* ---- addresses ------------------------------------------------------ */

static uint64_t read_u64(const unsigned char *bytes)
{
    uint64_t value = 0;
    int i;

    for (i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

bool tlr_number_of(const struct sockaddr *address, struct tlr_number *number)
{
    const unsigned char *bytes;

    if (address->sa_family == AF_INET) {
        bytes = (const unsigned char *)
                &((const struct sockaddr_in *)address)->sin_addr;
        number->high = 0;
        number->low = MAPPED | read_u32(bytes);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        bytes = (const unsigned char *)
                &((const struct sockaddr_in6 *)address)->sin6_addr;
        number->high = read_u64(bytes);
        number->low = read_u64(bytes + 8);
        return true;
    }
    return false;
}

bool tlr_number_is_ipv4(struct tlr_number number)
{
    return number.high == 0 && number.low >> 32 == MAPPED >> 32;
}

/* The bits of one half that are not the network's. */
static uint64_t host_bits(unsigned prefix)
{
    if (prefix >= 64) {
        return 0;
    }
    return prefix == 0 ? UINT64_MAX : ((uint64_t)1 << (64 - prefix)) - 1;
}

static struct tlr_number mask_of(unsigned prefix)
{
    struct tlr_number mask;

    mask.high = host_bits(prefix);
    mask.low = prefix <= 64 ? UINT64_MAX : host_bits(prefix - 64);
    return mask;
}

struct tlr_number tlr_number_network(struct tlr_number number, unsigned prefix)
{
    struct tlr_number mask = mask_of(prefix);

    number.high &= ~mask.high;
    number.low &= ~mask.low;
    return number;
}

static int compare(struct tlr_number a, struct tlr_number b)
{
    if (a.high != b.high) {
        return a.high < b.high ? -1 : 1;
    }
    return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

/* ---- sorting -------------------------------------------------------- */

/* In the order in which the later one counts, of two about one network. */
enum answer { BY_DEFAULT, ALLOW, DENY };

struct network {
    struct tlr_number first;
    struct tlr_number last;
    unsigned prefix;
    enum answer answer;
};

/* Where two begin together, the larger one first. */
static int order(const struct network *a, const struct network *b)
{
    int by_first = compare(a->first, b->first);

    if (by_first != 0) {
        return by_first;
    }
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    return (int)a->answer - (int)b->answer;
}

static void swap(struct network *a, struct network *b)
{
    struct network kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_down(struct network *heap, size_t at, size_t count)
{
    size_t child = 2 * at + 1;

    while (child < count) {
        if (child + 1 < count && order(&heap[child], &heap[child + 1]) < 0) {
            child++;
        }
        if (order(&heap[at], &heap[child]) >= 0) {
            return;
        }
        swap(&heap[at], &heap[child]);
        at = child;
        child = 2 * at + 1;
    }
}

/* By a heap: qsort() may allocate, and not by our allocator. */
static void sort(struct network *networks, size_t count)
{
    size_t i;

    for (i = count / 2; i > 0; i--) {
        sift_down(networks, i - 1, count);
    }
    for (i = count; i > 1; i--) {
        swap(&networks[0], &networks[i - 1]);
        sift_down(networks, 0, i - 1);
    }
}

/* ---- making --------------------------------------------------------- */

static struct network network_of(struct tlr_number number, unsigned prefix,
                                 enum answer answer)
{
    struct tlr_number mask = mask_of(prefix);
    struct network network;

    network.first = tlr_number_network(number, prefix);
    network.last.high = network.first.high | mask.high;
    network.last.low = network.first.low | mask.low;
    network.prefix = prefix;
    network.answer = answer;
    return network;
}

/* A rule for ::ffff:0:0/96 and what is in there is one about IPv4. */
static struct network network_of_rule(const struct tlr_access_rule *rule)
{
    struct tlr_number number = {0, 0};
    unsigned prefix = rule->prefix;

    if (rule->ipv6) {
        number.high = read_u64(rule->address);
        number.low = read_u64(rule->address + 8);
    } else {
        number.low = MAPPED | read_u32(rule->address);
        prefix += MAPPED_PREFIX;
    }
    return network_of(number, prefix, rule->allow ? ALLOW : DENY);
}

struct walk {
    struct tlr_access *access;
    bool by_default;
    const struct network *within[BITS + 1]; /* one for each prefix */
    unsigned depth;
};

static void add_span(struct tlr_access *access, struct tlr_number first,
                     bool allow)
{
    struct tlr_access_span *last = NULL;

    if (access->count > 0) {
        last = &access->spans[access->count - 1];
    }
    if (last == NULL || compare(last->first, first) != 0) {
        last = &access->spans[access->count++];
        last->first = first;
    }
    last->allow = allow;
}

static bool answer_here(const struct walk *walk)
{
    enum answer answer = walk->depth == 0
                             ? BY_DEFAULT
                             : walk->within[walk->depth - 1]->answer;

    return answer == BY_DEFAULT ? walk->by_default : answer == ALLOW;
}

/* Behind the innermost network; at the end of all addresses nothing is. */
static void leave(struct walk *walk)
{
    struct tlr_number next = walk->within[--walk->depth]->last;

    next.low++;
    next.high += next.low == 0;
    if (next.high != 0 || next.low != 0) {
        add_span(walk->access, next, answer_here(walk));
    }
}

/*
 * The same network may be there many times: of these the last one counts, and
 * the others are passed over.
 */
static bool is_repeated(const struct network *networks, size_t i, size_t count)
{
    return i + 1 < count && networks[i].prefix == networks[i + 1].prefix &&
           compare(networks[i].first, networks[i + 1].first) == 0;
}

static void make_spans(struct tlr_access *access,
                       const struct network *networks, size_t count,
                       bool by_default)
{
    struct walk walk = {.access = access, .by_default = by_default};
    struct tlr_number zero = {0, 0};
    size_t i;

    add_span(access, zero, by_default);
    for (i = 0; i < count; i++) {
        if (is_repeated(networks, i, count)) {
            continue;
        }
        while (walk.depth > 0 &&
               compare(walk.within[walk.depth - 1]->last,
                       networks[i].first) < 0) {
            leave(&walk);
        }
        walk.within[walk.depth++] = &networks[i];
        add_span(access, networks[i].first, answer_here(&walk));
    }
    while (walk.depth > 0) {
        leave(&walk);
    }
}

int tlr_access_init(struct tlr_access *access,
                    const struct tlr_allocator *allocator,
                    const struct tlr_access_rule *rules, size_t count)
{
    struct tlr_number ipv4 = {0, MAPPED};
    struct network *networks;
    bool by_default = true;
    size_t i;

    if (count == 0) {
        return 0;
    }
    networks = tlr_malloc(allocator, (count + 1) * sizeof(*networks));
    access->spans =
        tlr_malloc(allocator, (2 * count + 3) * sizeof(*access->spans));
    if (networks == NULL || access->spans == NULL) {
        tlr_free(allocator, networks);
        tlr_access_close(access, allocator);
        return UV_ENOMEM;
    }
    for (i = 0; i < count; i++) {
        networks[i] = network_of_rule(&rules[i]);
        by_default = by_default && networks[i].answer != ALLOW;
    }
    /* Rules about IPv6 are not about IPv4, however large they are. */
    networks[count] = network_of(ipv4, MAPPED_PREFIX, BY_DEFAULT);
    sort(networks, count + 1);
    make_spans(access, networks, count + 1, by_default);
    tlr_free(allocator, networks);
    return 0;
}

void tlr_access_close(struct tlr_access *access,
                      const struct tlr_allocator *allocator)
{
    tlr_free(allocator, access->spans);
    access->spans = NULL;
    access->count = 0;
}

/* ---- looking -------------------------------------------------------- */

/* The last span that begins at the address or before: it is within [low, high). */
bool tlr_access_allows(const struct tlr_access *access,
                       struct tlr_number address)
{
    size_t low = 0;
    size_t high = access->count;

    if (high == 0) {
        return true;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (compare(access->spans[middle].first, address) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return access->spans[low].allow;
}

/* ---- reading -------------------------------------------------------- */

/* Digits only, no zero before others, at most `most`. */
static int parse_prefix(const char *text, unsigned most, unsigned *prefix)
{
    unsigned value = 0;
    size_t i;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return UV_EINVAL;
    }
    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return UV_EINVAL;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
        if (value > most) {
            return UV_EINVAL;
        }
    }
    *prefix = value;
    return 0;
}

/* uv_inet_pton() takes "%eth0" for a part of an address; nothing else is odd. */
static int parse_address(const char *text, size_t length,
                         struct tlr_access_rule *rule)
{
    char address[INET6_ADDRSTRLEN];

    if (length >= sizeof(address) || memchr(text, '%', length) != NULL) {
        return UV_EINVAL;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    rule->ipv6 = memchr(text, ':', length) != NULL;
    return uv_inet_pton(rule->ipv6 ? AF_INET6 : AF_INET, address,
                        rule->address) == 0
               ? 0
               : UV_EINVAL;
}

static void map_to_ipv4(struct tlr_access_rule *rule)
{
    memmove(rule->address, rule->address + 12, 4);
    memset(rule->address + 4, 0, 12);
    rule->ipv6 = 0;
    rule->prefix = (uint8_t)(rule->prefix - MAPPED_PREFIX);
}

static bool is_mapped(const struct tlr_access_rule *rule)
{
    return rule->ipv6 && rule->prefix >= MAPPED_PREFIX &&
           read_u64(rule->address) == 0 &&
           read_u32(rule->address + 8) == 0xffff;
}

int tlr_access_parse(const char *network, int allow,
                     struct tlr_access_rule *rule)
{
    const char *slash = strchr(network, '/');
    size_t length =
        slash == NULL ? strlen(network) : (size_t)(slash - network);
    struct tlr_access_rule parsed = {.allow = allow != 0};
    struct network whole;
    struct network masked;
    unsigned prefix;
    int err = parse_address(network, length, &parsed);

    if (err != 0) {
        return err;
    }
    prefix = parsed.ipv6 ? 128 : 32;
    err = slash == NULL ? 0 : parse_prefix(slash + 1, prefix, &prefix);
    if (err != 0) {
        return err;
    }
    parsed.prefix = parsed.ipv6 ? 128 : 32;
    whole = network_of_rule(&parsed);
    parsed.prefix = (uint8_t)prefix;
    masked = network_of_rule(&parsed);
    if (compare(whole.first, masked.first) != 0) {
        return UV_EINVAL; /* bits are set beyond the prefix */
    }
    if (is_mapped(&parsed)) {
        map_to_ipv4(&parsed);
    }
    *rule = parsed;
    return 0;
}
