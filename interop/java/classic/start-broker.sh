#!/usr/bin/env bash
# Becomes ActiveMQ Classic 6, the oracle: start-broker.sh DATA STOMP_PORT AUTO_PORT WEBSOCKET_PORT [SETTINGS]. CLASSIC_JARS names a folder with
# its jars. SETTINGS is a file of ../settings: here its name tells what Classic calls the same.
set -euo pipefail
data=$1 stomp=$2 auto=$3
here=$(cd "$(dirname "$0")" && pwd)
refuses=false patience=0 policies=policies.xml
case "$(basename "${5:-}" .toml)" in
  refusing) refuses=true ;;
  patient) patience=1000 ;;
  keeping) policies=history.xml ;;
esac
mkdir -p "$data"
edits=(-e "s/@refuses@/$refuses/" -e "s/@patience@/$patience/")
if [ -n "${5:-}" ]; then
  edits+=(-e "/@policies@/r $here/$policies")
fi
sed "${edits[@]}" "$here/activemq.xml" >"$data.xml"
exec java -Xmx768m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dactivemq.data="$data" -Damq.port="$auto" -Damq.stompport="$stomp" \
  -cp "$CLASSIC_JARS:$CLASSIC_JARS/*" "$here/Start.java" "$data.xml"
