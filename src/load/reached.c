/* SPDX-License-Identifier: MIT */
#include "reached.h"

#include "cli/address.h"

static bool is_reached(const struct tlr_load_result *result, size_t index)
{
    return (result->total.reached & tlr_load_tally_reached(index)) != 0;
}

const struct sockaddr *tlr_load_reached_first(
    const struct tlr_load_result *result)
{
    const struct tlr_load_plan *plan = result->plan;
    size_t index = 0;
    while (index < plan->address_count && !is_reached(result, index)) {
        index++;
    }
    return (const struct sockaddr *)&plan
        ->addresses[index == plan->address_count ? 0 : index];
}

void tlr_load_reached_add(
    const struct tlr_load_result *result, struct tlr_cli_text *text)
{
    const struct tlr_load_plan *plan = result->plan;
    bool none = result->total.reached == 0;
    const char *before = "";
    for (size_t i = 0; i < plan->address_count; i++) {
        char address[TLR_CLI_ADDRESS_LENGTH];
        if (none || is_reached(result, i)) {
            tlr_cli_text_add(text, "%s%s", before,
                tlr_cli_format_address(
                    (const struct sockaddr *)&plan->addresses[i], address));
            before = ", ";
        }
    }
}
