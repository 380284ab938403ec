# cmake -DNM=nm -DISA=v3 -DOBJECT=kernels.o -P CheckIsaSymbols.cmake
# Fails unless the one symbol that the object file exports is its table. Any other, such as an inline function of the
# standard library, could replace the baseline's copy at link time and crash an older processor.
execute_process(COMMAND ${NM} --defined-only --extern-only ${OBJECT}
  OUTPUT_VARIABLE output RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${NM} failed on ${OBJECT}")
endif()
string(LENGTH ${ISA} length)
string(REGEX MATCHALL "[^\n]+" lines "${output}")
set(tables 0)
foreach(line IN LISTS lines)
  if(line MATCHES " _?_ZN9finitesum${length}${ISA}5tableE$")
    math(EXPR tables "${tables} + 1")
  else()
    message(SEND_ERROR "kernels for ${ISA} export more than their table: ${line}")
  endif()
endforeach()
if(NOT tables EQUAL 1)
  message(SEND_ERROR "kernels for ${ISA} do not export finitesum::${ISA}::table")
endif()
