# shellcheck shell=bash
# A machine for tests: a real systemd as PID 1 in namespaces of its own, over a throw-away copy
# (overlay) of this machine's root. To be sourced by a script that has root and a mount namespace
# of its own, in which all mounts made here end with it.
#
#   machine_create FOLDER     lays out the disk under FOLDER (a tmpfs); sets $machine_root
#   machine_start             boots; waits until the boot is done
#   machine_run COMMAND...    runs a command inside
#   machine_cut               the power goes: every process is killed at once
#   $machine_memory           where inside the memory of units is limited; empty = it cannot be here
#
# The disk outlives a cut, as a disk does. /var/lib/traind is on the real disk, in FOLDER.state.

machine_create() {
  machine_folder=$1
  machine_root=$1/root
  machine_state=$1.state
  machine_pid=
  mkdir -p "$machine_state"
  mount -t tmpfs -o mode=755 machine "$machine_folder"
  mkdir "$machine_folder"/{upper,work,root}
  mount -t overlay machine "$machine_root" \
    -o "lowerdir=/,upperdir=$machine_folder/upper,workdir=$machine_folder/work"
  mkdir -p "$machine_root"/{proc,sys,dev,run,tmp,var/lib/traind}
  # The services of this machine are not the test's business.
  rm -rf "$machine_root"/etc/systemd/system/*.wants
  : > "$machine_root/etc/fstab"
  echo traind-test > "$machine_root/etc/hostname"
  ln -sf /dev/null "$machine_root/etc/systemd/system/console-getty.service"
  machine_choose_cgroups
  mkdir "${machine_cgroups[@]}"
}

# Cgroups of its own, wherever they are mounted here: in the version 2 tree, and where that cannot
# limit memory, in the hierarchies of version 1 that a systemd before 256 knows to use beside it.
machine_choose_cgroups() {
  local tree version hierarchy
  tree=$(findmnt -rno TARGET -t cgroup2 | head -n 1)
  machine_cgroups=("$tree/traind-test-$$")
  machine_memory=
  if grep -qw memory "$tree/cgroup.controllers"; then
    # Refused where this machine itself is in a cgroup that has processes.
    echo +memory > "$tree/cgroup.subtree_control" 2> /dev/null || true
    if grep -qw memory "$tree/cgroup.subtree_control"; then machine_memory=/sys/fs/cgroup; fi
    return
  fi
  version=$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
  [ "$version" -lt 256 ] || return 0
  for hierarchy in memory name=systemd; do
    tree=$(findmnt -rno TARGET -t cgroup -O "$hierarchy" | head -n 1)
    [ -n "$tree" ] || return 0
    machine_cgroups+=("$tree/traind-test-$$")
  done
  machine_memory=/sys/fs/cgroup/memory
}

machine_start() {
  (
    for cgroup in "${machine_cgroups[@]}"; do echo "$BASHPID" > "$cgroup/cgroup.procs"; done
    # It ends with us, however we end.
    exec setpriv --pdeathsig KILL setsid unshare --pid --mount --uts --ipc --net --cgroup --fork --kill-child \
      bash -c "$(declare -f machine_init machine_mount_cgroups)
        machine_init '$machine_root' '$machine_state' '$machine_memory'"
  ) < /dev/null > "$machine_folder/console" 2>&1 &
  machine_pid=$!
  local state=
  for _ in $(seq 300); do
    state=$(machine_run systemctl is-system-running 2> /dev/null) || true
    case $state in
      running | degraded) return 0 ;;
    esac
    sleep 0.1
  done
  echo "systemd did not boot (${state:-no answer}); its console:" >&2
  cat "$machine_folder/console" >&2
  return 1
}

# Runs in the new namespaces as PID 1, and becomes systemd.
machine_init() {
  set -eu
  local root=$1 state=$2 memory=$3 name
  mount --make-rprivate /
  mount --bind "$state" "$root/var/lib/traind"
  mount -t proc proc "$root/proc"
  # Without this the booting systemd would set this machine's own kernel parameters.
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,bind,ro "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  machine_mount_cgroups "$root/sys/fs/cgroup" "$memory"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
  mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
  for name in null zero full random urandom tty; do
    : > "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
  mount -t tmpfs tmpfs "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  # Not a link: a unit's ProtectKernelLogs= would lock up what it leads to.
  : > "$root/dev/kmsg"
  mount --bind /dev/null "$root/dev/kmsg"
  : > "$root/dev/console"
  mkdir "$root/run/old-root"
  cd "$root"
  pivot_root . run/old-root
  umount -l /run/old-root
  # As a booting systemd finds it: what it mounts for a service (credentials) reaches the service.
  mount --make-rshared /
  exec env -i container=traind-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target
}

# The version 2 tree alone, or the mixture that systemd calls hybrid.
machine_mount_cgroups() {
  local where=$1 memory=$2
  if [ "$memory" != /sys/fs/cgroup/memory ]; then
    mount -t cgroup2 cgroup2 "$where"
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs "$where"
  mkdir "$where"/{unified,systemd,memory}
  mount -t cgroup2 cgroup2 "$where/unified"
  mount -t cgroup -o none,name=systemd cgroup "$where/systemd"
  mount -t cgroup -o memory cgroup "$where/memory"
}

machine_run() {
  local init
  init=$(cat "/proc/$machine_pid/task/$machine_pid/children" 2> /dev/null) || true
  [ -n "$init" ] || return 1
  nsenter -t "${init%% *}" -m -p -u -i -n -C -- "$@"
}

machine_cut() {
  local init
  [ -n "$machine_pid" ] || return 0
  init=$(cat "/proc/$machine_pid/task/$machine_pid/children" 2> /dev/null) || true
  # The kernel kills whatever lives in the namespace of a dead PID 1.
  [ -z "$init" ] || kill -9 "${init%% *}" || true
  wait "$machine_pid" 2> /dev/null || true
  machine_pid=
}

machine_destroy() {
  machine_cut
  find "${machine_cgroups[@]}" -depth -type d -exec rmdir {} \; 2> /dev/null || true
}
