# SPDX-License-Identifier: MIT
# teller_harden(NAME): has the compiler and the linker make an attack harder that
# has found a fault. All is PRIVATE to our own targets: a program that takes
# teller in by add_subdirectory() keeps the flags that it chose. What is in the
# binaries in the end is looked at by tests/hardening.cmake.
option(TELLER_HARDENING "Compile and link with what makes attacks harder" ON)

set(teller_hard_flags "")
if(TELLER_HARDENING AND NOT MSVC)
  include(CheckCCompilerFlag)
  include(CheckCSourceCompiles)
  if(NOT WIN32)
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
    # mingw has its functions in libssp, which whoever links libteller.a there
    # would have to link too.
    list(APPEND teller_hard_flags -fstack-protector-strong)
    check_c_compiler_flag(-fstack-clash-protection TELLER_HAS_STACK_CLASH)
    if(TELLER_HAS_STACK_CLASH)
      list(APPEND teller_hard_flags -fstack-clash-protection)
    endif()
    # Of CET, the shadow stack. The other half marks where a branch may go to,
    # which costs instructions: no Linux offers it to programs.
    check_c_compiler_flag(-fcf-protection=return TELLER_HAS_CET)
    if(TELLER_HAS_CET)
      list(APPEND teller_hard_flags -fcf-protection=return)
    endif()
    # Not with a sanitizer, which looks at these calls itself, and not without
    # optimisation, which it needs. An old glibc warns about level 3.
    if(NOT TELLER_SANITIZE)
      set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
      check_c_source_compiles("#include <stdio.h>\nint main(void) { return 0; }"
        TELLER_HAS_FORTIFY_3)
      unset(CMAKE_REQUIRED_FLAGS)
      set(teller_fortify 2)
      if(TELLER_HAS_FORTIFY_3)
        set(teller_fortify 3)
      endif()
      set(teller_optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
      list(APPEND teller_hard_flags
        $<${teller_optimised}:-U_FORTIFY_SOURCE>
        $<${teller_optimised}:-D_FORTIFY_SOURCE=${teller_fortify}>)
    endif()
  endif()
endif()

function(teller_harden name)
  if(NOT TELLER_HARDENING)
    return()
  endif()
  get_target_property(type ${name} TYPE)
  if(MSVC)
    # The addresses, the data and the stack are guarded by default there.
    target_compile_options(${name} PRIVATE /guard:cf)
    if(NOT type STREQUAL "STATIC_LIBRARY")
      target_link_options(${name} PRIVATE /GUARD:CF)
    endif()
    return()
  endif()
  target_compile_options(${name} PRIVATE ${teller_hard_flags})
  # A program may be loaded anywhere, so what it is linked from must fit.
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  elseif(type STREQUAL "STATIC_LIBRARY" AND NOT WIN32)
    target_compile_options(${name} PRIVATE
      $<$<NOT:$<BOOL:$<TARGET_PROPERTY:POSITION_INDEPENDENT_CODE>>>:-fPIE>)
  endif()
  if(type STREQUAL "STATIC_LIBRARY" OR APPLE)
    return()
  endif()
  if(WIN32)
    # gcc knows nothing of CFG.
    target_link_options(${name} PRIVATE
      -Wl,--dynamicbase,--high-entropy-va,--nxcompat)
  else()
    target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack)
  endif()
endfunction()
