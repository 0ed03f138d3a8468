/* server.js - requests to the server; a refusal is thrown as the server's sentence. */

class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status; /* 0: no response */
  }
}

const server = {key: "", isLocked: false}; /* isLocked: it asked for a key, and none was typed since */

/* The key's bytes in UTF-8, as curl sends them: fetch itself accepts only Latin-1. */
function authorization() {
  return server.key ? {Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(server.key))}`} : {};
}

/* The server's own sentence; for what a proxy or the HTTP library wrote, such as a page, the status. */
async function sentenceOf(answer) {
  const text = await answer.text().catch(() => "");
  let sentence;
  try {
    sentence = JSON.parse(text).detail;
  } catch {
    sentence = "";
  }
  if (!sentence || typeof sentence !== "string")
    sentence = `the server answered ${`${answer.status} ${answer.statusText}`.trim()}`;
  const wait_s = answer.headers.get("Retry-After");
  return /^\d+$/.test(wait_s) ? `${sentence} (try again in ${wait_s} s)` : sentence;
}

async function ask(path, options = {}) {
  const {key} = server;
  let answer;
  try {
    answer = await fetch(path, {...options, headers: {...options.headers, ...authorization()}, cache: "no-store"});
  } catch (error) {
    if (error.name === "AbortError")
      throw error;
    throw new Refusal(0, `the server at ${location.host} does not answer`);
  }
  if (answer.status === 401 && key === server.key) /* and no other key was typed since */
    server.isLocked = true;
  if (!answer.ok)
    throw new Refusal(answer.status, await sentenceOf(answer));
  return answer;
}

/* read() of a response's bytes: the response may be truncated, or from another program. */
async function readAnswer(answer, read) {
  let bytes;
  try {
    bytes = await answer.arrayBuffer();
  } catch (error) {
    if (error.name === "AbortError")
      throw error;
    throw new Refusal(0, `the answer of the server at ${location.host} ended early`);
  }
  try {
    return await read(bytes);
  } catch {
    throw new Refusal(answer.status, `the answer to ${new URL(answer.url).pathname} is not what this server answers`);
  }
}

const textOf = bytes => new TextDecoder().decode(bytes);

/* The first model: describeModel(""). query: for what a request of some shape takes. */
async function describeModel(name, signal, query = "") {
  const answer = await ask(name ? `ppm/${encodeURIComponent(name)}${query}` : "ppm", {signal});
  return readAnswer(answer, bytes => {
    const model = JSON.parse(textOf(bytes));
    if (!model.config || !model.layers || !name && !model.models)
      throw new Error("another program's JSON");
    return model;
  });
}

/* "queue;dur=0.017, compute;dur=0.356" -> {queue: 0.017, compute: 0.356} */
function readServerTiming(text) {
  const times = {};
  for (const [, name, ms] of (text || "").matchAll(/([\w-]+);dur=([\d.]+)/g))
    times[name] = Number(ms);
  return times;
}

/* input: a tensor, or a photo as it is. */
function post(model, query, input, accept, signal) {
  const parameters = input.blob ? query : [...query, `shape=${input.shape.join(",")}`, `layout=${input.layout}`];
  return ask(`ppm/${encodeURIComponent(model)}${parameters.length ? "?" : ""}${parameters.join("&")}`, {
    method: "POST",
    headers: {"Content-Type": input.blob ? input.blob.type : "application/octet-stream", Accept: accept},
    body: input.blob || input.data,
    signal,
  });
}

/* The stages of a model's answer: {tensors, metadata, times}. times.compute has the literal graph in it. */
async function askStages(model, input, signal) {
  const answer = await post(model, ["stages=1"], input, "application/octet-stream", signal);
  const times = readServerTiming(answer.headers.get("Server-Timing"));
  return {...await readAnswer(answer, readSafetensors), times};
}

const timedRequests = 3, timedMax_ms = 300;

/* The last answer to ordinary requests, as read() reads it, and the medians of their times: {answer, times, count}.
 * The first one may have made the plan for a new shape. What takes long is asked less often. */
async function askOften(model, query, input, accept, read, signal) {
  const all = [], begun_ms = performance.now();
  let bytes, reply;
  do {
    reply = await post(model, query, input, accept, signal);
    all.push(readServerTiming(reply.headers.get("Server-Timing")));
    bytes = await readAnswer(reply, bytes => bytes);
  } while (all.length < timedRequests && performance.now() - begun_ms < timedMax_ms);
  const median = name => all.map(times => times[name]).sort((a, b) => a - b)[all.length - 1 >> 1];
  return {answer: await readAnswer({url: reply.url, status: reply.status, arrayBuffer: () => bytes}, read),
          times: Object.fromEntries(Object.keys(all[0]).map(name => [name, median(name)])), count: all.length};
}

function askTimes(model, x, signal) {
  return askOften(model, [], x, "application/octet-stream", () => undefined, signal);
}

/* The labels of a photo: {answer: {map, classes}, times, count}. */
function askLabels(model, photo, signal) {
  return askOften(model, ["labels=rle"], photo, "application/json", bytes => readLabels(JSON.parse(textOf(bytes))), signal);
}

/* Prometheus text: [{name, labels, value}] */
function readMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found)
      continue;
    const labels = {};
    for (const [, label, value] of (found[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[label] = value;
    samples.push({name: found[1], labels, value: found[3] === "+Inf" ? Infinity : Number(found[3])});
  }
  return samples;
}
