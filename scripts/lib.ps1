# SPDX-License-Identifier: MIT
# What run.ps1 and test.ps1 share: finding or installing Visual Studio's build
# tools and vcpkg, and building. For Windows PowerShell 5.1 and newer.

$ErrorActionPreference = 'Stop'
$Root = Split-Path -Parent $PSScriptRoot
$Build = if ($env:TELLER_BUILD_DIR) { $env:TELLER_BUILD_DIR } `
         else { Join-Path $Root 'build' }
$Tree = Join-Path $Build 'msvc'

function Say([string]$Text) { Write-Host "teller: $Text" }

function Stop-Script([string]$Text) {
    Say $Text
    exit 1
}

# Runs a program, quietly unless it fails: its output goes to a file. cmd does
# the redirecting, because PowerShell 5.1 takes a line on a program's standard
# error for an error of its own.
function Invoke-Step([string]$Log, [string]$Sentence, [string]$Program,
                     [string[]]$Arguments) {
    Say $Sentence
    New-Item -ItemType Directory -Force $Build | Out-Null
    $path = Join-Path $Build $Log
    $quoted = @($Program) + $Arguments | ForEach-Object { '"' + $_ + '"' }
    & cmd.exe /d /s /c ('"' + ($quoted -join ' ') + ' >"' + $path + '" 2>&1"')
    if ($LASTEXITCODE -ne 0) {
        Get-Content $path -Tail 30 | Write-Host
        Stop-Script "that failed; the whole of its output is in $path"
    }
}

function Find-VisualStudio {
    $programs = ${env:ProgramFiles(x86)}
    if (-not $programs) { return $null }
    $vswhere = Join-Path $programs `
        'Microsoft Visual Studio\Installer\vswhere.exe'
    if (-not (Test-Path $vswhere)) { return $null }
    $found = & $vswhere -latest -products '*' -property installationPath `
        -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64
    if ($found) { return @($found)[0] }
    return $null
}

function Install-VisualStudio {
    $workload = 'Microsoft.VisualStudio.Workload.VCTools'
    if (Get-Command winget -ErrorAction SilentlyContinue) {
        Invoke-Step 'vs.log' 'installing Visual Studio Build Tools by winget' `
            'winget' @('install', '--exact', '--silent',
            '--accept-package-agreements', '--accept-source-agreements',
            '--id', 'Microsoft.VisualStudio.2022.BuildTools', '--override',
            "--wait --quiet --norestart --add $workload --includeRecommended")
    } elseif (Get-Command choco -ErrorAction SilentlyContinue) {
        Invoke-Step 'vs.log' 'installing Visual Studio Build Tools by choco' `
            'choco' @('install', '-y', 'visualstudio2022-workload-vctools')
    } else {
        Stop-Script ('neither winget nor choco is here: install the "Desktop ' +
            'development with C++" part of Visual Studio Build Tools')
    }
}

function Find-CMake([string]$Studio) {
    $command = Get-Command cmake -ErrorAction SilentlyContinue
    if ($command) { return $command.Source }
    $bundled = Join-Path $Studio ('Common7\IDE\CommonExtensions\Microsoft\' +
        'CMake\CMake\bin\cmake.exe')
    if (Test-Path $bundled) { return $bundled }
    Stop-Script 'no cmake: winget install Kitware.CMake'
}

# The CMake file of a vcpkg that is here, or of one that is cloned into $Build.
function Find-Vcpkg([string]$Studio) {
    $mine = Join-Path $Build 'vcpkg'
    foreach ($folder in @($env:VCPKG_ROOT, $env:VCPKG_INSTALLATION_ROOT,
            (Join-Path $Studio 'VC\vcpkg'), $mine)) {
        if (-not $folder) { continue }
        $file = Join-Path $folder 'scripts\buildsystems\vcpkg.cmake'
        $usable = (Test-Path (Join-Path $folder 'vcpkg.exe')) -and
            (Test-Path (Join-Path $folder 'ports'))
        if ($usable -and (Test-Path $file)) { return $file }
    }
    if (-not (Get-Command git -ErrorAction SilentlyContinue)) {
        Stop-Script 'no vcpkg, and no git to fetch it: winget install Git.Git'
    }
    if (-not (Test-Path $mine)) {
        Invoke-Step 'vcpkg.log' "cloning vcpkg into $mine" 'git' @('clone',
            '--depth', '1', 'https://github.com/microsoft/vcpkg.git', $mine)
    }
    Invoke-Step 'vcpkg.log' 'setting up vcpkg' `
        (Join-Path $mine 'bootstrap-vcpkg.bat') @('-disableMetrics')
    return (Join-Path $mine 'scripts\buildsystems\vcpkg.cmake')
}

# Builds the targets, and leaves $CMake for the caller. One tree serves run.ps1
# and test.ps1, so that nothing is built twice.
function Build-Teller([string[]]$Targets) {
    $studio = Find-VisualStudio
    if (-not $studio) {
        Install-VisualStudio
        $studio = Find-VisualStudio
        if (-not $studio) { Stop-Script 'Visual Studio was not found' }
    }
    $script:CMake = Find-CMake $studio
    if (-not (Test-Path (Join-Path $Tree 'teller.sln*'))) {
        $vcpkg = Find-Vcpkg $studio
        Invoke-Step 'configure.log' `
            "configuring in $Tree (vcpkg builds libuv and cmocka first)" `
            $CMake @('-S', $Root, '-B', $Tree, '-A', 'x64',
            "-DCMAKE_TOOLCHAIN_FILE=$vcpkg")
    }
    Invoke-Step 'build.log' 'building' $CMake (@('--build', $Tree,
        '--config', 'Release', '--parallel', '--target') + $Targets)
}
