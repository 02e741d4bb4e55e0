#!/bin/sh
# Makes programs.ptx from programs.c. Needs LLVM 22.
set -e
cd "$(dirname "$0")"
/usr/lib/llvm-22/bin/clang --target=nvptx64-nvidia-cuda -march=sm_80 -Xclang -target-feature -Xclang +ptx80 -O3 \
  -nocudalib -nocudainc -x c -S programs.c -o programs.ptx
