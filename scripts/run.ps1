# SPDX-License-Identifier: MIT
# Installs what is missing, builds teller, and is then the echo server. What is
# given to this script is given to teller-echo:
#   powershell -ExecutionPolicy Bypass -File scripts\run.ps1 --listen 7008
. (Join-Path $PSScriptRoot 'lib.ps1')

Build-Teller @('teller-echo', 'teller-load')
Say "starting teller-echo $args"
& (Join-Path $Tree 'src\echo\Release\teller-echo.exe') @args
exit $LASTEXITCODE
