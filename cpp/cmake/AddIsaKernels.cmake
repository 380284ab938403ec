# finitesum_add_isa(<name> <flags>...): compiles kernels.cpp for one instruction set and adds it to finitesum_core.
# Interprocedural optimization is off: it may merge code compiled with different flags.
function(finitesum_add_isa isa)
  set(lib finitesum_kernels_${isa})
  add_library(${lib} OBJECT ${PROJECT_SOURCE_DIR}/cpp/kernels/kernels.cpp)
  target_include_directories(${lib} PRIVATE ${PROJECT_SOURCE_DIR}/cpp)
  target_compile_definitions(${lib} PRIVATE FINITESUM_ISA=${isa})
  target_compile_options(${lib} PRIVATE ${ARGN} -O3 -fopenmp-simd -fno-trapping-math -fno-exceptions -fno-rtti)
  set_target_properties(${lib} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  target_sources(finitesum_core PRIVATE $<TARGET_OBJECTS:${lib}>)
  target_compile_definitions(finitesum_core PRIVATE FINITESUM_HAVE_${isa})
  if(NOT FINITESUM_SANITIZE) # sanitizers add symbols of their own
    add_custom_target(check_symbols_${isa} ALL
      COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DISA=${isa} "-DOBJECT=$<TARGET_OBJECTS:${lib}>"
              -P ${PROJECT_SOURCE_DIR}/cpp/cmake/CheckIsaSymbols.cmake
      VERBATIM)
    add_dependencies(check_symbols_${isa} ${lib})
    add_dependencies(finitesum_core check_symbols_${isa})
  endif()
endfunction()
