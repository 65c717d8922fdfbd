#!/usr/bin/env bash
# What `systemd-analyze security` says of the staged unit, from 0 (shut) to 10 (open): 1.5 or better
# as it is, 2.0 or better with the drop-in for a GPU, and not if a line of it were missing.
#   tests/systemd/exposure.sh STAGE DROP-IN
set -euo pipefail

stage=$1 drop_in=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unit=$folder/traind.service
cp "$stage/lib/systemd/system/traind.service" "$unit"

# at_most TENTHS
at_most() {
  systemd-analyze security --offline=true --threshold="$1" --no-pager "$unit" > "$folder/told" 2>&1
}
fail() {
  echo "FAILED: $1"
  grep -e ✗ -e exposure "$folder/told"
  exit 1
}
score() { echo "$1: $(sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p' "$folder/told")"; }

at_most 15 || fail "the unit"
score "on the CPU"
mkdir "$unit.d"
cp "$drop_in" "$unit.d"
at_most 20 || fail "the unit with the drop-in for a GPU"
score "with a GPU"
if at_most 15; then fail "the drop-in opens nothing: is it read at all?"; fi
rm -r "$unit.d"

for line in CapabilityBoundingSet= ProtectSystem=strict NoNewPrivileges=yes SystemCallFilter=~@priv; do
  sed -i.whole "/^$line/d" "$unit"
  if at_most 15; then fail "$line is missing, and nobody minds"; fi
  mv "$unit.whole" "$unit"
done

# The drop-in is there where the plug-in is.
plugin=$(find "$stage" -name libtraind_cuda.so)
installed=$(find "$stage" -path '*/traind.service.d/cuda.conf')
if [ -n "$plugin" ] && [ -z "$installed" ]; then fail "the plug-in comes without its drop-in"; fi
if [ -z "$plugin" ] && [ -n "$installed" ]; then fail "a drop-in for a GPU without the plug-in"; fi
