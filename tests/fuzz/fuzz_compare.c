/* SPDX-License-Identifier: MIT */
/* A file for teller-load compare that comes from anywhere: what is known of it is
 * within bounds, what is not taken has its reason, and nothing differs from
 * itself. */
#include "require.h"

#include "load/comparison.h"

static void check_row(const struct tlr_load_compared *compared, unsigned row)
{
    const struct tlr_load_range *range = &compared->rows[row];
    double ratio = 1;

    if (range->known) {
        REQUIRE(range->value >= 0 && range->value <= 1e15);
        REQUIRE(range->min >= 0 && range->min <= range->value);
        REQUIRE(range->max >= range->value && range->max <= 1e15);
    }
    REQUIRE(tlr_load_compared_judge(compared, compared, row) !=
            TLR_LOAD_LARGER);
    (void)tlr_load_compared_ratio(compared, compared, row, &ratio);
    REQUIRE(ratio == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct tlr_load_compared compared;
    struct tlr_cli_text said = {0};

    if (tlr_load_compared_read(&compared, "it", text, &said)) {
        for (unsigned row = 0; row < TLR_LOAD_ROWS; row++) {
            check_row(&compared, row);
        }
        tlr_load_compared_warn(&compared, &compared, &said);
        REQUIRE(said.length == 0);
    } else {
        REQUIRE(said.length > 0 && strchr(said.data, '\n') == NULL);
    }
    tlr_cli_text_free(&said);
    free(text);
    return 0;
}
