# LLVM, MLIR and lld as archives, for QUERN_STATIC: the interface library quern_static_llvm.
#
# The imported targets of the packages lead to libLLVM.so, so the archives are named by their paths. The order does
# not matter to lld, which takes from each what is needed.

if(NOT QUERN_LLD OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "QUERN_STATIC needs clang and lld: the archives refer to each other in circles")
endif()

# What the compiler and the emulated devices use. lto, and what hangs on it, is lld's.
set(components nvptx amdgpu x86 passes orcjit jitlink target codegen lto dtlto plugins)
execute_process(
  COMMAND "${LLVM_TOOLS_BINARY_DIR}/llvm-config" --link-static --libfiles ${components}
  OUTPUT_VARIABLE llvm_archives OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(llvm_archives)
# Polly is listed, but its package is not needed: see the generated stub below.
list(FILTER llvm_archives EXCLUDE REGEX "/libPolly[A-Za-z]*\\.a$")

set(mlir_archives)
if(QUERN_COMPILER)
  file(GLOB mlir_archives "${LLVM_LIBRARY_DIRS}/libMLIR*.a")
  list(FILTER mlir_archives EXCLUDE REGEX "Test|CAPI|MlirOptMain|MLIRMlir|PDLL|RegisterAll|MLIRTblgen|MLIRReduce")
endif()

# lld's driver starts every code generator that LLVM was built with, also those that are not linked here.
set(stubs "${CMAKE_BINARY_DIR}/StaticLlvmStubs.cpp")
set(text "// Made by cmake/StaticLlvm.cmake: what lld's driver calls and this program does not have.\n")
string(APPEND text "#include \"llvm/Plugins/PassPlugin.h\"\n")
foreach(target ${LLVM_TARGETS_TO_BUILD})
  if(NOT target MATCHES "^(X86|NVPTX|AMDGPU)$")
    foreach(part TargetInfo Target TargetMC AsmPrinter AsmParser)
      string(APPEND text "extern \"C\" void LLVMInitialize${target}${part}() {}\n")
    endforeach()
  endif()
endforeach()
string(APPEND text "llvm::PassPluginLibraryInfo getPollyPluginInfo() {\n"
                   "  return {LLVM_PLUGIN_API_VERSION, \"none\", \"0\", nullptr};\n}\n")
file(CONFIGURE OUTPUT "${stubs}" CONTENT "${text}" @ONLY)
add_library(quern_static_llvm_stubs STATIC "${stubs}")
target_include_directories(quern_static_llvm_stubs SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS})

add_library(quern_static_llvm INTERFACE)
target_link_libraries(quern_static_llvm INTERFACE
  quern_static_llvm_stubs ${mlir_archives} ${LLVM_LIBRARY_DIRS}/liblldELF.a ${LLVM_LIBRARY_DIRS}/liblldCommon.a
  ${llvm_archives} libz.a libzstd.a ${CMAKE_DL_LIBS} m)
