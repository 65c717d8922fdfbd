#!/usr/bin/env bash
# The installed traind.toml is true: it works as it is, it works with every line switched on, and
# it names each key that traind knows and no other.
#   tests/systemd/example_config.sh TRAIND WORKER TRAIND.TOML
set -euo pipefail

traind=$1 worker=$2 example=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$traind" --config "$example" --check-config
sed -e 's/^#\([a-z_]* =\)/\1/' -e "s|^program = .*|program = \"$worker\"|" "$example" \
  > "$folder/traind.toml"
"$traind" --config "$folder/traind.toml" --check-config

keys() { sed -n 's/^\([a-z_]*\) = .*/\1/p' | sort; }
diff <(keys < "$folder/traind.toml") \
  <("$traind" --config "$folder/traind.toml" --print-config | keys)
