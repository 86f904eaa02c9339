// A broker in a process of its own, and waiting for conditions.

import { spawn } from "node:child_process";
import { openSync, closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const START_MS = 60_000;
const WAIT_MS = 15_000;
const starter = join(dirname(fileURLToPath(import.meta.url)), "..", "start-broker.sh");

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The first true value of the condition; fails by name after the bound. */
export async function waitUntil(condition, what, bound = WAIT_MS) {
  const end = Date.now() + bound;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${bound} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

export class Broker {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "ferrymq-javascript-"));
    this.ended = true;
  }

  async start() {
    this.ports ??= await freePorts(3);
    [this.stomp, this.auto, this.websocket] = this.ports;
    const log = openSync(join(this.folder, "log"), "a");
    const args = [starter, join(this.folder, "data"), ...this.ports.map(String)];
    this.process = spawn("bash", args, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.ended = false;
    this.exit = new Promise((resolve) => this.process.once("exit", () => ((this.ended = true), resolve())));
    await waitUntil(async () => {
      if (this.ended) throw new Error(`the broker ended at its start:\n${this.tail()}`);
      return (await listens(this.stomp)) && (await listens(this.websocket));
    }, "the broker listens", START_MS);
  }

  async restart(signal) {
    this.process.kill(signal);
    await this.exit;
    await this.start();
  }

  tail() {
    return readFileSync(join(this.folder, "log"), "utf8").slice(-3000);
  }

  async close() {
    if (!this.ended) {
      this.process.kill("SIGKILL");
      await this.exit;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
