#!/usr/bin/env bash
# The one list of Debian 12 packages that this project uses. The Dockerfile, the
# CI and the scripts call this file, so a package is added here and nowhere else.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: install-deps.sh [build|test|demo|report|lint|image|runtime ...]

Installs the named groups of Debian 12 packages (default: build test).
Does nothing, without root and without network, if all are there already.

  build    compiler, CMake and the development files of the libraries
  test     GoogleTest, a data set, and what the end-to-end tests call
  demo     what deploy/demo.sh needs besides build
  report   gnuplot, for the plots of mre-train compare
  lint     clang, clang-format, clang-tidy, the sanitizers' and libFuzzer's
           runtimes, shellcheck
  image    podman, runc and debootstrap, for tests/e2e/image_test.sh
  runtime  only the shared libraries that the built programs load
EOF
}

packages_of() {
  case "$1" in
    build) echo \
      g++ cmake ninja-build pkg-config \
      libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler \
      libdnnl-dev ocl-icd-opencl-dev libabsl-dev prometheus-cpp-dev \
      nlohmann-json3-dev zlib1g-dev libpng-dev libcli11-dev libssl-dev ;;
    # curl: asks for the metrics page. prometheus: promtool, and a real scrape.
    # openssl: makes certificates. python3-pip with setuptools and wheel: builds
    # the Python client. nginx: in front of two servers.
    test) echo \
      libgtest-dev libgmock-dev dataset-fashion-mnist \
      python3 python3-numpy python3-grpcio python3-grpc-tools \
      python3-pytest python3-pil python3-pip python3-setuptools python3-wheel \
      openssl nginx \
      gnuplot-nox prometheus curl procps xz-utils ca-certificates ;;
    # curl: for the metrics, as the demo suggests.
    demo) echo \
      dataset-fashion-mnist curl ;;
    report) echo \
      gnuplot-nox ;;
    lint) echo \
      clang clang-format clang-tidy libclang-rt-14-dev \
      git python3 shellcheck mypy ;;
    # catatonit is the pause container's program in "podman kube play".
    image) echo \
      podman runc debootstrap catatonit \
      dataset-fashion-mnist python3 curl util-linux ;;
    runtime) echo \
      libgrpc++1.51 libprotobuf32 libabsl20220623 libdnnl2 libgomp1 \
      libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0 \
      libpng16-16 libssl3 zlib1g ;;
    *) return 1 ;;
  esac
}

groups=("$@")
[[ $# -gt 0 ]] || groups=(build test)

wanted=()
for group in "${groups[@]}"; do
  case "$group" in -h | --help) usage; exit 0 ;; esac
  if ! list=$(packages_of "$group"); then
    echo "install-deps.sh: unknown group '$group'" >&2
    usage >&2
    exit 2
  fi
  read -r -a names <<<"$list"
  wanted+=("${names[@]}")
done

if ! command -v dpkg-query >/dev/null; then
  echo "install-deps.sh: needs Debian 12 (no dpkg-query here)" >&2
  exit 1
fi

missing=()
for name in "${wanted[@]}"; do
  # shellcheck disable=SC2016  # dpkg-query expands the field, not the shell.
  status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || true
  [[ $status == installed ]] || missing+=("$name")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "install-deps.sh: ${groups[*]}: all ${#wanted[@]} packages are there"
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install-deps.sh: needs root (or sudo) to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Some packages start a daemon when they are installed (prometheus does).
# policy-rc.d is Debian's way to say no; it is there only meanwhile, and a
# machine's own policy is left alone.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq
  -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
echo "install-deps.sh: ${groups[*]}: installing ${missing[*]}"
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}"
