# SPDX-License-Identifier: MIT
# teller_target(NAME): the settings that each target of this project shares.
include(TellerHardening)

function(teller_target name)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  if(MSVC)
    # C4200 finds fault with C's flexible array members. C11 atomics are behind
    # a switch there until they are declared stable.
    target_compile_options(${name} PRIVATE /W4 /wd4200 /experimental:c11atomics)
    target_compile_definitions(${name} PRIVATE _CRT_SECURE_NO_WARNINGS)
  else()
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wpedantic
      -Wstrict-prototypes -Wmissing-prototypes -Wvla)
  endif()
  if(TELLER_FUZZ) # our code's coverage leads the fuzzers, not libuv's
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(TELLER_WERROR)
    target_compile_options(${name} PRIVATE
      $<IF:$<C_COMPILER_ID:MSVC>,/WX,-Werror>)
  endif()
  teller_harden(${name})
  if(WIN32)
    target_compile_definitions(${name} PRIVATE WIN32_LEAN_AND_MEAN
      _WIN32_WINNT=0x0602)
  elseif(NOT APPLE)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  endif()
endfunction()
