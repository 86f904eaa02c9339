#!/usr/bin/env bash
# Becomes ActiveMQ Classic: classic.sh DATA STOMP_PORT OPENWIRE_PORT.
set -euo pipefail
data=${1:?data directory} stomp=${2:?STOMP port} openwire=${3:?OpenWire port}
sources=$(cd "$(dirname "$0")/classic" && pwd)
jars=${XDG_CACHE_HOME:-$HOME/.cache}/ferrymq-bench/classic
if [ ! "$jars/Classic.class" -nt "$sources/Classic.java" ]; then
  mkdir -p "$jars"
  mvn --quiet --batch-mode --file "$sources/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" >&2
  javac -cp "$jars/*" -d "$jars" "$sources/Classic.java"
fi
mkdir -p "$data"
heap=${HEAP:-2g}
exec java -Xms"$heap" -Xmx"$heap" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars:$jars/*" Classic "$data" "$stomp" "$openwire"
