#!/usr/bin/env bash
# Boots a real systemd, installs the build in it, and holds traind.service to what it promises:
# ready when it says so, its own user without a capability, a STATUS line, back after kill -9 and
# after a hang, a worker that the kernel kills for memory, a quick and durable stop, a run that goes
# on after the power went and ends as an undisturbed one, a crash loop and a wrong configuration that
# systemd does not take part in, and a password that is nowhere but in its credential.
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
reference=
clean_up() {
  [ -z "$reference" ] || kill "$reference" 2> /dev/null || true
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
  echo "ok: $what (at $SECONDS s)"
}

property() { machine_run systemctl show --value -p "$1" traind; }
trainctl() { machine_run trainctl "$@"; }
# What `status --json` tells, as an expression in Python.
told_by_status() {
  trainctl --json status 2> /dev/null |
    /usr/bin/python3 -c "import json, sys; told = json.load(sys.stdin); print($1)" 2> /dev/null
}
step() { told_by_status '(told["progress"] or told["run"])["step"]'; }
reason() { told_by_status 'told["run"]["reason"]'; }
in_state() { [ "$(told_by_status 'told["run"]["state"]')" = "$1" ]; }
beyond() { in_state running && [ "$(step)" -gt "$1" ]; }
answers() { trainctl version > /dev/null 2>&1; }
told() { machine_run systemctl status traind --no-pager | grep -q 'Status: .*epoch'; }
restarted() { [ "$(property NRestarts)" -gt "$1" ] && answers; }
# The process that trains, as the machine numbers it.
worker() { machine_run pgrep -n -P "$(property MainPID)" -f 'traind-worker run'; }
has_worker() { worker > /dev/null; }
# What is saved, as a step.
saved() {
  local newest
  newest=$(find "$machine_state/runs" -name 'checkpoint-*.safetensors' | sort | tail -n 1)
  echo $((10#$(basename "$newest" .safetensors | tr -dc 0-9)))
}
start_mail_server() {
  machine_run /usr/bin/python3 /srv/smtp_server.py --folder /srv/inbox --port 2525 --user bot \
    --password "$canary" --certificate /srv/server.pem --key /srv/server.key \
    < /dev/null > "$folder/smtp.log" 2>&1 &
  until_true 15 "the mail server listens" grep -qs listening "$folder/smtp.log"
}

canary='canary-7f3a91d2'
# shellcheck source=tests/systemd/scenes.sh
. "$here/scenes.sh"

prepare_disk
undisturbed_run
first_boot
own_user
kill_daemon
hang_daemon
starve_worker
stop_and_start
cut_power
crash_loop
wrong_configuration
end_of_run
what_was_told
