#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds teller, and is then the echo server. What is
# given to this script is given to teller-echo: sh scripts/run.sh --listen 7008
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

make_build_dir
install_missing cmake ninja cc libc pkg-config libuv git certificates
configure OFF
compile teller-echo teller-load
say "starting teller-echo $*"
exec "$tree/src/echo/teller-echo" "$@"
