# SPDX-License-Identifier: MIT
# What is installed beside the library: the CMake package, teller.pc, the licence.
include(CMakePackageConfigHelpers)

set(teller_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/teller)
configure_package_config_file(${PROJECT_SOURCE_DIR}/scripts/cmake/tellerConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/tellerConfig.cmake
  INSTALL_DESTINATION ${teller_cmake_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/package/tellerConfigVersion.cmake
  COMPATIBILITY SameMinorVersion) # once at 1.0: SameMajorVersion
install(FILES ${PROJECT_BINARY_DIR}/package/tellerConfig.cmake
  ${PROJECT_BINARY_DIR}/package/tellerConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/scripts/cmake/TellerFindLibuv.cmake
  DESTINATION ${teller_cmake_dir})
install(EXPORT tellerTargets NAMESPACE teller:: DESTINATION ${teller_cmake_dir})

# The folders in teller.pc are found from where the file lies, so that the tree
# may be moved; not where the user gave an absolute one.
set(teller_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
foreach(teller_dir IN ITEMS LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${teller_dir}})
    set(TELLER_PC_${teller_dir} ${CMAKE_INSTALL_${teller_dir}})
  else()
    set(TELLER_PC_${teller_dir} "\${prefix}/${CMAKE_INSTALL_${teller_dir}}")
  endif()
endforeach()
set(TELLER_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${teller_pc_dir})
  file(RELATIVE_PATH teller_up /${teller_pc_dir} /)
  string(REGEX REPLACE "/$" "" teller_up "${teller_up}")
  set(TELLER_PC_PREFIX "\${pcfiledir}/${teller_up}")
endif()
# libuv is a part of the interface (uv_loop_t, UV_E*), so it is required and not
# only privately: who links teller calls libuv. A static library's own needs go
# to Libs where there is no shared one, as pkg-config is rarely told --static.
set(TELLER_PC_REQUIRES "Requires: libuv >= ${TELLER_LIBUV_MINIMUM}\n")
if(TELLER_LIBUV_HEADERS_ONLY)
  set(TELLER_PC_REQUIRES "")
endif()
set(TELLER_PC_PRIVATE " -pthread")
set(TELLER_PC_DEFINES "")
if(WIN32)
  set(TELLER_PC_PRIVATE " -lws2_32")
endif()
get_target_property(teller_type teller TYPE)
if(teller_type STREQUAL "SHARED_LIBRARY")
  set(TELLER_PC_LIBS "-lteller\nLibs.private:${TELLER_PC_PRIVATE}")
  if(WIN32)
    set(TELLER_PC_DEFINES " -DTLR_USING_SHARED")
  endif()
else()
  set(TELLER_PC_LIBS "-lteller${TELLER_PC_PRIVATE}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/scripts/cmake/teller.pc.in
  ${PROJECT_BINARY_DIR}/package/teller.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/teller.pc
  DESTINATION ${teller_pc_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
