/* server.js - the server asked; what it refuses is thrown as its own sentence. */

class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status; /* 0: it did not answer */
  }
}

const server = {key: ""};

function authorization() {
  return server.key ? {Authorization: `Bearer ${server.key}`} : {};
}

async function sentenceOf(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).detail || text;
  } catch {
    return text || `${answer.status} ${answer.statusText}`;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {...options, headers: {...options.headers, ...authorization()}, cache: "no-store"});
  } catch (error) {
    if (error.name === "AbortError")
      throw error;
    throw new Refusal(0, `the server at ${location.host} does not answer`);
  }
  if (!answer.ok)
    throw new Refusal(answer.status, await sentenceOf(answer));
  return answer;
}

function describeModel(name) {
  return ask(name ? `ppm/${encodeURIComponent(name)}` : "ppm").then(answer => answer.json());
}

function stagesPath(model, x) {
  const shape = x.shape.join(",");
  return `ppm/${encodeURIComponent(model)}?stages=1&shape=${shape}&layout=${x.layout}`;
}

/* "queue;dur=0.017, compute;dur=0.356" -> {queue: 0.017, compute: 0.356} */
function readServerTiming(text) {
  const times = {};
  for (const [, name, ms] of (text || "").matchAll(/([\w-]+);dur=([\d.]+)/g))
    times[name] = Number(ms);
  return times;
}

/* The stages of a model's answer: {tensors, metadata, times}. */
async function askStages(model, x, signal) {
  const answer = await ask(stagesPath(model, x), {
    method: "POST",
    headers: {"Content-Type": "application/octet-stream", Accept: "application/octet-stream"},
    body: x.data,
    signal,
  });
  const times = readServerTiming(answer.headers.get("Server-Timing"));
  return {...readSafetensors(await answer.arrayBuffer()), times};
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
