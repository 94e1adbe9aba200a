# The warning set that gcc 12 and clang 14 both accept; see CONTRIBUTING.md.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion -Wformat=2
  -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings
  -Wimplicit-fallthrough -Wnull-dereference -Wno-format-zero-length)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # snprintf cuts words for people on purpose; what must not be cut checks its return value
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wno-format-truncation)
endif()
if(KDP_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fno-plt -fno-semantic-interposition)
else()
  add_compile_options(-fno-omit-frame-pointer)
endif()
if(KDP_SANITIZE)
  add_compile_options(-fsanitize=${KDP_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KDP_SANITIZE})
  add_compile_definitions(KDP_SANITIZED=1)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # gcc's own instrumentation makes these two fire on code that has no such path
    add_compile_options(-Wno-null-dereference -Wno-maybe-uninitialized)
  endif()
endif()
if(KDP_FUZZ)
  # what the fuzzers' feedback comes from; only the targets of fuzz/ link the fuzzer itself
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
