# SPDX-License-Identifier: MIT
# cmake -DPAGE=… -DPROGRAM=… [-DEMULATOR=…] -P manual.cmake: each option that
# the program's --help names is in its manual page, with the same argument, and
# each one in the page is in --help.
# cmake -DPAGE=… -DLIST=… -P manual.cmake: the same of the library's functions
# and the list of its symbols; with -DUPDATE=HEADER those that are missing are
# added at the end of the page's last list, with what the header says first of
# each.

file(STRINGS ${PAGE} lines)
if(PROGRAM)
  execute_process(COMMAND ${EMULATOR} ${PROGRAM} --help
    OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\r" "" output "${output}")
  # "  --loops N            event loops that serve, ..."
  string(REGEX MATCHALL "\n  --[^ \n]+( [^ \n]+)?" real "${output}")
  list(TRANSFORM real REPLACE "^\n  " "")
  list(TRANSFORM real STRIP)
  list(FILTER lines INCLUDE REGEX "^\\.It Fl Fl ")
  list(TRANSFORM lines REPLACE "^\\.It Fl Fl " "--")
  list(TRANSFORM lines REPLACE " Ar " " ")
else()
  file(STRINGS ${LIST} real)
  list(FILTER lines INCLUDE REGEX "^\\.It Fn ")
  list(TRANSFORM lines REPLACE "^\\.It Fn " "")
endif()
if(NOT real)
  message(FATAL_ERROR "nothing to compare with")
endif()

set(missing ${real})
list(REMOVE_ITEM missing ${lines})
set(extra ${lines})
list(REMOVE_ITEM extra ${real})
if(UPDATE)
  file(READ ${UPDATE} header)
  file(READ ${PAGE} text)
  foreach(name IN LISTS missing)
    string(REGEX MATCH "TLR_EXTERN[^;(]*[ *]${name}\\(" declaration "${header}")
    string(FIND "${header}" "${declaration}" at)
    string(SUBSTRING "${header}" 0 ${at} before)
    string(FIND "${before}" "/*" at REVERSE)
    string(SUBSTRING "${before}" ${at} -1 comment)
    string(REGEX REPLACE "[ \n*/]+" " " comment "${comment}")
    string(REGEX MATCH "^ ?[^.:;]*" comment "${comment}")
    string(STRIP "${comment}" comment)
    string(REPLACE "\n.El\n.Sh SEE ALSO" "\n.It Fn ${name}\n${comment}\n.El\n.Sh SEE ALSO"
      text "${text}")
    message(STATUS "${PAGE}: added ${name}; see that its line says enough")
  endforeach()
  file(WRITE ${PAGE} "${text}")
  if(extra)
    message(WARNING "to be removed from ${PAGE}: ${extra}")
  endif()
  return()
endif()
if(missing)
  message(SEND_ERROR "not in ${PAGE}: ${missing}")
endif()
if(extra)
  message(SEND_ERROR "in ${PAGE} only: ${extra}")
endif()
list(LENGTH real count)
message(STATUS "${count} compared")
