/* SPDX-License-Identifier: MIT */
/* teller-load's streams: filled, compared, and what is told of wrong bytes. */
#include "require.h"

#include "load/diagnosis.h"
#include "load/pattern.h"

static void check_pattern(uint32_t connection, uint64_t position, size_t size,
                          size_t wrong)
{
    uint8_t *bytes = malloc(size);
    uint64_t word = tlr_load_pattern_word(connection, position / 8);
    uint32_t whose;
    uint64_t index;

    REQUIRE(bytes != NULL);
    tlr_load_pattern_fill(connection, position, bytes, size);
    REQUIRE(tlr_load_pattern_verify(connection, position, bytes, size) ==
            size);
    bytes[wrong] ^= 1;
    REQUIRE(tlr_load_pattern_verify(connection, position, bytes, size) ==
            wrong);
    tlr_load_pattern_origin(word, &whose, &index);
    REQUIRE(whose == connection && index == position / 8);
    free(bytes);
}

static void check_diagnosis(uint32_t connection, uint64_t position,
                            const uint8_t *data, size_t size)
{
    char text[TLR_LOAD_DIAGNOSIS_LENGTH];
    uint8_t *bytes = malloc(size);
    struct tlr_load_diagnosis diagnosis;

    REQUIRE(bytes != NULL);
    memcpy(bytes, data, size);
    /* The first byte has to be wrong; the rest may be anybody's. */
    if (tlr_load_pattern_verify(connection, position, bytes, 1) == 1) {
        bytes[0] ^= 1;
    }
    if (size > 24 && (bytes[1] & 1) != 0) {
        tlr_load_pattern_fill(connection, position + 8 + bytes[1],
                              bytes + 8, size - 8);
    }
    diagnosis = tlr_load_diagnose(connection, position, bytes, size, 50);
    REQUIRE(diagnosis.finding <= TLR_LOAD_TOO_FEW);
    REQUIRE(strlen(tlr_load_diagnosis_text(&diagnosis, connection, size, text)) <
            sizeof(text) - 1);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, 0, size};
    uint32_t connection = input_next(&input) % 50;
    uint64_t position = 0;
    unsigned i;

    for (i = 0; i < 6; i++) { /* up to 2^48, then as if from 2^47 on */
        position = position << 8 | input_next(&input);
    }
    position &= (UINT64_C(1) << 46) - 1;
    i = input_next(&input) + 1u;
    check_pattern(connection, position, i, input_next(&input) % i);
    if (input.front < size) {
        check_diagnosis(connection, position, data + input.front,
                        size - input.front);
    }
    return 0;
}
