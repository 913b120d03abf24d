# SPDX-License-Identifier: MIT
# Defines the target teller_cmocka: cmocka from a CMake package or pkg-config,
# else built from its source, as where FETCHCONTENT_SOURCE_DIR_CMOCKA is set.
include(TellerSource)
add_library(teller_cmocka INTERFACE)

if(NOT FETCHCONTENT_SOURCE_DIR_CMOCKA)
  find_package(cmocka CONFIG QUIET)
  if(NOT cmocka_FOUND)
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
      pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET GLOBAL cmocka)
    endif()
  endif()
endif()

if(TARGET cmocka::cmocka)
  target_link_libraries(teller_cmocka INTERFACE cmocka::cmocka)
elseif(TARGET PkgConfig::CMOCKA)
  target_link_libraries(teller_cmocka INTERFACE PkgConfig::CMOCKA)
elseif(cmocka_FOUND) # Debian's 1.1.5 names variables only
  target_link_libraries(teller_cmocka INTERFACE ${CMOCKA_LIBRARIES})
  target_include_directories(teller_cmocka SYSTEM INTERFACE
    ${CMOCKA_INCLUDE_DIR})
else()
  set(WITH_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(UNIT_TESTING OFF CACHE BOOL "" FORCE)
  # 1.1.5 has a shared target always and a static one if asked; later ones have
  # one target. Static, so that a Windows test needs no DLL beside it.
  set(WITH_STATIC_LIB ON CACHE BOOL "" FORCE)
  set(teller_shared ${BUILD_SHARED_LIBS})
  set(BUILD_SHARED_LIBS OFF)
  # With Doxygen it has a target "docs", as we have.
  set(CMAKE_DISABLE_FIND_PACKAGE_Doxygen TRUE)
  teller_source(cmocka https://gitlab.com/cmocka/cmocka.git
    f5e2cd77c88d9f792562888d2b70c5a396bfbf7a) # 1.1.5
  unset(CMAKE_DISABLE_FIND_PACKAGE_Doxygen)
  set(BUILD_SHARED_LIBS ${teller_shared})
  if(TARGET cmocka-static)
    target_link_libraries(teller_cmocka INTERFACE cmocka-static)
  else()
    target_link_libraries(teller_cmocka INTERFACE cmocka)
  endif()
  target_include_directories(teller_cmocka SYSTEM INTERFACE
    ${cmocka_SOURCE_DIR}/include)
endif()
