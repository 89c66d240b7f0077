// The methods of the server API, and what their forms ask for. A field is `name: kind`: text, json, number, boolean,
// lines (a list of texts).

const TARGET = { user: "text", client: "text", session: "text" };
const DATA = { data: "json", tags: "json", idempotency_key: "text", skip_history: "boolean", delta: "boolean" };

export const METHODS = {
  publish: { channel: "text", ...DATA },
  broadcast: { channels: "lines", ...DATA },
  subscribe: { channel: "text", ...TARGET, info: "json", data: "json", expire_at: "number" },
  unsubscribe: { channel: "text", ...TARGET },
  disconnect: { ...TARGET, whitelist: "lines", disconnect: "json" },
  refresh: { ...TARGET, expired: "boolean", expire_at: "number", info: "json" },
  presence: { channel: "text" },
  presence_stats: { channel: "text" },
  history: { channel: "text", limit: "number", since: "json", reverse: "boolean" },
  history_remove: { channel: "text" },
  channels: { pattern: "text" },
  info: {},
  rpc: { method: "text", params: "json" },
  map_publish: { channel: "text", key: "text", data: "json", tags: "json", idempotency_key: "text" },
  map_remove: { channel: "text", key: "text" },
  map_read_state: { channel: "text", cursor: "text", limit: "number", key: "text" },
  map_read_stream: { channel: "text", since_offset: "number", since_epoch: "text", limit: "number", reverse: "boolean" },
  map_stats: { channel: "text" },
  map_clear: { channel: "text" },
  shared_poll_publish: { channel: "text", key: "text", data: "json", version: "number", epoch: "text" },
};

export const EXAMPLES = { data: '{"text": "Hello"}', disconnect: '{"code": 3503, "reason": "force disconnect"}', since: '{"offset": 1, "epoch": ""}', limit: "10" };

/** What a form's texts mean. Raises SyntaxError for JSON that is none. */
export function parameters(fields, texts) {
  const made = {};
  for (const [name, kind] of Object.entries(fields)) {
    const text = texts[name];
    if (kind === "boolean") { if (text) made[name] = true; continue; }
    if (!text?.trim()) continue;
    if (kind === "json") made[name] = JSON.parse(text);
    else if (kind === "number") made[name] = Number(text);
    else if (kind === "lines") made[name] = text.split("\n").map((line) => line.trim()).filter(Boolean);
    else made[name] = text;
  }
  return made;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(url, method, params) {
  return `curl -H 'X-API-Key: KEY' -d ${quoted(JSON.stringify(params))} ${url}/api/${method}`;
}

export function asPython(url, method, params) {
  return `import requests

answer = requests.post(
    "${url}/api/${method}",
    headers={"X-API-Key": "KEY"},
    json=${python(params, 4)},
)
print(answer.json())`;
}

function python(value, indent) {
  const inner = " ".repeat(indent + 4);
  const end = " ".repeat(indent);
  if (value === null) return "None";
  if (value === true || value === false) return value ? "True" : "False";
  if (Array.isArray(value)) return value.length ? `[\n${value.map((each) => `${inner}${python(each, indent + 4)},\n`).join("")}${end}]` : "[]";
  if (typeof value === "object") {
    const entries = Object.entries(value);
    return entries.length ? `{\n${entries.map(([key, each]) => `${inner}${JSON.stringify(key)}: ${python(each, indent + 4)},\n`).join("")}${end}}` : "{}";
  }
  return JSON.stringify(value);
}
