# SPDX-License-Identifier: MIT
# cpack -G DEB: one package with the library, what programs need to use it, and
# both programs. Configure with the preset "package": for /usr, shared, and
# without a run path, since /usr/lib is searched anyway.
set(CPACK_PACKAGE_NAME teller)
set(CPACK_PACKAGE_VENDOR teller)
set(CPACK_PACKAGE_CONTACT "the authors of teller <teller@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGE_DESCRIPTION
  "libteller runs TCP servers on a pool of libuv event loops, one per thread.\
\nteller-echo is an echo server on it, and teller-load a client that loads a\
\nserver and checks every byte that comes back.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# For the header, and what teller.pc requires.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libuv1-dev (>= ${TELLER_LIBUV_MINIMUM})")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
include(CPack)
