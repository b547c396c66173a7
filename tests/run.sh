#!/usr/bin/env bash
# Installs what is missing, builds the release preset, runs the tests.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: tests/run.sh [ctest arguments...]

On Debian 12: installs the packages that are missing (deploy/install-deps.sh
build test), configures and builds the "release" preset in build/release with
all cores, and runs every test with ctest. ctest's own summary comes last, and
its exit status is this script's.

Arguments go to ctest, for instance:
  tests/run.sh -L unit          only the unit tests (labels: unit, e2e)
  tests/run.sh -R Safetensors   only tests whose name matches
EOF
}
case "${1-}" in -h | --help) usage; exit 0 ;; esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/install-deps.sh build test
cmake --preset release
cmake --build --preset release --parallel "$(nproc)"
exec ctest --preset release --no-tests=error "$@"
