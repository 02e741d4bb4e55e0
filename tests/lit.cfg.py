# Configuration of all lit tests. CMake passes the build folder: lit --param build=BUILD tests/FOLDER
import os
import lit.formats

config.name = "quern"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)

build = lit_config.params["build"]
llvm = lit_config.params.get("llvm", "/usr/lib/llvm-22/bin")
config.test_exec_root = os.path.join(build, "lit")
config.environment["PATH"] = os.pathsep.join([os.path.join(build, "bin"), llvm, "/usr/bin", "/bin"])
