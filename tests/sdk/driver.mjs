// Runs clients of the JavaScript SDK for tests. Reads one call per line, {id, client, operation, arguments}, and writes
// {id, result} or {id, error: code}, and {client, event} for what the SDK reports. Bytes travel as {"$base64": "..."}.
import { createInterface } from "node:readline";
import { Centrifuge } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf } from "centrifuge/build/protobuf";

const clients = new Map();
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const write = (message) => process.stdout.write(JSON.stringify(message) + "\n");

class Client {
  constructor(number, { url, protobuf, token, renewed }) {
    this.number = number;
    this.protobuf = protobuf;
    const options = { token, minReconnectDelay: 50, maxReconnectDelay: 200 };
    if (renewed) {
      options.getToken = async () => {
        this.report("token_requested", {});
        return renewed;
      };
    }
    this.sdk = new (protobuf ? CentrifugeProtobuf : Centrifuge)(url, options);
    for (const kind of ["connecting", "connected", "disconnected"]) this.forward(this.sdk, kind, kind);
    for (const kind of ["subscribed", "subscribing", "unsubscribed", "publication"])
      this.forward(this.sdk, kind, "server_" + kind);
    this.sdk.on("error", (context) => this.report("error", { code: context.error.code, text: context.error.message }));
  }

  forward(emitter, kind, name) {
    emitter.on(kind, (context) => this.report(name, this.flat(context)));
  }

  report(type, fields) {
    write({ client: this.number, event: { type, ...fields } });
  }

  flat({ data, info, streamPosition, wasRecovering, ...fields }) {
    if (data !== undefined) fields.data = this.unpack(data);
    if (wasRecovering !== undefined) fields.was_recovering = wasRecovering;
    return { ...fields, ...streamPosition, ...(info && { client: info.client, user: info.user }) };
  }

  pack(value) {
    if (value?.$base64 !== undefined) return Buffer.from(value.$base64, "base64");
    return this.protobuf ? encoder.encode(JSON.stringify(value)) : value;
  }

  unpack(value) {
    if (!this.protobuf) return value;
    if (value.length === 0) return null;
    try {
      return JSON.parse(decoder.decode(value));
    } catch {
      return { $base64: Buffer.from(value).toString("base64") };
    }
  }

  connect() {
    this.sdk.connect();
  }

  disconnect() {
    this.sdk.disconnect();
  }

  subscribe({ channel, how }) {
    const options = { positioned: how.positioned, recoverable: how.recoverable, joinLeave: how.join_leave };
    options.minResubscribeDelay = 50;
    if (how.token) options.token = how.token;
    if (how.delta) options.delta = "fossil";
    if (how.renewed) {
      options.getToken = async () => {
        this.report("subscription_token_requested", { channel });
        return how.renewed;
      };
    }
    const subscription = this.sdk.newSubscription(channel, options);
    for (const kind of ["subscribing", "subscribed", "unsubscribed", "publication", "join", "leave"])
      this.forward(subscription, kind, kind);
    subscription.on("error", ({ error }) => this.report("subscription_error", { channel, code: error.code }));
    subscription.subscribe();
  }

  unsubscribe({ channel }) {
    const subscription = this.sdk.getSubscription(channel);
    subscription.unsubscribe();
    this.sdk.removeSubscription(subscription);
  }

  async publish({ channel, data }) {
    await this.sdk.publish(channel, this.pack(data));
  }

  async history({ channel, limit }) {
    const result = await this.sdk.history(channel, { limit });
    return { offset: result.offset, epoch: result.epoch, data: result.publications.map((p) => this.unpack(p.data)) };
  }

  async presence({ channel }) {
    const result = await this.sdk.presence(channel);
    return Object.values(result.clients).map((info) => info.user).sort();
  }

  async presence_stats({ channel }) {
    const result = await this.sdk.presenceStats(channel);
    return { clients: result.numClients, users: result.numUsers };
  }

  async rpc({ method, data }) {
    return this.unpack((await this.sdk.rpc(method, this.pack(data))).data);
  }
}

const perform = async ({ id, client, operation, arguments: details }) => {
  try {
    if (operation === "create") clients.set(client, new Client(client, details));
    write({ id, result: operation === "create" ? null : await clients.get(client)[operation](details) });
  } catch (error) {
    write({ id, error: error.code ?? String(error) });
  }
};

createInterface({ input: process.stdin })
  .on("line", (line) => perform(JSON.parse(line)))
  .on("close", () => process.exit(0));
