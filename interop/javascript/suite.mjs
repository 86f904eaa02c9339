// @stomp/stompjs against a running broker, over WebSocket and over TCP. Run by `cargo xtask interop`; ends with
// 'N passed, N failed'.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Client as Stomp } from "@stomp/stompjs";
import { WebSocket } from "ws";
import { Broker, waitUntil } from "./broker.mjs";
import { TcpSocket } from "./tcp.mjs";

const transports = {
  websocket: (broker) => new WebSocket(`ws://127.0.0.1:${broker.websocket}/`, ["v12.stomp", "v11.stomp", "v10.stomp"]),
  tcp: (broker) => new TcpSocket(broker.stomp),
};

/** A connection of stompjs that keeps what it hears; every request that can is confirmed by a receipt. */
class Client {
  static async open(broker, transport, options = {}) {
    const client = new Client();
    client.heard = [];
    client.errors = [];
    client.closed = false;
    const { clientId, ...rest } = options;
    client.stomp = new Stomp({
      webSocketFactory: () => transports[transport](broker),
      connectHeaders: clientId ? { "client-id": clientId } : {},
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      onStompError: (frame) => client.errors.push(frame),
      onWebSocketClose: () => (client.closed = true),
      ...rest,
    });
    client.stomp.activate();
    await waitUntil(() => client.stomp.connected || client.errors.length || client.closed, "CONNECTED");
    assert.ok(client.stomp.connected, `refused: ${client.errors[0]?.headers.message}`);
    return client;
  }

  async confirmed(request) {
    const receipt = randomUUID();
    let confirmed = false;
    this.stomp.watchForReceipt(receipt, () => (confirmed = true));
    request(receipt);
    await waitUntil(() => confirmed || this.errors.length || this.closed, "a receipt");
    assert.ok(confirmed, `refused: ${this.errors[0]?.headers.message}`);
  }

  send(destination, body, headers = {}) {
    const what = typeof body === "string" ? { body } : { binaryBody: body };
    const request = (receipt) =>
      this.stomp.publish({ destination, ...what, headers: { persistent: "true", ...headers, ...(receipt && { receipt }) } });
    return headers.transaction ? request() : this.confirmed(request);
  }

  async subscribe(destination, headers = {}) {
    await this.confirmed((receipt) => {
      this.stomp.subscribe(destination, (message) => this.heard.push(message), { ...headers, receipt });
    });
  }

  async messages(count) {
    await waitUntil(() => this.heard.length >= count, `${count} messages`);
    assert.equal(this.heard.length, count);
    return this.heard.splice(0);
  }

  async bodies(count) {
    return (await this.messages(count)).map((message) => message.body);
  }

  async close() {
    await this.stomp.deactivate();
  }
}

const fresh = (kind = "queue") => `/${kind}/interop.${randomUUID()}`;

const tests = {
  async "text round trip"(broker, open) {
    const [queue, client] = [fresh(), await open()];
    await client.subscribe(queue);
    await client.send(queue, "naïve ☃ text\nwith lines", { own: "a:b\\x\nd" });
    const [message] = await client.messages(1);
    assert.equal(message.body, "naïve ☃ text\nwith lines");
    assert.equal(message.headers.own, "a:b\\x\nd");
    await client.close();
  },

  async "binary round trip, also of a large body"(broker, open) {
    const [queue, client] = [fresh(), await open()];
    const small = Uint8Array.from({ length: 256 }, (_, at) => at);
    const large = Uint8Array.from({ length: 700_000 }, (_, at) => (at * 7) % 256);
    await client.subscribe(queue);
    for (const body of [small, large]) {
      await client.send(queue, body);
      const [message] = await client.messages(1);
      assert.deepEqual(Buffer.from(message.binaryBody), Buffer.from(body));
    }
    await client.close();
  },

  async "a durable subscription outlives restarts"(broker, open) {
    const [topic, name] = [fresh("topic"), randomUUID()];
    const durable = { "activemq.subscriptionName": name, ack: "client-individual" };
    let subscriber = await open({ clientId: name });
    await subscriber.subscribe(topic, durable);
    await subscriber.close();
    let producer = await open();
    await producer.send(topic, "while away");
    await producer.close();
    await broker.restart("SIGKILL");
    subscriber = await open({ clientId: name });
    await subscriber.subscribe(topic, durable);
    const [message] = await subscriber.messages(1);
    assert.equal(message.body, "while away");
    await subscriber.confirmed((receipt) => message.ack({ receipt }));
    await subscriber.close();
    await broker.restart("SIGTERM");
    subscriber = await open({ clientId: name });
    await subscriber.subscribe(topic, durable);
    producer = await open();
    await producer.send(topic, "last");
    assert.deepEqual(await subscriber.bodies(1), ["last"]);
    await subscriber.close();
    await producer.close();
  },

  async "transactions commit whole or not at all"(broker, open) {
    const [queue, client, consumer] = [fresh(), await open(), await open()];
    await consumer.subscribe(queue);
    const aborted = client.stomp.begin();
    client.send(queue, "never", { transaction: aborted.id });
    aborted.abort();
    const committed = client.stomp.begin();
    client.send(queue, "one", { transaction: committed.id });
    client.send(queue, "two", { transaction: committed.id });
    await client.send(queue, "outside");
    assert.deepEqual(await consumer.bodies(1), ["outside"]);
    committed.commit();
    assert.deepEqual(await consumer.bodies(2), ["one", "two"]);
    await client.close();
    await consumer.close();
  },

  async "a selector chooses"(broker, open) {
    const [queue, client, producer] = [fresh(), await open(), await open()];
    await client.subscribe(queue, { selector: "colour IN ('red', 'green') AND size > 2" });
    for (const [colour, size] of [["red", 2], ["red", 3], ["blue", 3], ["green", 9]]) {
      await producer.send(queue, `${colour} ${size}`, { colour, size });
    }
    assert.deepEqual(await client.bodies(2), ["red 3", "green 9"]);
    await client.close();
    await producer.close();
  },

  async "NACK sends to the dead-letter queue"(broker, open) {
    const [queue, mark, client] = [fresh(), randomUUID(), await open()];
    await client.subscribe(queue, { ack: "client-individual" });
    await client.send(queue, "poison", { mark });
    const [message] = await client.messages(1);
    await client.confirmed((receipt) => message.nack({ receipt }));
    const dead = await open();
    await dead.subscribe("/queue/ActiveMQ.DLQ", { selector: `mark = '${mark}'` });
    assert.deepEqual(await dead.bodies(1), ["poison"]);
    await client.close();
    await dead.close();
  },

  async "what was not acknowledged comes again, marked"(broker, open) {
    const [queue, client] = [fresh(), await open()];
    await client.subscribe(queue, { ack: "client" });
    await client.send(queue, "again");
    await client.messages(1);
    await client.close();
    const other = await open();
    await other.subscribe(queue);
    const [message] = await other.messages(1);
    assert.deepEqual([message.body, message.headers.redelivered], ["again", "true"]);
    await other.close();
  },

  async "a request is answered over a temporary queue"(broker, open) {
    const [service, asker, answerer] = [fresh(), await open(), await open()];
    await asker.subscribe("/temp-queue/answers");
    await answerer.subscribe(service);
    await asker.send(service, "question", { "reply-to": "/temp-queue/answers", "correlation-id": "c-7" });
    const [request] = await answerer.messages(1);
    await answerer.send(request.headers["reply-to"], "answer", { "correlation-id": request.headers["correlation-id"] });
    const [answer] = await asker.messages(1);
    assert.deepEqual([answer.body, answer.headers["correlation-id"]], ["answer", "c-7"]);
    await asker.close();
    await answerer.close();
  },

  async "a broker that fell silent is noticed"(broker, open) {
    const client = await open({ heartbeatIncoming: 300, heartbeatOutgoing: 300, discardWebsocketOnCommFailure: true });
    broker.process.kill("SIGSTOP");
    try {
      await waitUntil(() => client.closed, "the connection is given up");
    } finally {
      broker.process.kill("SIGCONT");
    }
    await client.close();
  },
};

async function main() {
  let passed = 0;
  let failed = 0;
  const broker = new Broker();
  const wanted = (process.env.TRANSPORTS ?? "websocket,tcp").split(",");
  try {
    for (const transport of wanted) {
      for (const [name, test] of Object.entries(tests)) {
        try {
          if (broker.ended) await broker.start();
          await test(broker, (options) => Client.open(broker, transport, options));
          passed += 1;
          console.log(`ok   ${transport}: ${name}`);
        } catch (error) {
          failed += 1;
          console.log(`FAIL ${transport}: ${name}\n${error.stack}`);
        }
      }
    }
    if (failed) console.log(broker.tail());
  } finally {
    await broker.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

await main();
