#!/usr/bin/env bash
# clang-format and clang-tidy (.clang-tidy has the reasons) on the files that differ from a commit.
#
#   scripts/lint.sh              what differs from where this branch left main
#   scripts/lint.sh COMMIT       what differs from COMMIT, with what is not committed yet
#   scripts/lint.sh -- FILE...   these files
#
# Needs a configured and built `build/`: clang-tidy takes the commands, the generated headers and the precompiled
# headers from there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = -- ]; then
  shift
  files=("$@")
else
  base=${1:-}
  if [ -z "$base" ]; then
    upstream=main
    if git rev-parse --verify --quiet origin/main >/dev/null; then
      upstream=origin/main
    fi
    base=$(git merge-base "$upstream" HEAD)
  fi
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$base" --; git ls-files --others --exclude-standard; } |
                         sort -u | grep -E '\.(cpp|h)$' || true)
fi
if [ ${#files[@]} -eq 0 ]; then
  echo "lint: no C++ file differs"
  exit 0
fi

failed=no
clang-format-22 --dry-run -Werror "${files[@]}" || failed=yes

# A header is read as part of the source beside it.
commands=build/compile_commands.json
if [ ! -f "$commands" ]; then
  echo "lint: no $commands: run cmake --preset default and build first" >&2
  exit 1
fi
sources=()
for file in "${files[@]}"; do
  source=${file%.h}
  source=${source%.cpp}.cpp
  if grep -qF "\"$PWD/$source\"" "$commands"; then
    sources+=("$source")
  fi
done
if [ ${#sources[@]} -ne 0 ]; then
  printf '%s\n' "${sources[@]}" | sort -u |
    xargs -P "$(nproc)" -n 1 clang-tidy-22 -p build --quiet || failed=yes
fi
if [ "$failed" = yes ]; then
  echo "lint: failed (clang-format-22 -i mends the format)" >&2
  exit 1
fi
echo "lint: ${#files[@]} files are fine"
