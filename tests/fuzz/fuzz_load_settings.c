/* SPDX-License-Identifier: MIT */
/* teller-load's command line, and the plan that is made of it. */
#include "require.h"

#include "cli/options.h"
#include "load/pattern.h"
#include "load/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    char *words[WORDS_MOST + 2];
    int count = words_of(text, words);
    struct tlr_load_settings settings;
    int status = 77;

    if (tlr_load_settings_read(&settings, count, words, &status)) {
        const struct tlr_load_plan *plan = &settings.plan;

        REQUIRE(plan->address_count > 0);
        REQUIRE(plan->connections >= 1 &&
                plan->connections <= TLR_LOAD_PATTERN_CONNECTIONS);
        REQUIRE(plan->loops >= 1 && plan->loops <= plan->connections);
        REQUIRE(plan->size >= 1 && plan->depth >= 1);
        REQUIRE(plan->round_trips > 0 || plan->duration_ms > 0);
        REQUIRE(plan->round_trips <= (UINT64_C(1) << 47) / plan->size);
        REQUIRE(settings.require.count <= TLR_LOAD_REQUIREMENTS);
        tlr_load_settings_free(&settings);
    } else {
        REQUIRE(status >= 0 && status <= TLR_CLI_STATUS_USAGE);
    }
    free(text);
    return 0;
}
