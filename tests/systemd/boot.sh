#!/usr/bin/env bash
# Boots a real systemd, installs the build in it, and holds traind.service to what it promises:
# ready when it says so, a STATUS line, back after kill -9 and after a hang, a quick and durable
# stop, and a run that goes on after the power went.
#   tests/systemd/boot.sh BUILD-FOLDER
# Ends with 77 where root, namespaces or cgroup version 2 are missing.
set -euo pipefail

build=$(realpath "$1")
here=$(dirname "$(realpath "$0")")

skip() {
  echo "skipped: $1"
  exit 77
}

if [ "${2-}" != inside ]; then
  [ "$(id -u)" -eq 0 ] || skip "booting a systemd needs root"
  [ -x /lib/systemd/systemd ] || skip "systemd is not installed"
  findmnt -rno TARGET -t cgroup2 > /dev/null || skip "no cgroup version 2 tree is mounted"
  why=$(unshare --mount --pid --uts --ipc --net --cgroup --fork --propagation private \
    mount -t tmpfs probe /mnt 2>&1) || skip "no namespaces of its own: $why"
  # All mounts below end with this mount namespace.
  exec unshare --mount --propagation private "$0" "$build" inside
fi

# shellcheck source=tests/systemd/machine.sh
. "$here/machine.sh"
folder=$(mktemp -d)
clean_up() {
  machine_destroy
  umount -l "$folder/disk" || true
  rm -rf "$folder"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $1" >&2
  machine_run systemctl status traind --no-pager -l >&2 || true
  machine_run journalctl -b -u traind --no-pager -n 60 >&2 || true
  exit 1
}

# until_true SECONDS WHAT COMMAND...: polls.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt "$deadline" ] || fail "not within the time given: $what"
    sleep 0.1
  done
  echo "ok: $what"
}

property() { machine_run systemctl show --value -p "$1" traind; }
trainctl() { machine_run trainctl "$@"; }
# The run's step and state, as `status --json` tells them.
told_by_status() {
  trainctl --json status 2> /dev/null |
    /usr/bin/python3 -c "import json, sys; told = json.load(sys.stdin); print($1)" 2> /dev/null
}
step() { told_by_status '(told["progress"] or told["run"])["step"]'; }
in_state() { [ "$(told_by_status 'told["run"]["state"]')" = "$1" ]; }
runs() { in_state running; }
beyond() { runs && [ "$(step)" -gt "$1" ]; }
answers() { trainctl version > /dev/null 2>&1; }
told() { machine_run systemctl status traind --no-pager | grep -q 'Status: .*epoch'; }
restarted() { [ "$(property NRestarts)" -gt "$1" ] && answers; }

echo "-- the disk"
mkdir "$folder/disk"
machine_create "$folder/disk"
DESTDIR=$machine_root cmake --install "$build" --prefix /usr > "$folder/install.log"
# A credential is read where systemd looks for it, and nowhere told.
mkdir -p "$machine_root/etc/credstore" "$machine_root/srv/run"
install -m 600 /dev/stdin "$machine_root/etc/credstore/traind.smtp-password" <<< "canary-7f3a"
# The shipped 60 s are for people; a test need not wait so long.
mkdir -p "$machine_root/etc/systemd/system/traind.service.d"
printf '[Service]\nWatchdogSec=5\n' > "$machine_root/etc/systemd/system/traind.service.d/test.conf"
for word in {a..m}{n..z}{a..m}; do echo "$word $word"$'\t'"$word"; done > "$machine_root/srv/run/swap.tsv"
cat > "$machine_root/srv/run/swap.toml" << 'RUN'
name = "swap"
[data]
train = "swap.tsv"
[model]
layers = 1
hidden = 128
[train]
epochs = 100000
batch_size = 16
threads = 1
[checkpoint]
every_batches = 50
[report]
every_batches = 1000
RUN

echo "-- first boot"
machine_start
machine_run systemd-sysusers
machine_run systemd-tmpfiles --create
machine_run systemctl enable --now traind || fail "the unit does not start"
answers || fail "systemd was told READY=1 before the socket answers"
[ "$(machine_run stat -c '%a %U:%G' /run/traind/traind.sock)" = "660 traind:traind" ] ||
  fail "the socket is not for the group alone"
machine_run test -e /run/credentials/traind.service/traind.smtp-password ||
  fail "the unit has no credential"
trainctl start /srv/run/swap.toml || fail "the run was refused"
until_true 30 "the run trains" beyond 0
until_true 10 "systemctl status tells the epoch" told

echo "-- kill -9"
before=$(step)
machine_run systemctl kill --signal=KILL --kill-who=main traind
until_true 15 "systemd starts it again" restarted 0
until_true 30 "the run goes on" beyond "$before"

echo "-- a hang"
count=$(property NRestarts)
machine_run systemctl kill --signal=STOP --kill-who=main traind
until_true 30 "the watchdog starts it again" restarted "$count"
until_true 30 "the run goes on" beyond 0

echo "-- stop and start"
before=$(step)
begin=$SECONDS
machine_run systemctl stop traind
[ $((SECONDS - begin)) -le 10 ] || fail "the stop took $((SECONDS - begin)) s"
[ "$(property Result)" = success ] || fail "the stop did not end well: $(property Result)"
saved=$(find "$machine_state/runs" -name 'checkpoint-*.safetensors' | sort | tail -n 1)
saved=$((10#$(basename "$saved" .safetensors | tr -dc 0-9)))
[ "$saved" -ge "$before" ] || fail "step $before was reached, but only $saved saved"
machine_run systemctl start traind
until_true 30 "the run goes on from step $saved" beyond "$saved"

echo "-- the power goes"
before=$(step)
machine_cut
machine_start
until_true 15 "traind starts with the machine" answers
until_true 30 "the run goes on" beyond "$before"

echo "-- what was told"
if machine_run journalctl --no-pager | grep -q canary-7f3a; then fail "the password is in the journal"; fi
if grep -rqs canary-7f3a "$machine_state"; then fail "the password is in the state folder"; fi
trainctl stop
until_true 20 "the run is stopped" in_state stopped
