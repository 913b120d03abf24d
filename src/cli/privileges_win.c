/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <uv.h>

int tlr_cli_become(const char *user, struct tlr_cli_text *complaint)
{
    (void)user;
    tlr_cli_text_add(complaint, "--user needs Linux or another Unix: on "
                                "Windows a service's account is set where the "
                                "service is installed");
    return UV_ENOTSUP;
}
