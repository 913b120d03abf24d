/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer's bytes, read from both ends: the program's operations come from
 * the front, and what callbacks decide from the back, so that one callback
 * more or less does not turn all that follows into another program. When the
 * two have met every byte is 0, which is everybody's plainest choice.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What each fuzzer has; libFuzzer or replay.c calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t front;
    size_t back; /* the end of what is left */
};

static inline bool input_is_over(const struct input *input)
{
    return input->front >= input->back;
}

static inline uint8_t input_next(struct input *input)
{
    return input_is_over(input) ? 0 : input->data[input->front++];
}

static inline uint8_t input_decide(struct input *input)
{
    return input_is_over(input) ? 0 : input->data[--input->back];
}

#endif
