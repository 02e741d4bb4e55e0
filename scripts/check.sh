#!/usr/bin/env bash
# Sets up, builds and runs every test.
#
#   scripts/check.sh          what every change must pass
#   scripts/check.sh --full   also: the half without LLVM alone, all tests under the sanitizers, a minute of fuzzing
#                             for each reader of untrusted files
#
# The output ends with ctest's own summary; the lines before it count the tests that were skipped, and say why.
set -euo pipefail
cd "$(dirname "$0")/.."

full=no
case "${1:-}" in
  "") ;;
  --full) full=yes ;;
  *) echo "usage: scripts/check.sh [--full]" >&2; exit 2 ;;
esac

# test_preset PRESET FOLDER: configures, builds and tests one preset.
test_preset() {
  local preset=$1 folder=$2
  cmake --preset "$preset"
  cmake --build --preset "$preset"
  # The summary, from its first line on, waits until the skipped tests have been counted.
  ctest --test-dir "$folder" --output-on-failure -j"$(nproc)" 2>&1 | awk -v log_file="$folder/Testing/Temporary/LastTest.log" '
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
        print "skipped: " count[reason] " (" reason ")"
      print "skipped in all: " skipped
      printf "%s", held
    }'
}

scripts/packages.sh
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
if [ "$full" = yes ]; then
  test_preset runtime build-runtime
  test_preset fuzz build-fuzz
  test_preset sanitize build-sanitize
fi
test_preset default build
