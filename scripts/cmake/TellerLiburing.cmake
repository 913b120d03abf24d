# SPDX-License-Identifier: MIT
# The target teller_liburing, for bench/models alone, if there is a liburing with
# what it uses: 2.3 or newer, as in Debian 12's liburing-dev.
find_path(TELLER_LIBURING_INCLUDE liburing.h)
find_library(TELLER_LIBURING uring)
if(TELLER_LIBURING_INCLUDE AND TELLER_LIBURING)
  include(CheckSymbolExists)
  set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
  set(CMAKE_REQUIRED_INCLUDES ${TELLER_LIBURING_INCLUDE})
  set(CMAKE_REQUIRED_LIBRARIES ${TELLER_LIBURING})
  check_symbol_exists(io_uring_prep_recv_multishot liburing.h
    TELLER_LIBURING_HAS_MULTISHOT)
  check_symbol_exists(IORING_SETUP_DEFER_TASKRUN liburing.h
    TELLER_LIBURING_HAS_DEFER)
  unset(CMAKE_REQUIRED_DEFINITIONS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
if(TELLER_LIBURING_HAS_MULTISHOT AND TELLER_LIBURING_HAS_DEFER)
  add_library(teller_liburing INTERFACE)
  target_include_directories(teller_liburing SYSTEM INTERFACE
    ${TELLER_LIBURING_INCLUDE})
  target_link_libraries(teller_liburing INTERFACE ${TELLER_LIBURING})
else()
  message(STATUS
    "model_io_uring is left out: it needs liburing 2.3 (liburing-dev)")
endif()
