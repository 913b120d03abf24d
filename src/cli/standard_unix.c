/* SPDX-License-Identifier: MIT */
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void tlr_cli_open_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) {
            continue;
        }
        /* It gets the lowest number that is free: this one. If there is no such
         * device, nothing is better than to go on. */
        (void)open("/dev/null", O_RDWR);
    }
}
