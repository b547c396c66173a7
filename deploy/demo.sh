#!/usr/bin/env bash
# From a bare Debian 12 machine to predictions that improve on the screen.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: deploy/demo.sh [--stop]

Installs the packages that are missing, builds mre-server and mre (preset
"release", in build/release), serves the checkpoints in model/zoo on free ports
of this machine, and streams eight Fashion-MNIST test images: each prediction
gets better with every expert that runs, until it is 95 % sure or 24 experts
have run.

On a terminal the server then stays up until Enter or Ctrl-C.
  --stop   stop the server at the end, as without a terminal
EOF
}

keep=no
[[ -t 0 && -t 1 ]] && keep=yes
for arg in "$@"; do
  case "$arg" in
    -h | --help) usage; exit 0 ;;
    --stop) keep=no ;;
    *) echo "demo.sh: unknown argument '$arg'" >&2; usage >&2; exit 2 ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly bin=build/release
readonly data=/usr/share/datasets/fashion-mnist
readonly images=$data/t10k-images-idx3-ubyte.gz
readonly labels=$data/t10k-labels-idx1-ubyte.gz
mkdir -p build
logs=$(mktemp -d build/demo.XXXXXX)
server=

# Runs on every way out: the server never outlives the demo.
clean_up() {
  status=$?
  trap - EXIT
  if [[ -n $server ]]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    echo "Server stopped."
  fi
  if [[ $status -eq 0 ]]; then
    rm -rf "$logs"
  else
    echo "Logs: $PWD/$logs" >&2
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step NAME TEXT COMMAND...: one line for a long command; its output goes to a
# log that is shown only if it fails.
step() {
  local log=$logs/$1.log text=$2 start=$SECONDS
  shift 2
  printf '%s ... ' "$text"
  if "$@" >"$log" 2>&1; then
    echo "done ($((SECONDS - start)) s)"
  else
    local status=$?
    echo "failed ($((SECONDS - start)) s)"
    tail -n 60 "$log" >&2
    return "$status"
  fi
}

build() {
  cmake --preset release -DMRE_TESTS=OFF &&
    cmake --build --preset release --parallel "$(nproc)" \
      --target mre-server mre
}

step install "Installing packages (about a minute on a bare machine)" \
  deploy/install-deps.sh build demo
step build "Building (a few minutes the first time)" build

printf 'Starting the server ... '
start=$SECONDS
# Made first, so that reading it below never comes too early.
: >"$logs/ready"
"$bin/server/mre-server" --model_repository=model/zoo \
  --grpc_port=0 --metrics_port=0 >"$logs/ready" 2>"$logs/server.log" &
server=$!
ready=
for ((i = 0; i < 600; i++)); do
  ready=$(grep -m1 '^mre-server ready ' "$logs/ready") && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if [[ -z $ready ]]; then
  echo "failed"
  tail -n 60 "$logs/server.log" >&2
  exit 1
fi
echo "done ($((SECONDS - start)) s)"
grpc=$(sed -E 's/.* grpc=([^ ]+).*/\1/' <<<"$ready")
metrics=$(sed -E 's/.* metrics=([^ ]+).*/\1/' <<<"$ready")
echo "  $ready"
echo

# One that the stem alone is sure of, six that change their mind on the way, and
# one that stays in doubt.
mre=$bin/client/cli/mre
"$mre" stream --server="$grpc" --model=fashion-mnist \
  --idx "$images" --labels "$labels" \
  --index 2,299,993,1319,701,2739,92,42 \
  --min_confidence=0.95 --max_steps=24 --pace=120ms

echo
if [[ $keep == yes ]]; then
  where=" --server=$grpc"
  echo "How to go on, from $PWD in another terminal:"
else
  where=
  metrics=127.0.0.1:8002
  cat <<EOF
How to go on, from $PWD:
  start a server
    $bin/server/mre-server --model_repository=model/zoo
Then, in another terminal:
EOF
fi
cat <<EOF
  another image, every expert
    $mre stream$where --model=fashion-mnist --idx $images \\
      --labels $labels --index 50
  its final answer as JSON, with at most 4 experts
    $mre predict$where --model=fashion-mnist --idx $images \\
      --index 50 --max_steps=4 --json
  what is served
    $mre models$where
  the metrics
    curl -s http://$metrics/metrics | grep '^mre_' | grep -v bucket
EOF
if [[ $keep == yes ]]; then
  cat <<EOF
  stop this server
    kill $server

The server runs on. Enter or Ctrl-C stops it.
EOF
  trap 'exit 0' INT  # The way to end it, not a failure.
  # The server's end (say, by the kill above) ends the demo too.
  while kill -0 "$server" 2>/dev/null; do
    status=0
    read -r -t 1 || status=$?
    [[ $status -gt 128 ]] || break  # Above 128: nothing typed yet.
  done
fi
