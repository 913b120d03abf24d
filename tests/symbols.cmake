# SPDX-License-Identifier: MIT
# cmake -DLIBRARY=… -DLIST=… (-DNM=… | -DOBJDUMP=…) [-DUPDATE=ON] -P symbols.cmake
# compares what a shared library exports with the list of it, one name a line,
# sorted; or writes the list. A name that has gone breaks programs that use it.
# TELLER_UPDATE_COMMAND is named in the complaint.

if(NM)
  execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY}
    OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  # "0000000000002f80 T tlr_close"; of a versioned symbol, its name.
  string(REGEX MATCHALL "[0-9a-f]+ [A-Za-z] [^\n]+" lines "${output}")
  list(TRANSFORM lines REPLACE "^[0-9a-f]+ [A-Za-z] ([^@]+).*$" "\\1")
else()
  execute_process(COMMAND ${OBJDUMP} -p ${LIBRARY}
    OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  # "	[   0] tlr_close", or with its address before it in newer versions.
  string(REGEX REPLACE "^.*\\[Ordinal/Name Pointer\\] Table" "" output
    "${output}")
  string(REGEX MATCHALL "\t\\[ *[0-9]+\\][^\n]+" lines "${output}")
  list(TRANSFORM lines REPLACE "^.*[ \t]([^ \t]+)$" "\\1")
endif()
list(SORT lines)
list(REMOVE_DUPLICATES lines)
if(NOT lines)
  message(FATAL_ERROR "${LIBRARY} exports nothing")
endif()

set(foreign ${lines})
list(FILTER foreign EXCLUDE REGEX "^tlr_")
if(foreign)
  message(FATAL_ERROR "exported, and not tlr_*: ${foreign}")
endif()

if(UPDATE)
  list(JOIN lines "\n" text)
  file(WRITE ${LIST} "${text}\n")
  message(STATUS "${LIST} is written")
  return()
endif()

file(STRINGS ${LIST} listed)
set(gone ${listed})
list(REMOVE_ITEM gone ${lines})
set(new ${lines})
list(REMOVE_ITEM new ${listed})
if(gone)
  message(SEND_ERROR "no longer exported, which breaks programs: ${gone}")
endif()
if(new)
  message(SEND_ERROR "exported, and not in ${LIST}: ${new}")
endif()
if(gone OR new)
  message(FATAL_ERROR "if that is meant: ${TELLER_UPDATE_COMMAND}")
endif()
list(LENGTH lines count)
message(STATUS "${count} symbols")
