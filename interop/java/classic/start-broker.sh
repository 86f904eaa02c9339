#!/usr/bin/env bash
# Becomes ActiveMQ Classic 6, the oracle: start-broker.sh DATA STOMP_PORT AUTO_PORT WEBSOCKET_PORT. CLASSIC_JARS names a folder with its jars.
# TOPIC_HISTORY is how many past messages topics keep.
set -euo pipefail
data=$1 stomp=$2 auto=$3
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$data"
keeping=none
if [ -n "${TOPIC_HISTORY:-}" ]; then keeping='>'; fi
exec java -Xmx768m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dactivemq.data="$data" -Damq.port="$auto" -Damq.stompport="$stomp" \
  -Damq.history="${TOPIC_HISTORY:-1}" -Damq.history.topics="$keeping" \
  -cp "$CLASSIC_JARS:$CLASSIC_JARS/*" "$here/Start.java" "$here/activemq.xml"
