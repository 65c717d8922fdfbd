# What every room of the tree shares: language, warnings, sanitizers, include root.

add_library(traind_settings INTERFACE)
target_compile_features(traind_settings INTERFACE cxx_std_20)
target_include_directories(traind_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(traind_settings INTERFACE TRAIND_VERSION="${PROJECT_VERSION}")
target_compile_options(traind_settings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
                       -Wno-psabi
                       # GCC 12 sees overlaps in std::string that are not there (GCC bug 105651).
                       $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
                       $<$<BOOL:${TRAIND_WERROR}>:-Werror>)
if(TRAIND_SANITIZE)
  # GCC's manual: instrumented code makes its flow warnings wrong. The release build has them all.
  # The three checks of each pointer that is followed double the time to compile. The address
  # sanitizer finds what two of them find, and the processors we run on bear the third.
  target_compile_options(traind_settings INTERFACE -fsanitize=${TRAIND_SANITIZE}
                         -fno-sanitize=null,object-size,alignment,vptr
                         -fno-omit-frame-pointer -fno-sanitize-recover=all
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(traind_settings INTERFACE -fsanitize=${TRAIND_SANITIZE})
  target_compile_definitions(traind_settings INTERFACE TRAIND_SANITIZED)
endif()
if(TRAIND_FUZZ)
  # Counts which branches an input takes; libFuzzer itself is linked to the programs of tests/fuzz.
  target_compile_options(traind_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# traind_room(NAME SOURCES ... LINKS ... [PRIVATE_LINKS ...]): one room as a static library.
# LINKS point downwards only; tests/layering_test.py reads the includes and holds them to that.
function(traind_room name)
  cmake_parse_arguments(room "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${room_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${name} PUBLIC traind_settings ${room_LINKS} PRIVATE ${room_PRIVATE_LINKS})
endfunction()

# traind_test(NAME SOURCES ... LINKS ... [TIMEOUT seconds]): one GoogleTest program, its cases
# registered with ctest one by one; under a sanitizer in two shards, since each start of a program
# costs more there than most cases. The test's own code is not optimized, which halves the time to
# compile it; what it tests is.
function(traind_test name)
  cmake_parse_arguments(test "" "TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT test_TIMEOUT)
    set(test_TIMEOUT 120)
  endif()
  add_executable(${name} ${test_SOURCES})
  target_compile_options(${name} PRIVATE -O0)
  target_link_libraries(${name} PRIVATE traind_settings ${test_LINKS} GTest::gtest GTest::gmock
                        GTest::gtest_main)
  if(NOT TRAIND_SANITIZE)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${test_TIMEOUT})
    return()
  endif()
  # Those are minutes of the definition's own arithmetic; what it is held against runs in other cases.
  set(cases "-*.GradientsEqualCentralDifferences/*")
  foreach(shard 0 1)
    add_test(NAME ${name}_${shard} COMMAND ${name})
    set_tests_properties(${name}_${shard} PROPERTIES TIMEOUT 900
                         ENVIRONMENT "GTEST_FILTER=${cases};GTEST_TOTAL_SHARDS=2;GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()
