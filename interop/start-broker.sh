#!/usr/bin/env bash
# Becomes the broker: start-broker.sh DATA STOMP_PORT AUTO_PORT WEBSOCKET_PORT [SETTINGS]. The process id is the broker's.
# SETTINGS is a file with further sections of the configuration.
set -euo pipefail
data=$1 stomp=$2 auto=$3 websocket=$4
mkdir -p "$data"
cat >"$data.toml" <<TOML
[stomp]
bind = "127.0.0.1:$stomp"
[auto]
bind = "127.0.0.1:$auto"
[websocket]
bind = "127.0.0.1:$websocket"
TOML
if [ -n "${5:-}" ]; then
  cat "$5" >>"$data.toml"
fi
exec "$FERRYMQ_BIN" run --config "$data.toml" --data "$data"
