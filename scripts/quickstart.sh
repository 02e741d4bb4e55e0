#!/usr/bin/env bash
# From a fresh Debian machine to generated text: packages, build, one artifact of the demo model for three kinds of
# hardware, text from the best device that is present. A second run builds nothing again.
set -euo pipefail
cd "$(dirname "$0")/.."

report=()
step() { # step NAME COMMAND...: runs it and remembers how long it took
  local name=$1 begin end
  shift
  printf '\n== %s\n' "$name" >&2
  begin=$(date +%s.%N)
  "$@"
  end=$(date +%s.%N)
  report+=("$(awk -v n="$name" -v b="$begin" -v e="$end" 'BEGIN { printf "%-12s %8.1f s", n, e - b }')")
}

export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
model=tests/models/demo
artifact=build/demo.quern

programs=(quern)
if [ -d tools/quern-run ]; then
  programs+=(quern-run quern_emulated_library)
fi

step packages scripts/packages.sh
step configure cmake --preset default
step build cmake --build --preset default --target "${programs[@]}"
step compile build/bin/quern compile "$model" -o "$artifact" \
  --target cpu --target nvidia:sm_90a --target amd:gfx942
if [ -x build/bin/quern-run ]; then
  step generate build/bin/quern-run "$artifact" -p "The old house" -n 120
fi

printf '\n\nHow long it took\n'
printf '  %s\n' "${report[@]}"
cat <<NEXT

What to try next
  build/bin/quern devices                              what is here
  build/bin/quern doctor                               what is missing, and how to mend it
  build/bin/quern verify $artifact             every kernel against the oracle
  build/bin/quern inspect $artifact            targets, kernels and their resources
  build/bin/quern import $model             every tensor of the checkpoint, memory by target
  scripts/check.sh                                     every test
NEXT
