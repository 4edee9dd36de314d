# belfry_fuzz(NAME SOURCES … LINK … [CORPUS dir] [DICT file] [MAX_LEN n]): fuzz-NAME, and ctest fuzz.NAME with the label
# "fuzz": runs the seed corpus (tests/fuzz/corpus/NAME, or CORPUS) and then new inputs, which are kept in the build tree, for
# BELFRY_FUZZ_SECONDS of processor time (run-target). An input that crashes it is written there as crash-… and printed; fix
# the bug, then add it to the corpus.
if(NOT CMAKE_C_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "BELFRY_FUZZ needs clang, as in: cmake --preset fuzz")
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)
# -O1: libFuzzer is meant to run optimised code; the stack traces stay whole.
set(BELFRY_FUZZ_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -g -O1)

# Coverage and sanitizers for a library of ours and those it links; whoever links it gets the run time too.
function(belfry_fuzz_instrument library)
    get_target_property(done ${library} BELFRY_FUZZ_INSTRUMENTED)
    get_target_property(type ${library} TYPE)
    if(done OR NOT type STREQUAL STATIC_LIBRARY)
        return()
    endif()
    set_target_properties(${library} PROPERTIES BELFRY_FUZZ_INSTRUMENTED ON)
    target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link ${BELFRY_FUZZ_FLAGS})
    target_link_options(${library} INTERFACE ${BELFRY_FUZZ_FLAGS})
    get_target_property(links ${library} LINK_LIBRARIES)
    foreach(link IN LISTS links)
        if(TARGET ${link} AND link MATCHES "^(bf|bus)_")
            belfry_fuzz_instrument(${link})
        endif()
    endforeach()
endfunction()

function(belfry_fuzz name)
    cmake_parse_arguments(A "" "CORPUS;DICT;MAX_LEN" "SOURCES;LINK" ${ARGN})
    if(NOT A_CORPUS)
        set(A_CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    endif()
    if(NOT A_MAX_LEN)
        set(A_MAX_LEN 32768)
    endif()
    foreach(library IN LISTS A_LINK)
        if(library MATCHES "^(bf|bus)_")
            belfry_fuzz_instrument(${library})
        endif()
    endforeach()

    add_executable(fuzz-${name} ${A_SOURCES})
    target_compile_options(fuzz-${name} PRIVATE ${BELFRY_FUZZ_FLAGS})
    target_link_libraries(fuzz-${name} PRIVATE ${A_LINK} belfry_options)
    target_link_options(fuzz-${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzz fuzz-${name})

    set(found ${CMAKE_CURRENT_BINARY_DIR}/found-${name})
    file(MAKE_DIRECTORY ${found})
    # The time-out of an input is by the clock, and the processor may be somebody else's for long.
    set(arguments -max_len=${A_MAX_LEN} -timeout=60 -rss_limit_mb=1024 -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/
                  -print_final_stats=1)
    if(A_DICT)
        list(APPEND arguments -dict=${A_DICT})
    endif()
    if(IS_DIRECTORY ${A_CORPUS})
        list(APPEND seeds ${A_CORPUS})
    endif()
    add_test(NAME fuzz.${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/run-target
                                       $<TARGET_FILE:fuzz-${name}> ${arguments} ${found} ${seeds})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 1800)
endfunction()
