# SPDX-License-Identifier: MIT
# Cross-building for 64-bit Windows, and running the results under Wine (see
# scripts/with-wine.sh).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
# The posix flavour is the default on some systems, win32 on others; only libuv's
# own threads are used here, so either serves.
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# pkg-config knows nothing of a root path: without this it offers the packages
# of the machine that builds.
set(ENV{PKG_CONFIG_LIBDIR} /usr/x86_64-w64-mingw32/lib/pkgconfig)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# <windows.h> has all intrinsics of AVX-512, which nothing here uses: without
# these two headers a file takes half as long to compile.
set(CMAKE_C_FLAGS_INIT "-D_X86INTRIN_H_INCLUDED -D_IMMINTRIN_H_INCLUDED")
# Debian's /usr/bin/wine is a wrapper that complains where no 32-bit Wine is.
find_program(TELLER_WINE NAMES wine64 wine
  PATHS /usr/lib/wine /usr/bin NO_CMAKE_FIND_ROOT_PATH)
if(TELLER_WINE)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine.sh)
endif()
