// The WebSocket that the SDK is given: a real one, unless the visitor has asked to be offline.

const OFFLINE_CODE = 1006; // what a browser reports for a connection that never came about

export class Line {
  #offline = false;
  #open = new Set();

  // Cut what is open and let nothing through until `mend`.
  cut() {
    this.#offline = true;
    for (const socket of this.#open) socket.close();
  }

  mend() {
    this.#offline = false;
  }

  // The class to hand to the SDK, which calls it as it would call WebSocket.
  get socketClass() {
    const line = this;
    return function Socket(url, protocols) {
      return line.#offline ? new DeadSocket() : line.#dial(url, protocols);
    };
  }

  #dial(url, protocols) {
    const socket = protocols ? new WebSocket(url, protocols) : new WebSocket(url);
    this.#open.add(socket);
    socket.addEventListener("close", () => this.#open.delete(socket));
    return socket;
  }
}

// Fails to connect, as sockets do where there is no network.
class DeadSocket {
  constructor() {
    setTimeout(() => this.close());
  }

  close() {
    const closed = this.onclose;
    this.onclose = null;
    closed?.({ code: OFFLINE_CODE, reason: "offline on purpose" });
  }

  send() {}
}
