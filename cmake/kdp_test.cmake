# kdp_test(name LIBS ... [SRC ...] [LABELS ...] [TIMEOUT s]): tests/<name>.c, one ctest entry per case ("name.case").
function(kdp_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SRC;LIBS;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 60)
  endif()
  add_executable(${name} ${name}.c ${T_SRC})
  target_link_libraries(${name} PRIVATE kdp_test_support ${T_LIBS})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}_cases.cmake)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DEXE=$<TARGET_FILE:${name}> -DNAME=${name} -DPREFIX=${KDP_TEST_PREFIX}
            "-DLABELS=${T_LABELS}" -DTIMEOUT=${T_TIMEOUT} -DOUT=${out} -P ${PROJECT_SOURCE_DIR}/cmake/kdp_discover.cmake
    BYPRODUCTS ${out} VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${out})
endfunction()
# kdp_script_test(name COMMAND ... [LABELS ...] [TIMEOUT s]): a program or script as one ctest entry; 77 is a visible skip.
function(kdp_script_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "COMMAND;LABELS;ENV" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_test(NAME ${KDP_TEST_PREFIX}${name} COMMAND ${T_COMMAND})
  set_tests_properties(${KDP_TEST_PREFIX}${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${T_TIMEOUT}
    LABELS "${T_LABELS}" ENVIRONMENT "KDP=$<TARGET_FILE:kdp>;${T_ENV}")
endfunction()
