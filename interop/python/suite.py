"""stomp.py against a running broker. Run by `cargo xtask interop`; ends with 'N passed, N failed'."""

import signal
import socket
import sys
import time
import traceback
import uuid

import stomp

from broker import Broker, wait_until

TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Ears(stomp.ConnectionListener):
    """Keeps everything that a connection hears."""

    def __init__(self):
        self.messages, self.receipts, self.errors = [], [], []
        self.lost_heartbeat = self.disconnected = False

    def on_message(self, frame):
        self.messages.append(frame)

    def on_receipt(self, frame):
        self.receipts.append(frame.headers["receipt-id"])

    def on_error(self, frame):
        self.errors.append(frame)

    def on_heartbeat_timeout(self):
        self.lost_heartbeat = True

    def on_disconnected(self):
        self.disconnected = True


class Client:
    """A connection of stomp.py with its ears; every request that can is confirmed by a receipt."""

    KINDS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}

    def __init__(self, broker, version="1.2", client_id=None, decode=True, heartbeats=(0, 0), port=None):
        self.ears = Ears()
        options = {"auto_decode": decode}
        if version != "1.0":
            options["heartbeats"] = heartbeats
        where = [("127.0.0.1", port or broker.stomp)]
        self.connection = self.KINDS[version](where, reconnect_attempts_max=1, **options)
        self.connection.set_listener("ears", self.ears)
        headers = {"client-id": client_id} if client_id else {}
        self.connection.connect(wait=True, headers=headers)

    def confirmed(self, request):
        receipt = str(uuid.uuid4())
        request(receipt)
        wait_until(lambda: receipt in self.ears.receipts or self.ears.errors, "a receipt")
        assert receipt in self.ears.receipts, f"refused: {self.ears.errors[0].body}"

    def send(self, destination, body, persistent=True, transaction=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if persistent:
            headers["persistent"] = "true"
        if transaction:
            headers["transaction"] = transaction
            self.connection.send(destination, body, headers=headers)
        else:
            self.confirmed(lambda receipt: self.connection.send(destination, body, headers={**headers, "receipt": receipt}))

    def subscribe(self, destination, ack="auto", id="1", **headers):
        headers = {name.replace("__", ".").replace("_", "-"): value for name, value in headers.items()}
        self.confirmed(
            lambda receipt: self.connection.subscribe(destination, id, ack=ack, headers={**headers, "receipt": receipt})
        )

    def messages(self, count):
        wait_until(lambda: len(self.ears.messages) >= count, f"{count} messages")
        assert len(self.ears.messages) == count, f"{len(self.ears.messages)} messages instead of {count}"
        taken, self.ears.messages = self.ears.messages, []
        return taken

    def bodies(self, count):
        return [message.body for message in self.messages(count)]

    def ack(self, message):
        self.confirmed(lambda receipt: self.connection.ack(message.headers["ack"], receipt=receipt))

    def nack(self, message):
        self.confirmed(lambda receipt: self.connection.nack(message.headers["ack"], receipt=receipt))

    def close(self):
        if self.connection.is_connected():
            self.confirmed(lambda receipt: self.connection.disconnect(receipt=receipt))


def fresh(kind="queue"):
    return f"/{kind}/interop.{uuid.uuid4().hex}"


@test
def text_round_trip_in_every_version(broker):
    for version in ("1.0", "1.1", "1.2"):
        queue, client = fresh(), Client(broker, version)
        client.subscribe(queue)
        client.send(queue, "naïve ☃ text\nwith lines", correlation_id="a-1", **{"own": "value"})
        [message] = client.messages(1)
        assert message.body == "naïve ☃ text\nwith lines", message.body
        assert message.headers["own"] == "value"
        assert message.headers["correlation-id"] == "a-1"
        assert message.headers["destination"] == queue
        client.close()


@test
def header_values_keep_colons_newlines_and_backslashes(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue)
    value = "a:b\\c\nd"
    client.send(queue, "x", odd=value)
    assert client.messages(1)[0].headers["odd"] == value
    client.close()


@test
def binary_round_trip(broker):
    queue, client = fresh(), Client(broker, decode=False)
    body = bytes(range(256)) * 300
    client.subscribe(queue)
    client.send(queue, body)
    [message] = client.messages(1)
    assert message.body == body
    assert int(message.headers["content-length"]) == len(body)
    client.close()


@test
def the_port_that_detects_the_protocol_speaks_stomp(broker):
    queue, client = fresh(), Client(broker, port=broker.auto)
    client.subscribe(queue)
    client.send(queue, "detected")
    assert client.bodies(1) == ["detected"]
    client.close()


@test
def order_is_kept_and_a_queue_shares(broker):
    queue = fresh()
    one, two, producer = Client(broker), Client(broker), Client(broker)
    one.subscribe(queue, activemq__prefetchSize="1")
    two.subscribe(queue, activemq__prefetchSize="1")
    for number in range(100):
        producer.send(queue, str(number))
    wait_until(lambda: len(one.ears.messages) + len(two.ears.messages) == 100, "all messages")
    shares = [[int(message.body) for message in client.ears.messages] for client in (one, two)]
    assert all(shares) and all(share == sorted(share) for share in shares), shares
    assert sorted(shares[0] + shares[1]) == list(range(100))
    for client in (one, two, producer):
        client.close()


@test
def a_topic_reaches_every_subscriber_and_wildcards_match(broker):
    base = f"interop.{uuid.uuid4().hex}"
    exact, star, all_below, producer = (Client(broker) for _ in range(4))
    exact.subscribe(f"/topic/{base}.a.b")
    star.subscribe(f"/topic/{base}.*.b")
    all_below.subscribe(f"/topic/{base}.>")
    producer.send(f"/topic/{base}.a.b", "deep")
    producer.send(f"/topic/{base}.c", "shallow")
    assert exact.bodies(1) == ["deep"]
    assert star.bodies(1) == ["deep"]
    assert all_below.bodies(2) == ["deep", "shallow"]
    for client in (exact, star, all_below, producer):
        client.close()


@test
def persistent_messages_survive_sigkill(broker):
    queue, producer = fresh(), Client(broker)
    for number in range(50):
        producer.send(queue, str(number))
    broker.restart(signal.SIGKILL)
    consumer = Client(broker)
    consumer.subscribe(queue)
    assert consumer.bodies(50) == [str(number) for number in range(50)]
    consumer.close()


@test
def a_shared_subscription_gives_each_message_to_one_consumer(broker):
    topic, name = fresh("topic"), uuid.uuid4().hex
    shared = {"activemq__sharedSubscriptionName": name}
    one, two, producer = Client(broker), Client(broker), Client(broker)
    one.subscribe(topic, **shared)
    two.subscribe(topic, **shared)
    for body in ("a", "b", "c", "d"):
        producer.send(topic, body)
    assert sorted(one.bodies(2) + two.bodies(2)) == ["a", "b", "c", "d"]
    for client in (one, two, producer):
        client.close()


@test
def a_shared_durable_subscription_keeps_what_comes_meanwhile(broker):
    topic, name = fresh("topic"), uuid.uuid4().hex
    shared = {"activemq__sharedSubscriptionName": name, "activemq__durable": "true"}
    first, producer = Client(broker), Client(broker)
    first.subscribe(topic, **shared)
    first.close()
    producer.send(topic, "while away")
    broker.restart(signal.SIGKILL)
    one, two = Client(broker), Client(broker)
    one.subscribe(topic, **shared)
    assert one.bodies(1) == ["while away"]
    two.subscribe(topic, **shared)
    for client in (one, two):
        client.close()


@test
def a_virtual_topic_has_a_queue_for_each_group(broker):
    name = "VirtualTopic." + uuid.uuid4().hex
    groups = [Client(broker), Client(broker)]
    for number, group in enumerate(groups):
        group.subscribe(f"/queue/Consumer.{number}.{name}")
    producer = Client(broker)
    producer.send(f"/topic/{name}", "to everyone")
    for number, group in enumerate(groups):
        message = group.messages(1)[0]
        assert message.body == "to everyone"
        assert message.headers["destination"] == f"/queue/Consumer.{number}.{name}"
        assert message.headers["original-destination"] == f"/topic/{name}"
        group.close()
    producer.close()


@test
def advisories_tell_of_consumers(broker):
    queue = fresh("queue")
    watcher, consumer = Client(broker), Client(broker)
    watcher.subscribe("/topic/ActiveMQ.Advisory.Consumer.Queue." + queue.removeprefix("/queue/"))
    consumer.subscribe(queue)
    came = watcher.messages(1)[0]
    assert came.headers["consumerCount"] == "1" and '{"ConsumerInfo":' in came.body, came
    consumer.close()
    gone = watcher.messages(1)[0]
    assert gone.headers["consumerCount"] == "0" and '{"RemoveInfo":' in gone.body, gone
    watcher.close()


@test
def a_durable_subscription_outlives_restarts(broker):
    topic, name = fresh("topic"), uuid.uuid4().hex
    durable = {"activemq__subscriptionName": name}
    subscriber = Client(broker, client_id=name)
    subscriber.subscribe(topic, ack="client-individual", **durable)
    subscriber.close()
    producer = Client(broker)
    producer.send(topic, "while away")
    broker.restart(signal.SIGTERM)
    producer = Client(broker)
    producer.send(topic, "after a restart")
    broker.restart(signal.SIGKILL)
    subscriber = Client(broker, client_id=name)
    subscriber.subscribe(topic, ack="client-individual", **durable)
    messages = subscriber.messages(2)
    assert [message.body for message in messages] == ["while away", "after a restart"]
    for message in messages:
        subscriber.ack(message)
    subscriber.close()
    broker.restart(signal.SIGKILL)
    subscriber, producer = Client(broker, client_id=name), Client(broker)
    subscriber.subscribe(topic, ack="client-individual", **durable)
    producer.send(topic, "last")
    assert subscriber.bodies(1) == ["last"], "what was acknowledged stays away"
    subscriber.close()
    producer.close()


@test
def a_transaction_commits_whole_or_not_at_all(broker):
    queue, client, consumer = fresh(), Client(broker), Client(broker)
    consumer.subscribe(queue)
    aborted = client.connection.begin()
    client.send(queue, "never", transaction=aborted)
    client.confirmed(lambda receipt: client.connection.abort(aborted, headers={"receipt": receipt}))
    committed = client.connection.begin()
    client.send(queue, "one", transaction=committed)
    client.send(queue, "two", transaction=committed)
    client.send(queue, "outside")
    assert consumer.bodies(1) == ["outside"], "nothing of an open transaction is seen"
    client.confirmed(lambda receipt: client.connection.commit(committed, headers={"receipt": receipt}))
    assert consumer.bodies(2) == ["one", "two"]
    client.close()
    consumer.close()


@test
def an_acknowledgement_in_an_aborted_transaction_did_not_happen(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue, ack="client-individual")
    client.send(queue, "again")
    [message] = client.messages(1)
    transaction = client.connection.begin()
    client.connection.ack(message.headers["ack"], transaction=transaction)
    client.confirmed(lambda receipt: client.connection.abort(transaction, headers={"receipt": receipt}))
    client.close()
    other = Client(broker)
    other.subscribe(queue)
    [message] = other.messages(1)
    assert message.body == "again" and message.headers["redelivered"] == "true", message.headers
    other.close()


@test
def a_selector_chooses(broker):
    queue, client, producer = fresh(), Client(broker), Client(broker)
    client.subscribe(queue, selector="colour = 'red' AND size BETWEEN 2 AND 4 AND name LIKE 'a%'")
    for colour, size, name in (("red", 1, "ab"), ("red", 3, "ab"), ("blue", 3, "ab"), ("red", 3, "b"), ("red", 4, "a")):
        producer.send(queue, f"{colour} {size} {name}", colour=colour, size=size, name=name)
    assert client.bodies(2) == ["red 3 ab", "red 4 a"]
    rest = Client(broker)
    rest.subscribe(queue)
    assert rest.bodies(3) == ["red 1 ab", "blue 3 ab", "red 3 b"]
    for each in (client, producer, rest):
        each.close()


@test
def nack_sends_to_the_dead_letter_queue(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue, ack="client-individual")
    client.send(queue, "poison", mark="m-1")
    [message] = client.messages(1)
    client.nack(message)
    dead = Client(broker)
    dead.subscribe("/queue/ActiveMQ.DLQ", selector="mark = 'm-1'")
    [letter] = dead.messages(1)
    assert letter.body == "poison" and letter.headers["mark"] == "m-1"
    assert queue.removeprefix("/queue/") in letter.headers.get("original-destination", ""), letter.headers
    client.close()
    dead.close()


@test
def what_was_not_acknowledged_comes_again_marked(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue, ack="client-individual")
    for number in range(3):
        client.send(queue, str(number))
    messages = client.messages(3)
    assert all(message.headers.get("redelivered", "false") == "false" for message in messages)
    client.ack(messages[1])
    client.close()
    other = Client(broker)
    other.subscribe(queue)
    messages = other.messages(2)
    assert [(message.body, message.headers.get("redelivered")) for message in messages] == [("0", "true"), ("2", "true")]
    other.close()


@test
def cumulative_acknowledgement_covers_all_before(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue, ack="client")
    for number in range(5):
        client.send(queue, str(number))
    client.ack(client.messages(5)[3])
    client.close()
    other = Client(broker)
    other.subscribe(queue)
    assert other.bodies(1) == ["4"]
    other.close()


@test
def a_request_is_answered_over_a_temporary_queue(broker):
    service, asker, answerer = fresh(), Client(broker), Client(broker)
    asker.subscribe("/temp-queue/answers")
    answerer.subscribe(service)
    asker.send(service, "question", persistent=False, reply_to="/temp-queue/answers", correlation_id="c-7")
    [request] = answerer.messages(1)
    answerer.send(request.headers["reply-to"], "answer", persistent=False, correlation_id=request.headers["correlation-id"])
    [answer] = asker.messages(1)
    assert answer.body == "answer" and answer.headers["correlation-id"] == "c-7"
    asker.close()
    answerer.close()


@test
def browsing_takes_nothing(broker):
    queue, client = fresh(), Client(broker)
    client.send(queue, "one")
    client.send(queue, "two")
    client.subscribe(queue, browser="true")
    wait_until(lambda: any(m.headers.get("browser") == "end" for m in client.ears.messages), "the end of browsing")
    assert [m.body for m in client.ears.messages if m.headers.get("browser") != "end"] == ["one", "two"]
    other = Client(broker)
    other.subscribe(queue)
    assert other.bodies(2) == ["one", "two"]
    client.close()
    other.close()


@test
def a_client_notices_a_broker_that_fell_silent(broker):
    client = Client(broker, heartbeats=(300, 300))
    broker.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: client.ears.lost_heartbeat, "the lost heart-beat")
    finally:
        broker.send_signal(signal.SIGCONT)
    wait_until(lambda: client.ears.disconnected, "the connection ends")


@test
def the_broker_notices_a_client_that_fell_silent(broker):
    queue, watcher = fresh(), Client(broker)
    watcher.send(queue, "held")
    with socket.create_connection(("127.0.0.1", broker.stomp), 15) as silent:
        silent.sendall(b"CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:300,0\n\n\0")
        assert silent.recv(4096).startswith(b"CONNECTED")
        silent.sendall(f"SUBSCRIBE\nid:1\ndestination:{queue}\nack:client\n\n\0".encode())
        heard = b""
        while more := silent.recv(4096):
            heard += more
        assert b"held" in heard, "delivered before it fell silent"
    watcher.subscribe(queue)
    [message] = watcher.messages(1)
    assert message.headers["redelivered"] == "true", "what a silent client held comes back"
    watcher.close()


@test
def a_wrong_command_is_answered_with_an_error(broker):
    with socket.create_connection(("127.0.0.1", broker.stomp), 15) as wrong:
        wrong.sendall(b"CONNECT\naccept-version:1.2\nhost:localhost\n\n\0")
        assert wrong.recv(4096).startswith(b"CONNECTED")
        wrong.sendall(b"NONSENSE\nreceipt:r-1\n\n\0")
        heard = b""
        while b"\0" not in heard:
            more = wrong.recv(4096)
            assert more, "an ERROR frame before the end"
            heard += more
        assert heard.lstrip(b"\n").startswith(b"ERROR\n"), heard
    client = Client(broker)
    client.close()


MANAGEMENT = "/topic/ActiveMQ.Scheduler.Management"


def send_with(client, destination, body, headers):
    """Headers whose names have underscores of their own."""
    client.confirmed(lambda r: client.connection.send(destination, body, headers={**headers, "receipt": r}))


@test
def a_scheduled_message_repeats_and_is_never_early(broker):
    queue, client = fresh(), Client(broker)
    client.subscribe(queue)
    began = time.time()
    send_with(client, queue, "a", {"AMQ_SCHEDULED_DELAY": "400", "AMQ_SCHEDULED_PERIOD": "300", "AMQ_SCHEDULED_REPEAT": "2"})
    messages = client.messages(3)
    assert time.time() - began >= 1.0, "never early"
    assert len({message.headers["scheduledJobId"] for message in messages}) == 1
    assert len({message.headers["message-id"] for message in messages}) == 3
    assert not any(name.startswith("AMQ_SCHEDULED") for message in messages for name in message.headers)
    client.close()


@test
def a_delayed_message_survives_sigkill(broker):
    queue, producer = fresh(), Client(broker)
    send_with(producer, queue, "volatile", {"delivery-delay": "1500"})
    send_with(producer, queue, "durable", {"delivery-delay": "1500", "persistent": "true"})
    broker.restart(signal.SIGKILL)
    consumer = Client(broker)
    consumer.subscribe(queue)
    assert sorted(consumer.bodies(2)) == ["durable", "volatile"]
    consumer.close()


@test
def the_management_topic_browses_and_removes(broker):
    queue, answers, client = fresh(), fresh(), Client(broker)
    client.subscribe(answers)
    send_with(client, queue, "later", {"AMQ_SCHEDULED_CRON": "0 0 1 1 *", "persistent": "true"})
    send_with(client, MANAGEMENT, "", {"AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": answers})
    [job] = client.messages(1)
    assert (job.body, job.headers["AMQ_SCHEDULED_CRON"]) == ("later", "0 0 1 1 *")
    remove = {"AMQ_SCHEDULER_ACTION": "REMOVE", "scheduledJobId": job.headers["scheduledJobId"]}
    send_with(client, MANAGEMENT, "", remove)
    broker.restart(signal.SIGKILL)
    client = Client(broker)
    client.subscribe(answers)
    send_with(client, queue, "other", {"AMQ_SCHEDULED_DELAY": "3600000"})
    send_with(client, MANAGEMENT, "", {"AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": answers})
    assert client.bodies(1) == ["other"]
    send_with(client, MANAGEMENT, "", {"AMQ_SCHEDULER_ACTION": "REMOVEALL"})
    client.close()


@test
def a_schedule_that_is_none_is_refused(broker):
    client = Client(broker)
    client.connection.send(fresh(), "a", headers={"AMQ_SCHEDULED_CRON": "every day"})
    wait_until(lambda: client.ears.errors, "an error")
    assert "AMQ_SCHEDULED_CRON" in client.ears.errors[0].headers["message"]


def main():
    only = sys.argv[1:]
    passed = failed = 0
    broker = Broker()
    try:
        for function in TESTS:
            if only and not any(part in function.__name__ for part in only):
                continue
            try:
                if broker.process is None or broker.process.poll() is not None:
                    broker.start()
                function(broker)
                passed += 1
                print(f"ok   {function.__name__}", flush=True)
            except Exception:  # any failure is one failed test, told whole
                failed += 1
                print(f"FAIL {function.__name__}\n{traceback.format_exc()}", flush=True)
        if failed:
            print(broker.tail())
    finally:
        broker.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
