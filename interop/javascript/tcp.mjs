// A plain TCP connection in the shape of a WebSocket, which is all that stompjs asks of its transport.

import { connect } from "node:net";

export class TcpSocket {
  constructor(port) {
    this.url = `tcp://127.0.0.1:${port}`;
    this.readyState = 0;
    this.socket = connect(port, "127.0.0.1");
    this.socket.setNoDelay(true);
    this.socket.on("connect", () => {
      this.readyState = 1;
      this.onopen?.({});
    });
    this.socket.on("data", (data) => this.onmessage?.({ data: new Uint8Array(data).buffer }));
    this.socket.on("error", (error) => this.onerror?.(error));
    this.socket.on("close", (failed) => {
      this.readyState = 3;
      this.onclose?.({ code: failed ? 1006 : 1000, reason: "", wasClean: !failed });
    });
  }

  send(data) {
    this.socket.write(typeof data === "string" ? data : Buffer.from(data));
  }

  close() {
    this.readyState = 2;
    this.socket.end();
  }

  terminate() {
    this.socket.destroy();
  }
}
