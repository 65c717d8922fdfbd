# shellcheck shell=bash
# What boot.sh does to the unit, one function a scene, in this order. To be sourced by it.

prepare_disk() {
  echo "-- the disk"
  mkdir "$folder/disk"
  machine_create "$folder/disk"
  DESTDIR=$machine_root cmake --install "$build" --prefix /usr > "$folder/install.log"
  # A credential is read where systemd looks for it, and nowhere told.
  mkdir -p "$machine_root/etc/credstore" "$machine_root/srv/run"
  install -m 600 /dev/stdin "$machine_root/etc/credstore/traind.smtp-password" <<< "$canary"
  # The shipped 60 s are for people; a test need not wait so long.
  mkdir -p "$machine_root/etc/systemd/system/traind.service.d"
  printf '[Service]\nWatchdogSec=5\n' > "$machine_root/etc/systemd/system/traind.service.d/test.conf"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$machine_root/srv/server.key" \
    -out "$machine_root/srv/server.pem" 2> /dev/null
  install -m 644 "$here/../notifier/smtp_server.py" "$machine_root/srv"
  cat > "$machine_root/etc/traind/traind.toml" << 'CONFIG'
[mail]
transport = "smtp"
host = "localhost"
port = 2525
user = "bot"
ca_file = "/srv/server.pem"
from = "traind@example.org"
to = ["me@example.org"]
every_epoch = false
retry_first_seconds = 0.1
retry_longest_seconds = 1
[worker]
restart_delay_seconds = 0.05
longest_restart_delay_seconds = 0.2
CONFIG
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
}

# The same run, from the same files, by a worker alone and for as long as everything below takes: at
# the end of each epoch it says the digest of its weights.
undisturbed_run() {
  setpriv --pdeathsig KILL "$build/model/worker/traind-worker" train "$machine_root/srv/run/swap.toml" \
    --folder "$folder/reference" > "$folder/reference.log" 2>&1 &
  reference=$!
}

first_boot() {
  echo "-- first boot"
  machine_start
  start_mail_server
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
}

own_user() {
  echo "-- who they are"
  local user pid status where
  user=$(machine_run id -u traind)
  for pid in "$(property MainPID)" "$(worker)"; do
    status=$(machine_run cat "/proc/$pid/status")
    [ "$(sed -n 's/^Uid:\t//p' <<< "$status")" = "$user"$'\t'"$user"$'\t'"$user"$'\t'"$user" ] ||
      fail "process $pid is not traind's: $(grep Uid <<< "$status")"
    [ "$(grep -c '^Cap...:.0*$' <<< "$status")" = 5 ] ||
      fail "process $pid has capabilities: $(grep ^Cap <<< "$status")"
    [ "$(grep -cx -e 'NoNewPrivs:.1' -e 'Seccomp:.2' <<< "$status")" = 2 ] ||
      fail "process $pid could win privileges, or calls what it likes"
    [ "$(machine_run sed -n 's/^Max core file size *//p' "/proc/$pid/limits" | tr -s ' ')" = "0 0 bytes " ] ||
      fail "process $pid would leave a core"
  done
  # Where systemd lets them write.
  for where in / /etc /usr /home /srv /var/lib /var/log; do
    if machine_run nsenter -m -t "$(worker)" touch "$where/traind-was-here" 2> /dev/null; then
      fail "not even root should be able to write to $where there"
    fi
  done
  machine_run nsenter -m -t "$(worker)" touch /var/lib/traind/was-here || fail "nor to its own folder"
}

kill_daemon() {
  echo "-- kill -9"
  local before
  before=$(step)
  machine_run systemctl kill --signal=KILL --kill-who=main traind
  until_true 15 "systemd starts it again" restarted 0
  until_true 30 "the run goes on" beyond "$before"
}

hang_daemon() {
  echo "-- a hang"
  local count
  count=$(property NRestarts)
  machine_run systemctl kill --signal=STOP --kill-who=main traind
  until_true 30 "the watchdog starts it again" restarted "$count"
  until_true 30 "the run goes on" beyond 0
}

# The unit gets a limit, and another process in it eats until the kernel takes somebody.
starve_worker() {
  echo "-- MemoryMax"
  if [ -z "$machine_memory" ]; then
    echo "left out: systemd cannot limit memory here"
    return
  fi
  local before count daemon kept victim
  count=$(property NRestarts)
  daemon=$(property MainPID)
  victim=$(worker)
  before=$(step)
  kept=$(saved)
  machine_run systemctl set-property --runtime traind MemoryMax=256M
  # It may itself be taken, after the worker.
  machine_run /usr/bin/python3 - 400 "$machine_memory$(property ControlGroup)" "$victim" \
    < "$here/../faults/memory_hog.py" 2> "$folder/hog.log" || cat "$folder/hog.log"
  until_true 15 "the worker is started again" has_new_worker "$victim"
  [ "$(property MainPID) $(property NRestarts)" = "$daemon $count" ] || fail "the daemon died with it"
  until_true 30 "the run goes on" beyond "$before"
  machine_run journalctl -b -u traind --no-pager | grep -q 'Killed): the kernel was out of memory' ||
    fail "nobody says what the worker died of"
  [ "$(saved)" -ge "$kept" ] || fail "what was saved is gone"
  machine_run systemctl set-property --runtime traind MemoryMax=infinity
}
has_new_worker() { has_worker && [ "$(worker)" != "$1" ]; }

stop_and_start() {
  echo "-- stop and start"
  local before begin kept
  before=$(step)
  begin=$SECONDS
  machine_run systemctl stop traind
  [ $((SECONDS - begin)) -le 10 ] || fail "the stop took $((SECONDS - begin)) s"
  [ "$(property Result)" = success ] || fail "the stop did not end well: $(property Result)"
  kept=$(saved)
  [ "$kept" -ge "$before" ] || fail "step $before was reached, but only $kept saved"
  machine_run systemctl start traind
  until_true 30 "the run goes on from step $kept" beyond "$kept"
}

cut_power() {
  echo "-- the power goes"
  local before
  before=$(step)
  machine_cut
  machine_start
  start_mail_server
  until_true 15 "traind starts with the machine" answers
  until_true 30 "the run goes on" beyond "$before"
}

# The worker's trouble is the daemon's to count, and not systemd's.
crash_loop() {
  echo "-- workers that crash again and again"
  local program=$machine_root/usr/libexec/traind/traind-worker daemon
  daemon=$(property MainPID)
  mv "$program" "$program.good"
  install -m 755 /dev/stdin "$program" <<< $'#!/bin/sh\nkill -SEGV $$'
  machine_run kill -9 "$(worker)"
  until_true 20 "the run has failed" in_state failed
  reason | grep -q 'given up after 5 restarts' || fail "it does not say why: $(reason)"
  [ "$(property MainPID) $(property NRestarts) $(property Result)" = "$daemon 0 success" ] ||
    fail "systemd has counted it"
  mv "$program.good" "$program"
  trainctl resume swap || fail "it is not resumed"
  until_true 30 "the run goes on" beyond 0
}

wrong_configuration() {
  echo "-- a wrong configuration"
  local config=$machine_root/etc/traind/traind.toml
  local drop_in=$machine_root/etc/systemd/system/traind.service.d/restarts.conf
  cp "$config" "$config.good"
  echo "[nonsense]" >> "$config"
  if machine_run systemctl restart traind 2> /dev/null; then fail "nonsense is a configuration"; fi
  [ "$(property ExecMainStatus) $(property SubState) $(property NRestarts)" = "78 failed 0" ] ||
    fail "it is tried again: $(property ExecMainStatus) $(property SubState) $(property NRestarts)"
  # A unit without this line would be found out by that.
  printf '[Service]\nRestartPreventExitStatus=\n' > "$drop_in"
  machine_run systemctl daemon-reload
  machine_run systemctl restart traind 2> /dev/null || true
  [ "$(property SubState)" = auto-restart ] || fail "what else does not restart it?"
  rm "$drop_in"
  mv "$config.good" "$config"
  machine_run systemctl daemon-reload
  machine_run systemctl stop traind
  machine_run systemctl reset-failed traind 2> /dev/null || true
  machine_run systemctl start traind || fail "it does not start with the right one"
  until_true 30 "the run goes on" beyond 0
}

# All that was done to it has not changed a bit of what it has learnt.
end_of_run() {
  echo "-- the end"
  local epoch digest step
  trainctl stop --wait
  epoch=$(($(told_by_status 'told["run"]["epoch"]') + 1))
  trainctl resume swap --epochs "$epoch" || fail "it is not resumed"
  until_true 30 "the run is completed" in_state completed
  step=$(step)
  digest=$(told_by_status 'told["digest"]')
  [ -n "$digest" ] || fail "there is no digest"
  until_true 120 "the undisturbed run has come as far" \
    grep -q "^saved checkpoint-0*$step.safetensors, " "$folder/reference.log"
  grep -q "^saved checkpoint-0*$step.safetensors, digest $digest$" "$folder/reference.log" ||
    fail "digest $digest, and undisturbed: $(grep "checkpoint-0*$step" "$folder/reference.log")"
  echo "ok: after $epoch epochs, at step $step, both have digest $digest"
}

mails_sent() { [ "$(told_by_status 'told["mails_waiting"]')" = 0 ]; }
what_was_told() {
  echo "-- what was told"
  until_true 20 "the mails are sent" mails_sent
  grep -q '"login", .*"right": true' "$machine_root/srv/inbox/events.jsonl" || fail "nobody logged in"
  /usr/bin/python3 "$here/../end_to_end/canary.py" "$canary" > "$folder/canary"
  machine_run journalctl --no-pager > "$folder/journal"
  machine_run systemctl show traind > "$folder/unit"
  trainctl --json status > "$folder/status"
  cat "/proc/$reference/cmdline" > /dev/null || fail "the undisturbed run has died"
  for where in "$folder/journal" "$folder/unit" "$folder/status" "$machine_state" \
    "$machine_root/srv/inbox" "$machine_root/var/log" "$machine_root/etc/traind"; do
    ! grep -rqsF -f "$folder/canary" "$where" || fail "the password is in $where"
  done
  grep -rqsF -f "$folder/canary" "$machine_root/etc/credstore" || fail "it is not found where it is"
}
