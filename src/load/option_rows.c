/* SPDX-License-Identifier: MIT */
#include "option_rows.h"

#include <string.h>

#include <uv.h>

int tlr_load_apply_file(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    if (strcmp(value, "-") == 0) {
        tlr_cli_text_add(complaint,
            "wants the name of a file, not \"-\": standard output has the "
            "result");
        return UV_EINVAL;
    }
    return tlr_cli_apply_string(option, value, complaint);
}
