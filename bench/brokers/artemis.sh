#!/usr/bin/env bash
# Becomes Artemis: artemis.sh DATA STOMP_PORT OPENWIRE_PORT. The instance is the one that its own `create` makes, reduced to one acceptor
# for OpenWire and one for STOMP in which /queue/ and /topic/ mean what they mean elsewhere.
set -euo pipefail
data=${1:?data directory} port=${2:?STOMP port} openwire=${3:?OpenWire port}
version=2.56.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ferrymq-bench
home=$cache/apache-artemis-$version
if [ ! -x "$home/bin/artemis" ]; then
  mvn --quiet --batch-mode dependency:unpack -Dartifact="org.apache.artemis:apache-artemis:$version:tar.gz:bin" -DoutputDirectory="$cache" >&2
fi
if [ ! -e "$data/bin/artemis" ]; then
  journal=--nio
  if ldconfig -p | grep -q 'libaio\.so\.1 '; then journal=--aio; fi
  "$home/bin/artemis" create "$data" --silent --user bench --password bench --allow-anonymous --host 127.0.0.1 \
    --default-port "$port" --no-web --no-amqp-acceptor --no-hornetq-acceptor --no-mqtt-acceptor --no-stomp-acceptor $journal >&2
  prefixes='protocols=STOMP;anycastPrefix=/queue/;multicastPrefix=/topic/'
  sed -i "s|\(127.0.0.1:$port?\)|\1$prefixes;|; s|protocols=CORE,AMQP,STOMP,HORNETQ,MQTT,OPENWIRE||" "$data/etc/broker.xml"
  acceptor="<acceptor name=\"openwire\">tcp://127.0.0.1:$openwire?tcpSendBufferSize=1048576;tcpReceiveBufferSize=1048576;protocols=OPENWIRE</acceptor>"
  sed -i "s|</acceptors>|$acceptor</acceptors>|" "$data/etc/broker.xml"
  sed -i "s|-Xms[0-9]*[MmGg] -Xmx[0-9]*[MmGg]|-Xms${HEAP:-2g} -Xmx${HEAP:-2g}|" "$data/etc/artemis.profile"
fi
exec "$data/bin/artemis" run
