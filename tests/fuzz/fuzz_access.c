/* SPDX-License-Identifier: MIT */
/* Networks of addresses: what is taken is of one family, and has no bit set
 * behind its prefix. */
#include "require.h"

#include "core/teller.h"

static void check_rule(const struct tlr_access_rule *rule)
{
    unsigned bits = rule->ipv6 ? 128 : 32;
    unsigned i;

    REQUIRE(rule->allow == 1 && rule->ipv6 <= 1 && rule->prefix <= bits);
    for (i = rule->prefix; i < bits; i++) {
        REQUIRE((rule->address[i / 8] >> (7 - i % 8) & 1) == 0);
    }
}

/* Printed as it came out, it is read as the same. */
static void check_again(const struct tlr_access_rule *rule)
{
    char address[64];
    char text[80];
    struct tlr_access_rule again;

    REQUIRE(uv_inet_ntop(rule->ipv6 ? AF_INET6 : AF_INET, rule->address,
                         address, sizeof(address)) == 0);
    (void)snprintf(text, sizeof(text), "%s/%u", address, rule->prefix);
    memset(&again, 0, sizeof(again));
    REQUIRE(tlr_access_parse(text, 1, &again) == 0);
    REQUIRE(again.ipv6 == rule->ipv6 && again.prefix == rule->prefix);
    REQUIRE(memcmp(again.address, rule->address, rule->ipv6 ? 16 : 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct tlr_access_rule rule;
    struct tlr_access_rule before;

    memset(&rule, 0x5a, sizeof(rule));
    before = rule;
    if (tlr_access_parse(text, 1, &rule) == 0) {
        check_rule(&rule);
        check_again(&rule);
    } else {
        REQUIRE(memcmp(&rule, &before, sizeof(rule)) == 0);
    }
    free(text);
    return 0;
}
