#!/usr/bin/env bash
# Builds the shipped Dockerfile, unchanged, and uses the image as it would be
# used: read-only, without capabilities, not as root, the default command. Needs
# no registry: the base image is made with debootstrap, under the official name.
# Then runs deploy/demo.sh where nothing is installed.
# Needs root and the packages of "install-deps.sh image" (it installs them).
# Exits 77 if this machine cannot run it.
set -euo pipefail

case "${1-}" in
  '') ;;
  -h | --help) sed -n '2,/^set/{/^# /s/^# //p}' "$0"; exit 0 ;;
  *) echo "image_test.sh: takes no argument, got $1" >&2; exit 2 ;;
esac

if [[ $(id -u) -ne 0 ]]; then
  echo "image_test.sh: skipped: debootstrap needs root"
  exit 77
fi

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly image=localhost/mre-serving:test
readonly data=/usr/share/datasets/fashion-mnist
deploy/install-deps.sh image

# All images, containers and settings are in here; the machine's own podman
# storage is not touched.
work=$(mktemp -d "${TMPDIR:-/tmp}/mre-image.XXXXXX")
container=
clean_up() {
  status=$?
  trap - EXIT
  if [[ $status -ne 0 && -n $container ]]; then
    echo "-- the container's log:"
    podman logs "$container" 2>&1 | tail -n 40 || true
  fi
  [[ -z $container ]] || podman rm -f "$container" >/dev/null 2>&1 || true
  podman system prune -af >/dev/null 2>&1 || true
  podman system reset -f >/dev/null 2>&1 || true
  rm -rf "$work"
  [[ $status -eq 0 ]] || echo "image_test.sh: FAILED"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Why: crun refuses hybrid cgroups; podman's default limits may be above what
# this process may set; there may be no systemd.
cat >"$work/containers.conf" <<'EOF'
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]
log_driver = "k8s-file"
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
EOF
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' \
  "$work/graph" "$work/run" >"$work/storage.conf"
export CONTAINERS_CONF=$work/containers.conf
export CONTAINERS_STORAGE_CONF=$work/storage.conf

fail() {
  echo "image_test.sh: $*" >&2
  exit 1
}
ok() { echo "ok: $*"; }
timed() {
  local text=$1 start=$SECONDS log=$work/log
  shift
  echo "-- $text"
  "$@" >"$log" 2>&1 || { tail -n 60 "$log"; fail "$text: failed"; }
  echo "   $((SECONDS - start)) s"
}

make_base() {
  local base=$work/base
  debootstrap --variant=minbase bookworm "$base" &&
    find "$base/usr/share/doc" -type f ! -name copyright -delete &&
    rm -rf "$base"/etc/apt/sources.list "$base"/var/cache/apt/* \
      "$base"/var/lib/apt/lists/* "$base"/etc/resolv.conf \
      "$base"/etc/hostname "$base"/usr/share/{man,locale,info} &&
    printf 'Types: deb\nURIs: http://deb.debian.org/%s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n' \
      debian 'bookworm bookworm-updates' \
      debian-security bookworm-security \
      >"$base/etc/apt/sources.list.d/debian.sources" &&
    tar -C "$base" -c . | podman import -q --change 'CMD ["bash"]' - \
      docker.io/library/debian:bookworm-slim &&
    rm -rf "$base"
}

echo "The base image is an equivalent of debian:bookworm-slim made with" \
  "debootstrap, not the official image."
timed "debootstrap the base image" make_base
timed "build the Dockerfile" podman build --pull=never --format docker \
  --network host -t "$image" .
bytes=$(podman image inspect "$image" --format '{{.Size}}')
echo "   image size: $((bytes / 1000000)) MB"

# What orchestrators read from the image.
[[ $(podman image inspect "$image" --format '{{.Config.User}}') == 10001:10001 ]] ||
  fail "the image's user is not 10001:10001"
read -r -a health <<<"$(podman image inspect "$image" --format json |
  python3 -c 'import json, sys
test = json.load(sys.stdin)[0]["Healthcheck"]["Test"]
assert test[0] == "CMD", test
print(*test[1:])')"
[[ ${health[*]} == "mre health --server=127.0.0.1:8001" ]] ||
  fail "unexpected health check: ${health[*]}"
ok "user 10001, health check: ${health[*]}"

# A network of its own with only a loopback, so that the default ports are free
# whatever else runs here. Podman's health timers need systemd; the image's
# check is run by exec below.
container=$(podman run -d --network none --no-healthcheck --read-only \
  --cap-drop all --security-opt no-new-privileges --memory 512m \
  --pids-limit 128 -v "$data:/data:ro" "$image")
probe() { podman exec "$container" "${health[@]}"; }
for ((i = 0; i < 150; i++)); do
  probe >/dev/null 2>&1 && break
  [[ $(podman inspect "$container" --format '{{.State.Running}}') == true ]] ||
    fail "the container ended"
  sleep 0.2
done
probe >/dev/null || fail "not healthy after 30 s"
ok "healthy: $(podman logs "$container" 2>/dev/null | grep -m1 '^mre-server ready')"

inside() { podman exec "$container" "$@"; }
[[ $(inside id -u) == 10001 ]] || fail "runs as $(inside id -u)"
inside grep -q '^CapEff:[[:space:]]*0*$' /proc/1/status ||
  fail "process 1 has capabilities"
# shellcheck disable=SC2016  # for the shell inside
inside sh -c '! touch /x 2>/dev/null && ! touch /models/x 2>/dev/null' ||
  fail "the root is writable"
ok "not root, no capabilities, read-only"

inside mre predict --server=127.0.0.1:8001 --model=fashion-mnist \
  --idx /data/t10k-images-idx3-ubyte.gz --index 0 --max_steps=4 --json \
  >"$work/predict.json"
python3 - "$work/predict.json" <<'EOF'
import json, sys
with open(sys.argv[1]) as lines:
    updates = [json.loads(line) for line in lines if line.strip()]
final = [p for u in updates for p in u["predictions"] if p.get("final")]
assert len(final) == 1, updates
assert final[0]["stop_reason"] == "STOP_REASON_MAX_STEPS", final
assert final[0]["step"] == 4, final
best = final[0]["top"][0]
assert 0 < best["probability"] <= 1, final
print("ok: prediction after 4 experts:", best["label"],
      round(best["probability"], 3))
EOF

inside mre-loadtest --model=fashion-mnist --dataset_dir=/data --requests=200 \
  --warmup=0s --quiet --max_steps=4 >"$work/load" || fail "mre-loadtest: $(cat "$work/load")"
grep -q 'stopped by max_steps .* 200 ' "$work/load" ||
  fail "mre-loadtest: $(cat "$work/load")"
ok "mre-loadtest: 200 requests"

# The host's curl, in the container's network.
pid=$(podman inspect "$container" --format '{{.State.Pid}}')
nsenter --net="/proc/$pid/ns/net" \
  curl -fsS --max-time 10 http://127.0.0.1:8002/metrics >"$work/metrics"
grep -q '^mre_requests_total{.*} [1-9]' "$work/metrics" ||
  fail "the metrics do not count the request"
ok "metrics: $(grep -c '^mre_' "$work/metrics") lines of mre_*"

start=$SECONDS
podman stop -t 30 "$container" >/dev/null
code=$(podman inspect "$container" --format '{{.State.ExitCode}}')
[[ $code == 0 ]] || fail "exit code $code after SIGTERM"
ok "exit code 0, $((SECONDS - start)) s after SIGTERM"

# The README's first command, where nothing at all is installed: in the base
# image, on a copy of what git tracks.
mkdir "$work/tree"
git ls-files -z | tar -c --null -T - | tar -x -C "$work/tree"
demo() {
  podman run --rm --network host -v "$work/tree:/mre" -w /mre \
    docker.io/library/debian:bookworm-slim deploy/demo.sh --stop |
    tee "$work/demo"
}
timed "deploy/demo.sh on the bare base" demo
[[ $(grep -cE '^image [0-9]+: .* reached' "$work/demo") == 8 ]] ||
  { cat "$work/demo"; fail "the demo does not end with 8 images"; }
ok "$(grep -m1 '^image ' "$work/demo")"
echo "image_test.sh: passed, image size $((bytes / 1000000)) MB"
