# SPDX-License-Identifier: MIT
# teller_find_libuv(RESULT MINIMUM CANDIDATE...): sets RESULT to the CMake target
# of the libuv to use, or to "" where there is none. Used by teller's own build
# and, installed, by its package, so that both come to the same one:
#
#   1. the target that TELLER_LIBUV_TARGET names;
#   2. one that exists already: the first of the CANDIDATEs;
#   3. pkg-config, where the system is a Unix and nothing points elsewhere;
#   4. a CMake package;
#   5. pkg-config, elsewhere.
#
# pkg-config comes first on Unix because a distribution may ship libuv's CMake
# package without the libuv.a that its targets name, and then find_package() ends
# the whole configuring, QUIET or not. Folders of CMAKE_PREFIX_PATH are searched
# either way; libuv_DIR, libuv_ROOT and vcpkg speak of a CMake package, so with
# them it is 4 before 3.

function(teller_pkg_config_libuv minimum)
  find_package(PkgConfig QUIET)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(TELLER_LIBUV_PC QUIET IMPORTED_TARGET GLOBAL
      libuv>=${minimum})
  endif()
endfunction()

function(teller_find_libuv result minimum)
  set(${result} "" PARENT_SCOPE)
  if(TELLER_LIBUV_TARGET)
    if(NOT TARGET ${TELLER_LIBUV_TARGET})
      message(FATAL_ERROR "TELLER_LIBUV_TARGET is \"${TELLER_LIBUV_TARGET}\", "
        "and there is no such target (yet: define it before teller)")
    endif()
    set(${result} ${TELLER_LIBUV_TARGET} PARENT_SCOPE)
    return()
  endif()

  # The names changed in 1.45: uv and uv_a before, libuv::uv and libuv::uv_a from
  # then on.
  set(ways existing package pkg-config)
  if(UNIX AND NOT libuv_DIR AND NOT libuv_ROOT AND NOT DEFINED ENV{libuv_ROOT}
      AND NOT VCPKG_TARGET_TRIPLET)
    set(ways existing pkg-config package)
  endif()
  foreach(way IN LISTS ways)
    set(candidates libuv::uv libuv::uv_a uv uv_a)
    if(way STREQUAL "existing")
      set(candidates ${ARGN})
    elseif(way STREQUAL "package")
      find_package(libuv CONFIG QUIET)
      if(libuv_VERSION AND libuv_VERSION VERSION_LESS minimum)
        continue()
      endif()
    else()
      teller_pkg_config_libuv(${minimum})
      set(candidates PkgConfig::TELLER_LIBUV_PC)
    endif()
    foreach(candidate IN LISTS candidates)
      if(TARGET ${candidate})
        set(${result} ${candidate} PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()
