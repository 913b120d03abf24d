/* SPDX-License-Identifier: MIT */
/* Addresses as people write them. Names are not looked up: see no_resolver.c. */
#include "require.h"

#include <uv.h>

#include "cli/address.h"

/* What it is printed as is read as the same again. */
static void check_again(const struct sockaddr_storage *address)
{
    char text[TLR_CLI_ADDRESS_LENGTH];
    struct tlr_cli_addresses again;
    struct tlr_cli_text complaint = {0};

    (void)tlr_cli_format_address((const struct sockaddr *)address, text);
    REQUIRE(strlen(text) < sizeof(text));
    REQUIRE(tlr_cli_resolve(text, "127.0.0.1", &again, &complaint) == 0);
    REQUIRE(again.count == 1);
    REQUIRE(again.items[0].ss_family == address->ss_family);
    REQUIRE(tlr_cli_port((struct sockaddr *)&again.items[0]) ==
            tlr_cli_port((const struct sockaddr *)address));
    tlr_cli_addresses_free(&again);
    tlr_cli_text_free(&complaint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct tlr_cli_addresses addresses;
    struct tlr_cli_text complaint = {0};
    int err = tlr_cli_resolve(text, "127.0.0.1", &addresses, &complaint);
    size_t i;

    REQUIRE((err != 0) == (complaint.length > 0));
    if (err == 0) {
        REQUIRE(addresses.count > 0);
        for (i = 0; i < addresses.count; i++) {
            check_again(&addresses.items[i]);
        }
        tlr_cli_addresses_free(&addresses);
    }
    tlr_cli_text_free(&complaint);
    free(text);
    return 0;
}
