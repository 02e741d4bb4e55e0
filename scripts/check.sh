#!/usr/bin/env bash
# Sets up, builds and runs every test.
#
#   scripts/check.sh          what every change must pass: every test, and a minute of fuzzing for the readers of
#                             untrusted files together
#   scripts/check.sh --full   also: format and clang-tidy of what was changed, the half without LLVM alone, all tests
#                             under the sanitizers, a minute of fuzzing for each reader, the programs that run anywhere,
#                             every kernel on every emulated device under all checks, and what those checks find in
#                             faulty versions of the kernels
#
# The output ends with ctest's own summary; the lines before it say how many minutes each part took, count the tests
# that were skipped, and say why.
set -euo pipefail
cd "$(dirname "$0")/.."

full=no
case "${1:-}" in
  "") ;;
  --full) full=yes ;;
  *) echo "usage: scripts/check.sh [--full]" >&2; exit 2 ;;
esac

minutes=()
# part NAME COMMAND...: runs it and remembers how long it took.
part() {
  local name=$1 begin end
  shift
  printf '\n== %s\n' "$name"
  begin=$(date +%s.%N)
  "$@"
  end=$(date +%s.%N)
  minutes+=("$(awk -v n="$name" -v b="$begin" -v e="$end" 'BEGIN { printf "%-16s %5.1f min", n, (e - b) / 60 }')")
}

build_preset() { # build_preset PRESET
  cmake --preset "$1"
  cmake --build --preset "$1"
}

# test_folder FOLDER: runs the tests there. Their summary goes to FOLDER/summary.txt, after the count of the skipped.
test_folder() {
  local folder=$1
  ctest --test-dir "$folder" --output-on-failure -j"$(nproc)" 2>&1 |
      awk -v log_file="$folder/Testing/Temporary/LastTest.log" -v summary_file="$folder/summary.txt" '
    /tests passed, / { summary = 1 }
    summary { held = held $0 "\n"; next }
    { print; fflush() }
    END {
      skipped = 0
      while ((getline line < log_file) > 0) {
        if (line ~ /^\[  SKIPPED \] .* \([0-9]+ ms\)$/) {
          ++skipped
          ++count[reason == "" ? line : reason]
          reason = ""
        } else if (line ~ /^\[ RUN      \]/) {
          reason = ""
        } else if (line ~ /: Skipped$/) {
          getline reason < log_file
        } else if (line ~ /^  Unsupported *: *[0-9]+/) {
          n = line; sub(/^  Unsupported *: */, "", n); sub(/ .*/, "", n)
          skipped += n; count["lit tests whose tool is absent"] += n
        }
      }
      for (reason in count)
        print "skipped: " count[reason] " (" reason ")" > summary_file
      print "skipped in all: " skipped > summary_file
      printf "%s", held > summary_file
    }' || { cat "$folder/summary.txt"; return 1; }
}

# The programs of the preset `static` need libc alone, and say the same on every kind of device.
check_static() {
  local bin=build-static/bin artifact=build-static/demo.quern text first=""
  build_preset static
  scripts/portable.sh "$bin/quern" "$bin/quern-run" build-static/lib/libquern-emulated.so
  QUERN_CACHE_DIR="$PWD/build-static/cache" "$bin/quern" compile tests/models/demo -o "$artifact" \
    --target cpu --target nvidia:sm_90a --target amd:gfx942 >build-static/compile.txt
  for program in "$bin/quern run" "$bin/quern-run"; do
    for device in cpu emulated:nvidia:sm_90a emulated:amd:gfx942; do
      text=$($program "$artifact" --device "$device" -p "The old house" -n 8 --temp 0)
      echo "$program on $device: $text"
      [ "$text" = "${first:=$text}" ] || { echo "it says something else than on cpu" >&2; return 1; }
    done
  done
}

# A short search from the committed corpora: a minute for all readers together on 2 cores.
fuzz_briefly() {
  cmake --preset fuzz -DQUERN_FUZZ_SECONDS=15
  cmake --build --preset fuzz --target fuzz_targets
  ctest --test-dir build-fuzz --output-on-failure -j"$(nproc)" -R '^fuzz_'
}

# Every kernel on every emulated device, with all that can be looked for, in several orders of warps.
check_kernels() {
  QUERN_SANITIZER=full build/test/emulated_sanitizer_test
  for seed in 0 1 2; do
    QUERN_TEST_TARGETS=all QUERN_TEST_SEED=$seed build/test/kernels_test --gtest_filter='*nvidia*:*amd*' --gtest_brief=1
  done
}

check_mutants() { QUERN_MUTATION=full build/test/emulated_mutation_test; }

part packages scripts/packages.sh
# LLVM's headers mark memory of its allocators as poisoned, its library as packaged does not unmark it.
export ASAN_OPTIONS=allow_user_poisoning=0
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
if [ "$full" = yes ]; then
  for preset in runtime fuzz sanitize; do
    part "$preset: build" build_preset "$preset"
    part "$preset: tests" test_folder "build-$preset"
    cat "build-$preset/summary.txt"
  done
  part static check_static
fi
if [ "$full" = no ]; then
  part fuzz fuzz_briefly
fi
part "default: build" build_preset default
if [ "$full" = yes ]; then
  part lint scripts/lint.sh
fi
part "default: tests" test_folder build
if [ "$full" = yes ]; then
  part "all checks" check_kernels
  part mutants check_mutants
fi
echo
printf '%s\n' "${minutes[@]}"
cat build/summary.txt
