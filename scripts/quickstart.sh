#!/usr/bin/env bash
# From a fresh Debian machine to generated text: packages, build, one artifact of the demo model for three kinds of
# hardware, text from the best device that is present. A second run builds nothing again.
set -euo pipefail
cd "$(dirname "$0")/.."

report=()
step() { # step NAME NEXT COMMAND...: runs it, says how long it took and what else can be tried after it
  local name=$1 next=$2 begin seconds
  shift 2
  printf '\n== %s\n' "$name" >&2
  begin=$(date +%s.%N)
  "$@"
  seconds=$(awk -v b="$begin" -v e="$(date +%s.%N)" 'BEGIN { printf "%.1f", e - b }')
  printf '== %s took %s s. To try: %s\n' "$name" "$seconds" "$next" >&2
  report+=("$(printf '%-12s %8s s' "$name" "$seconds")")
}

export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
model=tests/models/demo
artifact=build/demo.quern

programs=(quern quern-run quern_emulated_library)

step packages "scripts/packages.sh (it changes nothing where all are present)" scripts/packages.sh
step configure "cmake --list-presets" cmake --preset default
step build "build/bin/quern doctor" cmake --build --preset default --target "${programs[@]}"
step compile "build/bin/quern inspect $artifact" \
  build/bin/quern compile "$model" -o "$artifact" --target cpu --target nvidia:sm_90a --target amd:gfx942
step generate "build/bin/quern run $artifact --device emulated:amd:gfx942 -p 'The old house' -n 16" \
  build/bin/quern-run "$artifact" -p "The old house" -n 120

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
