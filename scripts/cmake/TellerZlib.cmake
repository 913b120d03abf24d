# SPDX-License-Identifier: MIT
# teller_link_zlib(TARGET): links the system's zlib, if TELLER_ZLIB lets it and it
# is there, and sets TELLER_HAS_ZLIB for the caller. A program for Windows gets a
# static one where there is one, so that it needs no DLL beside it.
set(TELLER_ZLIB AUTO CACHE STRING
  "teller-load's compressed logs need zlib: AUTO (if it is here), ON or OFF")
set_property(CACHE TELLER_ZLIB PROPERTY STRINGS AUTO ON OFF)

function(teller_link_zlib target)
  set(TELLER_HAS_ZLIB OFF PARENT_SCOPE)
  if(NOT TELLER_ZLIB)
    message(STATUS "zlib: not used, as TELLER_ZLIB says")
    return()
  endif()
  if(MINGW)
    set(CMAKE_FIND_LIBRARY_SUFFIXES .a ${CMAKE_FIND_LIBRARY_SUFFIXES})
  endif()
  if(TELLER_ZLIB STREQUAL "AUTO")
    find_package(ZLIB QUIET)
  else()
    find_package(ZLIB REQUIRED)
  endif()
  if(NOT ZLIB_FOUND)
    message(STATUS "zlib: none found; teller-load writes no --log")
    return()
  endif()
  message(STATUS "zlib: ${ZLIB_VERSION_STRING}, ${ZLIB_LIBRARIES}")
  target_link_libraries(${target} PRIVATE ZLIB::ZLIB)
  set(TELLER_HAS_ZLIB ON PARENT_SCOPE)
endfunction()
