#!/usr/bin/env bash
# Everything that is checked by reading the code, not by running it.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: tests/lint/run.sh [quick]

  format     clang-format (Google) on every C++ file
  arrows     which folder may include which; file lengths (arrows.py)
  tests      no test is disabled, commented out or skipped without a reason
  shell      shellcheck on every script
  types      mypy on the Python client
  tidy       preset "lint": clang's warnings, thread-safety analysis among them,
             on every .cc file, clang-tidy's on those outside tests/; all are
             errors

"quick" stops before tidy, which takes minutes. All checks run even if one
fails. Packages: deploy/install-deps.sh build test lint.
EOF
}

quick=no
case "${1-}" in
  -h | --help) usage; exit 0 ;;
  quick) quick=yes ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
jobs=$(nproc)

# What git tracks, and new files that it would track.
files() { git ls-files --cached --others --exclude-standard -- "$@" | sort -u; }
existing() { while read -r path; do [[ ! -f $path ]] || echo "$path"; done; }
cxx() { files '*.cc' '*.h' | existing; }
if [[ -z $(cxx) ]]; then
  echo "lint: git lists no C++ file; this needs a git checkout" >&2
  exit 1
fi

check_format() {
  local path bad=()
  if ! command -v clang-format >/dev/null; then
    echo "There is no clang-format; deploy/install-deps.sh lint installs it."
    return 1
  fi
  while read -r path; do
    clang-format --dry-run -Werror "$path" 2>/dev/null || bad+=("$path")
  done < <(cxx)
  [[ ${#bad[@]} -eq 0 ]] && return
  echo "Not formatted; to format: clang-format -i ${bad[*]}"
  return 1
}

check_arrows() {
  tests/lint/arrows.py --self-test && tests/lint/arrows.py
}

# GTEST_SKIP() needs "<< reason"; the first three are never right.
check_tests() {
  local found
  found=$(files 'tests/*.cc' | existing | xargs -r grep -nE \
    '\bDISABLED_|^ *(//|/\*) *(TEST|TEST_F|TEST_P|TYPED_TEST)\(|^ *#if 0|GTEST_SKIP\(\) *;' \
    || true)
  [[ -z $found ]] && return
  echo "$found"
  echo "A disabled, commented-out or silently skipped test."
  return 1
}

check_shell() {
  { files '*.sh'; echo .ci/run; } | existing | xargs -r shellcheck
}

check_types() {
  (cd client/python && mypy --cache-dir=../../build/mypy)
}

# clang-tidy compiles with the lint preset's flags, so what clang itself warns of
# (-Wthread-safety among it) fails here too, without a build that would read all
# headers a second time. Only the generated ones have to be there.
# "FILE<tab>COMMAND" of each of our files, which are those outside build/. The
# command, for a shell, compiles it and keeps nothing.
compilations() {
  python3 -c '
import json, os, re
for entry in json.load(open("build/lint/compile_commands.json")):
    path = os.path.relpath(entry["file"])
    command = re.sub(r"^\S*ccache |-o \S+ -c ", "", entry["command"])
    if not path.startswith(("build/", "..")):
        print(path, "cd " + entry["directory"] + " && " + command + " -fsyntax-only", sep="\t")' |
    sort -u
}

# Tests get clang's warnings only: GoogleTest's macros are slow to tidy, and no
# user waits for a copy there.
check_tidy() {
  local ours status=0
  cmake --preset lint >/dev/null &&
    cmake --build --preset lint --parallel "$jobs" --target mre_proto &&
    ours=$(compilations) || return
  {
    sed '/^tests\//d' <<<"$ours" | cut -f1 | sort -u |
      xargs -r -P "$jobs" -n 1 clang-tidy --quiet -p build/lint || status=1
    sed -n '/^tests\//p' <<<"$ours" | cut -f2 | tr '\n' '\0' |
      xargs -0 -r -P "$jobs" -n 1 bash -c || status=1
  } > >(grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?generated\.$') 2>&1
  return "$status"
}

failed=()
check() {
  local start=$SECONDS
  echo "== lint: $1"
  if "check_$1"; then
    echo "-- $1: ok ($((SECONDS - start)) s)"
  else
    echo "-- $1: FAILED ($((SECONDS - start)) s)"
    failed+=("$1")
  fi
}

check format
check arrows
check tests
check shell
check types
if [[ $quick == no ]]; then
  check tidy
fi
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "lint: failed: ${failed[*]}"
  exit 1
fi
echo "lint: ok"
