#!/usr/bin/env bash
# Sets up, builds and runs every test. `--full` adds the long matrix.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
cmake --preset default
cmake --build --preset default
ctest --test-dir build --output-on-failure -j"$(nproc)"
