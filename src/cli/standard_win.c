/* SPDX-License-Identifier: MIT */
#include "standard.h"

/* Handles have no numbers there that others could get. */
void tlr_cli_open_standard(void)
{
}
