#!/usr/bin/env bash
# Checks that programs run on any x86-64 Linux with glibc 2.36: which shared libraries they need, and the newest
# version of glibc whose symbols they use.
#
#   scripts/portable.sh build-static/bin/quern build-static/bin/quern-run
#
# Fails where a program needs a library that is not of the libc family, looks for libraries in a folder of its own,
# or uses a newer symbol.
set -euo pipefail
newest=2.36
allowed='^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|ld-linux-x86-64\.so\.2)$'

if [ $# -eq 0 ]; then
  echo "usage: scripts/portable.sh PROGRAM..." >&2
  exit 2
fi
failed=no
for program in "$@"; do
  dynamic=$(readelf --dynamic --wide "$program")
  needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | sort)
  versions=$(readelf --version-info --wide "$program" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu)
  highest=$(tail -n 1 <<<"$versions")
  echo "$program: needs ${needed//$'\n'/, }; glibc $highest"
  if [ -z "$needed" ] || [ -z "$highest" ]; then
    echo "  it shows no libraries: not a dynamic ELF program?" >&2
    failed=yes
  fi
  if foreign=$(grep -Ev "$allowed" <<<"$needed"); then
    echo "  not of the libc family: ${foreign//$'\n'/, }" >&2
    failed=yes
  fi
  if grep -Eq '\((RPATH|RUNPATH)\)' <<<"$dynamic"; then
    echo "  it looks for libraries in a folder of its own" >&2
    failed=yes
  fi
  if [ "$(printf '%s\n' "$newest" "$highest" | sort -V | tail -n 1)" != "$newest" ]; then
    echo "  it needs glibc $highest, newer than $newest" >&2
    failed=yes
  fi
done
[ "$failed" = no ]
