# Build rules shared by every room. Each room is one library with private link lists, so that a forbidden
# include fails to link; tests/hygiene checks the include lines themselves against the same table.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

include_directories("${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")

find_program(QUERN_CCACHE ccache)
if(QUERN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${QUERN_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${QUERN_CCACHE}")
endif()
find_program(QUERN_LLD NAMES ld.lld-22 ld.lld HINTS /usr/lib/llvm-22/bin)
if(QUERN_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options("--ld-path=${QUERN_LLD}")
endif()
add_link_options(LINKER:--gc-sections)
add_compile_options(-ffunction-sections -fdata-sections -fno-strict-aliasing)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-fcolor-diagnostics)
  # A precompiled header without a time stamp, so that ccache can reuse what was built from it.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
if(QUERN_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(QUERN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

set(QUERN_WARNINGS -Wall -Wextra -Werror -Wno-unused-parameter)

if(QUERN_COMPILER OR QUERN_EMULATED)
  find_package(LLVM 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/llvm)
  list(APPEND CMAKE_MODULE_PATH "${LLVM_CMAKE_DIR}")
endif()
if(QUERN_COMPILER)
  find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
  list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}")
  include(TableGen)
  include(AddLLVM)
  include(AddMLIR)
endif()
if(QUERN_STATIC AND (QUERN_COMPILER OR QUERN_EMULATED))
  include(StaticLlvm)
endif()

# quern_add_rooms(FOLDER...): adds each folder that exists, in the order given.
function(quern_add_rooms)
  foreach(room ${ARGN})
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${room}/CMakeLists.txt")
      add_subdirectory(${room})
    endif()
  endforeach()
endfunction()

# quern_library(NAME SRCS file... [DEPS lib...] [LLVM] [MLIR])
#   A static library of one room. LLVM / MLIR say which packages its sources may include.
function(quern_library name)
  cmake_parse_arguments(ARG "LLVM;MLIR" "" "SRCS;DEPS;GENERATED" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_compile_options(${name} PRIVATE ${QUERN_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
  if(ARG_LLVM OR ARG_MLIR)
    quern_use_llvm(${name})
  endif()
  if(ARG_MLIR)
    quern_use_mlir(${name})
  endif()
  if(ARG_GENERATED)
    add_dependencies(${name} ${ARG_GENERATED})
  endif()
endfunction()

# quern_program(NAME SRCS file... DEPS lib... [LLVM] [MLIR]): a program in build/bin.
function(quern_program name)
  cmake_parse_arguments(ARG "LLVM;MLIR" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_compile_options(${name} PRIVATE ${QUERN_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(ARG_LLVM OR ARG_MLIR)
    quern_use_llvm(${name})
  endif()
  if(ARG_MLIR)
    quern_use_mlir(${name})
  endif()
endfunction()

# quern_portable_program(NAME MIB): takes the C++ library into the program, so that it runs wherever its libc does, and
# prints its size, which must not pass the limit. libc itself stays shared: it opens the vendors' libraries by name.
function(quern_portable_program name limit)
  if(QUERN_SANITIZE)
    return()
  endif()
  target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc LINKER:--strip-all)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND "${CMAKE_COMMAND}" -DFILE=$<TARGET_FILE:${name}> -DLIMIT=${limit}
            -P "${CMAKE_SOURCE_DIR}/cmake/PrintSize.cmake"
    VERBATIM)
endfunction()

# quern_test(NAME SRCS file... DEPS lib... [LLVM] [MLIR] [ARGS arg...]): a GoogleTest program, one ctest entry.
function(quern_test name)
  cmake_parse_arguments(ARG "LLVM;MLIR" "" "SRCS;DEPS;ARGS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SRCS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test")
  target_compile_options(${name} PRIVATE ${QUERN_WARNINGS})
  target_compile_definitions(${name} PRIVATE QUERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_LLVM OR ARG_MLIR)
    quern_use_llvm(${name})
  endif()
  if(ARG_MLIR)
    quern_use_mlir(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()

# LLVM headers come without warnings of ours (SYSTEM), and with RTTI as Debian builds them.
function(quern_use_llvm target)
  target_include_directories(${target} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS})
  target_compile_definitions(${target} PRIVATE ${LLVM_DEFINITIONS_LIST})
  if(QUERN_STATIC)
    target_link_libraries(${target} PUBLIC quern_static_llvm)
  else()
    target_link_libraries(${target} PUBLIC LLVM)
  endif()
endfunction()

function(quern_use_mlir target)
  target_include_directories(${target} SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS})
  if(QUERN_STATIC)
    target_link_libraries(${target} PUBLIC quern_static_llvm)
  else()
    target_link_libraries(${target} PUBLIC MLIR LLVM)
  endif()
endfunction()

# quern_fuzz(NAME SRCS file... DEPS lib... CORPUS folder [DICTIONARY file])
#   A fuzz target (its source defines LLVMFuzzerTestOneInput) and one ctest entry. Every build runs the committed
#   corpus through it once; with QUERN_FUZZ it is linked to libFuzzer and searches on from there for
#   QUERN_FUZZ_SECONDS. The target `fuzz_targets` builds all of them.
function(quern_fuzz name)
  cmake_parse_arguments(ARG "" "CORPUS;DICTIONARY" "SRCS;DEPS" ${ARGN})
  if(QUERN_FUZZ)
    add_executable(${name} ${ARG_SRCS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET fuzz_targets)
      add_custom_target(fuzz_targets)
    endif()
    add_dependencies(fuzz_targets ${name})
    # New inputs go to the build folder; a failing one stays there as crash-<digest>.
    set(found "${CMAKE_BINARY_DIR}/fuzz/${name}")
    file(MAKE_DIRECTORY "${found}")
    set(arguments -max_total_time=${QUERN_FUZZ_SECONDS} -max_len=65536 -rss_limit_mb=4096 -artifact_prefix=${found}/
        "${found}" "${ARG_CORPUS}")
    if(ARG_DICTIONARY)
      list(PREPEND arguments "-dict=${ARG_DICTIONARY}")
    endif()
  else()
    add_executable(${name} ${ARG_SRCS} "${CMAKE_SOURCE_DIR}/support/CorpusRunner.cpp")
    set(arguments "${ARG_CORPUS}")
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test")
  target_compile_options(${name} PRIVATE ${QUERN_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  add_test(NAME ${name} COMMAND ${name} ${arguments} WORKING_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()

# quern_tablegen(OUTPUT generator-flags...): mlir_tablegen with the include roots of MLIR and of this repository.
function(quern_tablegen output)
  mlir_tablegen(${output} ${ARGN} EXTRA_INCLUDES "${CMAKE_SOURCE_DIR}" ${MLIR_INCLUDE_DIRS})
  set(TABLEGEN_OUTPUT ${TABLEGEN_OUTPUT} PARENT_SCOPE)
endfunction()

# quern_embed(OUT FILES relative-file... [STEM]): an include file with one `{name, path, text},` for each file. The name
# is the file's folder, or with STEM its own name without extension.
function(quern_embed out)
  cmake_parse_arguments(ARG "STEM" "" "FILES" ${ARGN})
  set(absolute ${ARG_FILES})
  list(TRANSFORM absolute PREPEND "${CMAKE_SOURCE_DIR}/")
  add_custom_command(OUTPUT "${out}"
    COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" "-DROOT=${CMAKE_SOURCE_DIR}" "-DFILES=${ARG_FILES}" "-DSTEM=${ARG_STEM}"
            -P "${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake"
    DEPENDS ${absolute} "${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake"
    VERBATIM)
endfunction()
