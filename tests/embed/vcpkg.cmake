# SPDX-License-Identifier: MIT
# cmake -DOUT=… -P vcpkg.cmake: runs the port file with stand-ins for vcpkg's
# functions, which do in short what those do, and leaves in OUT/package what
# vcpkg would install. It shows that the port's options, folders and names are
# right; it cannot show that vcpkg agrees.
cmake_minimum_required(VERSION 3.20)
set(port ${CMAKE_CURRENT_LIST_DIR}/../../scripts/vcpkg/teller)
set(CURRENT_PACKAGES_DIR ${OUT}/package)
set(PORT teller)
set(FEATURES core tools)
file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" OUT_FEATURE_OPTIONS FEATURES)
  list(GET arg_FEATURES 1 option)
  set(${arg_OUT_FEATURE_OPTIONS} -D${option}=ON PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" SOURCE_PATH OPTIONS)
  foreach(type IN ITEMS Debug Release)
    set(folder /debug)
    if(type STREQUAL "Release")
      set(folder "")
    endif()
    run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${OUT}/${type}
      -DCMAKE_BUILD_TYPE=${type} -DBUILD_SHARED_LIBS=OFF
      -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}${folder}
      -DCMAKE_INSTALL_LIBDIR=lib ${arg_OPTIONS})
  endforeach()
endfunction()

function(vcpkg_cmake_install)
  foreach(type IN ITEMS Debug Release)
    run(${CMAKE_COMMAND} --build ${OUT}/${type} --parallel --target install)
  endforeach()
endfunction()

# Moves the package to share/, and tells its targets where they are then.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" CONFIG_PATH "")
  set(share ${CURRENT_PACKAGES_DIR}/share/${PORT})
  file(MAKE_DIRECTORY ${share})
  file(GLOB files ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/*.cmake)
  file(COPY ${files} DESTINATION ${share})
  file(GLOB files ${CURRENT_PACKAGES_DIR}/debug/${arg_CONFIG_PATH}/*-debug.cmake)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REPLACE "\${_IMPORT_PREFIX}" "\${_IMPORT_PREFIX}/debug" text
      "${text}")
    get_filename_component(name ${file} NAME)
    file(WRITE ${share}/${name} "${text}")
  endforeach()
  file(READ ${share}/tellerTargets.cmake text)
  string(REGEX REPLACE "(get_filename_component\\(_IMPORT_PREFIX \"\\\${_IMPORT_PREFIX}\" PATH\\)\n)+"
    "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\n"
    text "${text}")
  file(WRITE ${share}/tellerTargets.cmake "${text}")
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}
    ${CURRENT_PACKAGES_DIR}/debug/${arg_CONFIG_PATH})
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_copy_tools)
  cmake_parse_arguments(PARSE_ARGV 0 arg AUTO_CLEAN "" TOOL_NAMES)
  foreach(tool IN LISTS arg_TOOL_NAMES)
    file(COPY ${CURRENT_PACKAGES_DIR}/bin/${tool}
      DESTINATION ${CURRENT_PACKAGES_DIR}/tools/${PORT})
  endforeach()
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/bin
    ${CURRENT_PACKAGES_DIR}/debug/bin)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" FILE_LIST)
  configure_file(${arg_FILE_LIST}
    ${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright COPYONLY)
endfunction()

include(${port}/portfile.cmake)
