# SPDX-License-Identifier: MIT
# Defines the target teller_libuv: the one libuv that everything here links.
#
# In this order: a target that the user names (TELLER_LIBUV_TARGET), one that
# exists already, a CMake package, pkg-config, the pinned source. The source
# comes before the packages where FETCHCONTENT_SOURCE_DIR_LIBUV or
# TELLER_LIBUV_FROM_SOURCE asks for it, and in a sanitizer build: with a
# packaged libuv a use after free of a handle stays unseen.

set(TELLER_LIBUV_TARGET "" CACHE STRING "CMake target of the libuv to use")
option(TELLER_LIBUV_FROM_SOURCE "Build libuv from its source" OFF)
set(TELLER_LIBUV_MINIMUM 1.44)

include(TellerSource)
add_library(teller_libuv INTERFACE)

# The names changed in 1.45: uv and uv_a before, libuv::uv and libuv::uv_a from
# then on. The static one is preferred where it is built here.
function(teller_existing_libuv result)
  set(${result} "" PARENT_SCOPE)
  foreach(candidate IN ITEMS ${TELLER_LIBUV_TARGET} ${ARGN})
    if(TARGET ${candidate})
      set(${result} ${candidate} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

set(teller_from_source ${TELLER_LIBUV_FROM_SOURCE})
if(FETCHCONTENT_SOURCE_DIR_LIBUV OR TELLER_SANITIZE)
  set(teller_from_source ON)
endif()

teller_existing_libuv(teller_uv libuv::uv_a libuv::uv uv_a uv)

if(NOT teller_uv AND NOT teller_from_source)
  find_package(libuv ${TELLER_LIBUV_MINIMUM} CONFIG QUIET)
  teller_existing_libuv(teller_uv libuv::uv libuv::uv_a uv uv_a)
  if(NOT teller_uv)
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
      pkg_check_modules(LIBUV QUIET IMPORTED_TARGET GLOBAL
        libuv>=${TELLER_LIBUV_MINIMUM})
      teller_existing_libuv(teller_uv PkgConfig::LIBUV)
    endif()
  endif()
endif()

if(teller_uv)
  message(STATUS "libuv: ${teller_uv}")
else()
  set(LIBUV_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  set(LIBUV_BUILD_SHARED OFF CACHE BOOL "" FORCE)
  teller_source(libuv https://github.com/libuv/libuv.git
    1cfa32ff59c076ffb6ed735bbc8c18361558661f) # v1.52.1
  teller_existing_libuv(teller_uv uv_a libuv::uv_a)
  # Our warnings are for our own code.
  get_target_property(teller_real ${teller_uv} ALIASED_TARGET)
  if(NOT teller_real)
    set(teller_real ${teller_uv})
  endif()
  get_target_property(teller_headers ${teller_real}
    INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(teller_libuv SYSTEM INTERFACE ${teller_headers})
  message(STATUS "libuv: ${teller_uv}, from ${libuv_SOURCE_DIR}")
endif()

target_link_libraries(teller_libuv INTERFACE ${teller_uv})
