#!/usr/bin/env bash
# Becomes ActiveMQ Classic 6, the oracle: start-broker.sh DATA STOMP_PORT AUTO_PORT WEBSOCKET_PORT. CLASSIC_JARS names a folder with its jars.
set -euo pipefail
data=$1 stomp=$2 auto=$3
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$data"
exec java -Xmx768m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dactivemq.data="$data" -Damq.port="$auto" -Damq.stompport="$stomp" \
  -cp "$CLASSIC_JARS:$CLASSIC_JARS/*" "$here/Start.java" "$here/activemq.xml"
