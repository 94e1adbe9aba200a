# Which tests a build has is decided by their labels: with KDP_TEST_ONLY those that carry one of them, and never those that
# carry one of KDP_TEST_EXCEPT.  A test left out is not even built, which is most of the time a sanitizer build would take.
#   unit     no I/O, clock moved by hand          golden   recorded traffic -> exact books and files
#   stream   rings, tapes, readers                cli      what a person types and reads
#   thread   more than one thread                 crash    kill, recover, compare
#   net      loopback traffic                     doc      README, man pages and help hold
#   live     kdp run against an exchange
#   alloc    counts allocations                   fuzz     replays a fuzzer's corpus            slow   over ten seconds
function(kdp_test_wanted outp)
  set(wanted ON)
  if(KDP_TEST_ONLY)
    set(wanted OFF)
    foreach(label IN LISTS ARGN)
      if(label IN_LIST KDP_TEST_ONLY)
        set(wanted ON)
      endif()
    endforeach()
  endif()
  foreach(label IN LISTS ARGN)
    if(label IN_LIST KDP_TEST_EXCEPT)
      set(wanted OFF)
    endif()
  endforeach()
  set(${outp} ${wanted} PARENT_SCOPE)
endfunction()

# kdp_test(name LIBS ... [SRC ...] [LABELS ...] [TIMEOUT s]): tests/<name>.c, one ctest entry per case ("name.case").
function(kdp_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SRC;LIBS;LABELS" ${ARGN})
  kdp_test_wanted(wanted ${T_LABELS})
  if(NOT wanted)
    return()
  endif()
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
  kdp_test_wanted(wanted ${T_LABELS})
  if(NOT wanted)
    return()
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_test(NAME ${KDP_TEST_PREFIX}${name} COMMAND ${T_COMMAND})
  set_tests_properties(${KDP_TEST_PREFIX}${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${T_TIMEOUT}
    LABELS "${T_LABELS}" ENVIRONMENT
    "KDP=$<TARGET_FILE:kdp>;TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp;${T_ENV}")
endfunction()
