/* SPDX-License-Identifier: MIT */
/* teller-echo's command line, and a server's options made of it. */
#include "require.h"

#include "echo/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    char *words[WORDS_MOST + 2];
    const char *items[WORDS_MOST + 2];
    int count = words_of(text, words);
    struct tlr_echo_options options;
    int status = 77;

    if (tlr_echo_options_read(&options, items, count, words, &status)) {
        /* None: the manager's sockets, or the default. */
        REQUIRE(options.listen.count < (unsigned)count);
    } else {
        REQUIRE(status == TLR_CLI_STATUS_OK || status == TLR_CLI_STATUS_USAGE);
    }
    tlr_echo_options_free(&options);
    free(text);
    return 0;
}
