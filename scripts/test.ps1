# SPDX-License-Identifier: MIT
# Installs what is missing, builds teller and its tests, and runs them. What is
# given to this script is given to ctest:
#   powershell -ExecutionPolicy Bypass -File scripts\test.ps1 -R conn
. (Join-Path $PSScriptRoot 'lib.ps1')

Build-Teller 'ALL_BUILD'
Say 'testing'
& (Join-Path (Split-Path -Parent $CMake) 'ctest.exe') --test-dir $Tree `
    -C Release --output-on-failure --no-tests=error @args
exit $LASTEXITCODE
