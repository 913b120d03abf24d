# SPDX-License-Identifier: MIT
# teller_source(NAME REPOSITORY COMMIT): adds a library's source to the build and
# sets NAME_SOURCE_DIR. It is FETCHCONTENT_SOURCE_DIR_<NAME>, else what
# scripts/sources.sh has put beside the build trees, else cloned at COMMIT.
include(FetchContent)

macro(teller_source name repository commit)
  string(TOUPPER ${name} teller_upper)
  set(teller_cached ${PROJECT_SOURCE_DIR}/build/sources/${name})
  if(NOT FETCHCONTENT_SOURCE_DIR_${teller_upper}
      AND EXISTS ${teller_cached}/CMakeLists.txt)
    FetchContent_Declare(${name} SOURCE_DIR ${teller_cached}
      SOURCE_SUBDIR none)
  else()
    # The folder "none" is not there, so that MakeAvailable stops at fetching:
    # adding it is up to us, with EXCLUDE_FROM_ALL.
    FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${commit}
      SOURCE_SUBDIR none)
  endif()
  FetchContent_MakeAvailable(${name})
  # Versions of 2022 and older ask for less than what CMake 4 still offers.
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
  # It becomes a part of programs that may be loaded anywhere.
  set(teller_pic ${CMAKE_POSITION_INDEPENDENT_CODE})
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_subdirectory(${${name}_SOURCE_DIR} ${${name}_BINARY_DIR} EXCLUDE_FROM_ALL)
  set(CMAKE_POSITION_INDEPENDENT_CODE ${teller_pic})
  unset(CMAKE_POLICY_VERSION_MINIMUM)
endmacro()
