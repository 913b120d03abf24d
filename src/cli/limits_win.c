/* SPDX-License-Identifier: MIT */
#include "limits.h"

/* Sockets are handles there, and memory is their limit. */
uint64_t tlr_cli_raise_descriptor_limit(void)
{
    return UINT64_MAX;
}
