# One set of warnings for everything that is ours; generated code is exempt (see BelfryTargets).
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # _GNU_SOURCE interfaces; statement expressions in cleanup.h
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

set(BELFRY_SANITIZE "" CACHE STRING "Sanitizers, as in address,undefined or thread")

add_library(belfry_options INTERFACE)
target_compile_definitions(belfry_options INTERFACE _GNU_SOURCE BELFRY_VERSION="${PROJECT_VERSION}")
# The clang-only -Wno-gnu-statement-expression is silently ignored by gcc.
target_compile_options(belfry_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
    -Wno-gnu-statement-expression
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
    -fno-omit-frame-pointer -fstack-protector-strong
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
if(BELFRY_SANITIZE)
    add_compile_options(-fsanitize=${BELFRY_SANITIZE} -fno-sanitize-recover=all -g)
    add_link_options(-fsanitize=${BELFRY_SANITIZE})
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
