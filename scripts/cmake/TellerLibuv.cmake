# SPDX-License-Identifier: MIT
# Defines the target teller_libuv: the one libuv that everything here links.
#
# It is looked for as TellerFindLibuv.cmake says; where none is found the pinned
# source is built. The source comes before pkg-config and packages where
# FETCHCONTENT_SOURCE_DIR_LIBUV or TELLER_LIBUV_FROM_SOURCE asks for it, and in a
# sanitizer build: with a packaged libuv a use after free of a handle stays
# unseen.
#
# TELLER_LIBUV_HEADERS_ONLY is for hosts that have a libuv inside (an interpreter,
# say): nothing is linked, and the functions are found in the host at load time.

# Before CMake 3.21 set(… CACHE) throws away a variable that a host project has
# set, so it must not be reached then.
if(NOT DEFINED TELLER_LIBUV_TARGET)
  set(TELLER_LIBUV_TARGET "" CACHE STRING "CMake target of the libuv to use")
endif()
option(TELLER_LIBUV_FROM_SOURCE "Build libuv from its source" OFF)
option(TELLER_LIBUV_HEADERS_ONLY "Link no libuv: the host brings it" OFF)
if(NOT DEFINED TELLER_LIBUV_INCLUDE_DIR)
  set(TELLER_LIBUV_INCLUDE_DIR "" CACHE PATH
    "Folder of uv.h for TELLER_LIBUV_HEADERS_ONLY; else that of the libuv found")
endif()
set(TELLER_LIBUV_MINIMUM 1.44)

include(TellerFindLibuv)
include(TellerSource)
add_library(teller_libuv INTERFACE)
# What a target needs that includes uv.h and links no libuv.
add_library(teller_libuv_headers INTERFACE)

if(TELLER_LIBUV_HEADERS_ONLY AND (TELLER_BUILD_PROGRAMS OR TELLER_BUILD_TESTS
    OR TELLER_BUILD_EXAMPLES OR TELLER_BUILD_BENCH))
  message(FATAL_ERROR "TELLER_LIBUV_HEADERS_ONLY links no libuv, and programs "
    "need one: add -DTELLER_BUILD_PROGRAMS=OFF -DTELLER_BUILD_TESTS=OFF "
    "-DTELLER_BUILD_EXAMPLES=OFF -DTELLER_BUILD_BENCH=OFF")
endif()
if(TELLER_LIBUV_HEADERS_ONLY AND BUILD_SHARED_LIBS AND WIN32)
  message(FATAL_ERROR "TELLER_LIBUV_HEADERS_ONLY: a DLL cannot leave functions "
    "to be found in its host; add -DBUILD_SHARED_LIBS=OFF")
endif()

function(teller_real_target result target)
  get_target_property(real ${target} ALIASED_TARGET)
  if(NOT real)
    set(real ${target})
  endif()
  set(${result} ${real} PARENT_SCOPE)
endfunction()

# A macro, since what it declares must reach our callers.
macro(teller_libuv_from_source result)
  # A shared libteller with a static libuv inside would give its host two.
  set(teller_uv_shared OFF)
  if(BUILD_SHARED_LIBS AND NOT TELLER_LIBUV_HEADERS_ONLY)
    set(teller_uv_shared ON)
  endif()
  set(LIBUV_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  set(LIBUV_BUILD_SHARED ${teller_uv_shared} CACHE BOOL "" FORCE)
  teller_source(libuv https://github.com/libuv/libuv.git
    1cfa32ff59c076ffb6ed735bbc8c18361558661f) # v1.52.1
  set(${result} uv_a)
  if(teller_uv_shared)
    set(${result} uv)
  endif()
endmacro()

set(teller_uv "")
set(teller_from_source ${TELLER_LIBUV_FROM_SOURCE})
if(FETCHCONTENT_SOURCE_DIR_LIBUV OR TELLER_SANITIZE)
  set(teller_from_source ON)
endif()

if(TELLER_LIBUV_HEADERS_ONLY AND TELLER_LIBUV_INCLUDE_DIR)
  set(teller_headers ${TELLER_LIBUV_INCLUDE_DIR})
else()
  # The static one is preferred where it is built here.
  set(teller_existing libuv::uv_a libuv::uv uv_a uv)
  if(BUILD_SHARED_LIBS)
    set(teller_existing libuv::uv uv)
  endif()
  if(teller_from_source AND NOT TELLER_LIBUV_TARGET)
    foreach(teller_candidate IN LISTS teller_existing)
      if(NOT teller_uv AND TARGET ${teller_candidate})
        set(teller_uv ${teller_candidate})
      endif()
    endforeach()
  else()
    teller_find_libuv(teller_uv ${TELLER_LIBUV_MINIMUM} ${teller_existing})
  endif()
  set(teller_where "")
  if(NOT teller_uv)
    teller_libuv_from_source(teller_uv)
    set(teller_where ", from ${libuv_SOURCE_DIR}")
  endif()
  teller_real_target(teller_real ${teller_uv})
  set(teller_headers
    $<TARGET_PROPERTY:${teller_real},INTERFACE_INCLUDE_DIRECTORIES>)
  get_target_property(teller_type ${teller_real} TYPE)
endif()

# SYSTEM: our warnings are for our own code.
target_include_directories(teller_libuv_headers SYSTEM INTERFACE
  ${teller_headers})
target_link_libraries(teller_libuv INTERFACE teller_libuv_headers)
if(TELLER_LIBUV_HEADERS_ONLY)
  message(STATUS "libuv: headers only, the host brings it")
else()
  if(BUILD_SHARED_LIBS AND teller_type STREQUAL "STATIC_LIBRARY")
    message(FATAL_ERROR "BUILD_SHARED_LIBS, and ${teller_uv} is static: a "
      "program that links it as well would have two libuvs. Name a shared one in "
      "TELLER_LIBUV_TARGET, or leave libuv to the program with "
      "TELLER_LIBUV_HEADERS_ONLY")
  endif()
  target_link_libraries(teller_libuv INTERFACE ${teller_uv})
  message(STATUS "libuv: ${teller_uv}${teller_where}")
endif()
