# Runs EXE --list and writes one add_test per case to OUT; exit code 77 is shown as Skipped.
execute_process(COMMAND ${EXE} --list OUTPUT_VARIABLE cases RESULT_VARIABLE rc OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT rc EQUAL 0)
  message(FATAL_ERROR "${EXE} --list failed: ${rc}")
endif()
string(REPLACE "\n" ";" cases "${cases}")
set(text "")
foreach(c IN LISTS cases)
  string(APPEND text "add_test(\"${PREFIX}${NAME}.${c}\" \"${EXE}\" \"${c}\")\n"
    "set_tests_properties(\"${PREFIX}${NAME}.${c}\" PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${TIMEOUT} LABELS \"${LABELS}\")\n")
endforeach()
file(WRITE ${OUT} "${text}")
