# belfry_library(NAME SOURCES … LINK …): a static library of lib/, included as "<name>/<header>.h".
function(belfry_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
    add_library(bf_${name} STATIC ${A_SOURCES})
    target_include_directories(bf_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
    target_link_libraries(bf_${name} PUBLIC ${A_LINK} PRIVATE belfry_options ${A_PRIVATE_LINK})
endfunction()

# belfry_service(NAME SOURCES … LINK …): services/<name> as a library (so that tests can link it) and belfry-<name>.
# main.c is not part of the library. Headers of the service are included as "<name>/<header>.h" by itself only.
function(belfry_service name)
    cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
    add_library(bf_service_${name} STATIC ${A_SOURCES})
    target_include_directories(bf_service_${name} PUBLIC ${CMAKE_SOURCE_DIR}/services)
    target_link_libraries(bf_service_${name} PUBLIC bf_service ${A_LINK} PRIVATE belfry_options)
    add_executable(belfry-${name} main.c)
    target_link_libraries(belfry-${name} PRIVATE bf_service_${name} belfry_options)
    install(TARGETS belfry-${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# belfry_unit_test(NAME SOURCES … LINK …): a cmocka program run by `ctest -L unit`.
function(belfry_unit_test name)
    cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
    add_executable(test-${name} ${A_SOURCES})
    target_compile_definitions(test-${name} PRIVATE BELFRY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(test-${name} PRIVATE ${A_LINK} belfry_options PkgConfig::CMOCKA)
    add_test(NAME unit.${name} COMMAND test-${name})
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 60
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
endfunction()
