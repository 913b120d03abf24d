#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds teller and its tests, and runs them. What is
# given to this script is given to ctest: sh scripts/test.sh -R conn
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

make_build_dir
install_missing cmake ninja cc libc pkg-config libuv cmocka zlib git certificates
configure ON
compile all
say "testing"
CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(cores)} \
  exec ctest --test-dir "$tree" --output-on-failure --no-tests=error "$@"
