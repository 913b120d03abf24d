/* SPDX-License-Identifier: MIT */
/* Logs of histograms, line by line; and a histogram's own bytes, which no change
 * of a log's base64 would reach behind zlib's sums. */
#include "require.h"

#include "load/hdr.h"
#include "load/log_reader.h"

/* Too large for a stack. */
static struct tlr_load_histogram histogram;
static struct tlr_load_histogram again;
static uint8_t bytes[TLR_LOAD_HDR_MOST];
static struct tlr_load_hdr_room room;

static void check_sound(const struct tlr_load_histogram *one)
{
    uint64_t count = 0;
    size_t i;

    for (i = 0; i < TLR_LOAD_HISTOGRAM_SLOTS; i++) {
        count += one->slots[i];
    }
    REQUIRE(count == one->count && count >> 63 == 0);
    REQUIRE(count == 0 || one->min <= one->max);
    REQUIRE(count == 0 || one->slots[tlr_load_histogram_slot(one->min)] > 0);
    REQUIRE(count == 0 || one->slots[tlr_load_histogram_slot(one->max)] > 0);
}

/* What was read is written and read as the same. */
static void check_bytes(const uint8_t *data, size_t size)
{
    size_t length;

    if (tlr_load_hdr_decode(&histogram, data, size) != 0) {
        REQUIRE(histogram.count == 0);
        return;
    }
    check_sound(&histogram);
    length = tlr_load_hdr_encode(&histogram, bytes);
    REQUIRE(length <= sizeof(bytes));
    REQUIRE(tlr_load_hdr_decode(&again, bytes, length) == 0);
    REQUIRE(memcmp(&again, &histogram, sizeof(again)) == 0);
}

/* The bytes as a histogram of a log that is intact. */
static void check_packed(const uint8_t *data, size_t size)
{
    size_t length;

    check_bytes(data, size);
    if (histogram.count > 0 &&
        tlr_load_hdr_to_text(&histogram, &room) == 0) {
        REQUIRE(tlr_load_hdr_from_text(&again, room.text, strlen(room.text),
                                       &room, &length) == 0);
        REQUIRE(memcmp(&again, &histogram, sizeof(again)) == 0);
    }
}

static void check_line(const struct tlr_load_log_line *line, bool ours)
{
    if (line->kind == TLR_LOAD_LOG_HISTOGRAM) {
        check_sound(line->histogram);
        REQUIRE(line->measure <= TLR_LOAD_MEASURES);
        REQUIRE(strlen(line->tag) < sizeof(line->tag));
        REQUIRE(tlr_load_hdr_unpack(&again, line->packed, line->packed_size,
                                    &room) == 0);
        REQUIRE(again.count == line->histogram->count);
        check_bytes(line->plain, line->plain_size);
    } else if (line->kind != TLR_LOAD_LOG_NOTHING) {
        REQUIRE(ours);
    }
}

static void check_log(const char *text, size_t size)
{
    struct tlr_load_log_reader *reader;
    struct tlr_load_log_line line;
    struct tlr_cli_text complaint = {0};
    int err = 0;

    REQUIRE(tlr_load_log_reader_create(&reader) == 0);
    while (err == 0 && size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - text);
        char *own = text_of((const uint8_t *)text, length);

        err = tlr_load_log_reader_line(reader, own, length, &line,
                                       &complaint);
        REQUIRE((err != 0) == (complaint.length > 0));
        if (err == 0) {
            check_line(&line, tlr_load_log_reader_is_ours(reader));
        }
        free(own);
        size -= length + (end != NULL);
        text += length + (end != NULL);
    }
    if (err == 0) {
        err = tlr_load_log_reader_end(reader, &complaint);
        REQUIRE((err != 0) == (complaint.length > 0));
    }
    tlr_cli_text_free(&complaint);
    tlr_load_log_reader_destroy(reader);
}

/* The first byte says what the others are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'h') {
        check_packed(data + 1, size - 1);
    } else if (size > 0) {
        check_log((const char *)data + 1, size - 1);
    }
    return 0;
}
