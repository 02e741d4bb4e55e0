#!/usr/bin/env bash
# Installs the Debian packages that Quern's build and tests need; does nothing where all of them are present.
set -euo pipefail

packages=(
  # compiler base, linker, test tools
  clang-22 clang-format-22 clang-tidy-22 libclang-rt-22-dev lld-22 llvm-22 llvm-22-dev llvm-22-tools
  libmlir-22-dev mlir-22-tools liblld-22-dev
  # build
  cmake ninja-build ccache git pkg-config python3-minimal unzip xz-utils
  # libraries
  nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev libsqlite3-dev libxxhash-dev libssl-dev
  libpcre2-dev libutf8proc-dev libgtest-dev libgmock-dev libbenchmark-dev zlib1g-dev libzstd-dev
  # a real HIP runtime for the conformance suite: a library without a device
  libamdhip64-5)

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "packages: all ${#packages[@]} present"
  exit 0
fi
echo "packages: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
