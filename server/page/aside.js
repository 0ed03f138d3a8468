/* aside.js - the right-hand column: time, work, the curl command, the server's metrics. */

/* ---- time and work ---- */

const dash = "\u2013";

/* Rows of [name, color, ms]; ms is undefined if nothing was measured yet. */
function showDurations(id, rows) {
  showBar(byId(`${id}-bar`), byId(id), rows.map(([name, color, amount]) => ({name, color, amount})),
          ms => ms === undefined ? dash : `${ms.toFixed(3)} ms`);
}

/* What an ordinary request takes; apart from it, what this page's own took, by the model's stages and
 * the literal graph that has the maps between x and y. */
function showTimes({times, count} = {times: {}}, {metadata, times: {compute}} = {metadata: {}, times: {}}) {
  showDurations("times", [["queue", "#7d8794", times.queue], ["decode", "#a6adb6", times.decode],
                          ["compute", "#3c78d8", times.compute], ["encode", "#c9523f", times.encode]]);
  byId("times-says").textContent = count > 1 ? `Ordinary requests, medians of ${count}.` : "An ordinary request.";
  const stages = ["pool", "branches", "head", "output"].map((name, i) =>
    [name, ["#3c78d8", "#159a8c", "#79ad36", "#d8961a"][i],
     compute === undefined ? undefined : Number(metadata[`${name}_ms`] || 0)]);
  const literal = compute === undefined ? undefined :
      Math.max(compute - stages.reduce((sum, [, , ms]) => sum + ms, 0), 0);
  showDurations("stages", [...stages, ["literal graph", "#b9c2c9", literal]]);
}

function showFlops({flops_literal, flops_folded}) {
  const literal = Number(flops_literal), folded = Number(flops_folded), isKnown = flops_literal !== undefined;
  const rows = [["as drawn", literal], ["as folded", folded]].map(([name, flops]) => {
    const piece = element("span");
    piece.style.width = `${100 * flops / Math.max(literal, folded, 1)}%`;
    return element("div", {className: "work"}, element("span", {textContent: name}),
                   element("b", {textContent: isKnown ? `${briefCount(flops)}FLOP` : dash}),
                   element("div", {className: "track"}, ...isKnown ? [piece] : []));
  });
  const saved = folded > 0 && folded < literal ? `${brief(literal / folded)} times less, because convolutions run ` +
      "before the maps are stretched." : "Nothing to fold here.";
  byId("flops").replaceChildren(...rows, element("p", {className: "hint reserved", textContent: isKnown ? saved : ""}));
}

/* ---- curl ---- */

const pastedBytesMax = 65536;

/* For a POSIX shell. */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function toBase64(data) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8190)
    text += btoa(String.fromCharCode(...bytes.subarray(i, i + 8190)));
  return text;
}

/* The labels of a photo as a PNG. */
function curlOfPhoto({model, photo, origin}) {
  const url = quoted(`${location.origin}/ppm/${encodeURIComponent(model.name)}`);
  const key = server.key ? ' -H "Authorization: Bearer $PPM_KEY"' : "", tail = `${key} -o labels.png`;
  const says = server.key ? "Set PPM_KEY to your key. " : "";
  if (origin.url)
    return {says, line: `curl -sS ${quoted(`${location.origin}/${origin.url}`)} | curl -sS ${url} ` +
                        `-H 'Content-Type: ${photo.blob.type}'${tail} --data-binary @-`};
  return {line: `curl -sS -T ${quoted(origin.file)} ${url}${tail}`, says: `${says}Run it in the folder of ${origin.file}.`};
}

/* {line, says}: a command that sends x as this page did, and where to run it. */
function curlOf({model, x, name, origin}, isAnswerAlone) {
  const stages = isAnswerAlone ? "" : "stages=1&";
  const at = `${location.origin}/ppm/${encodeURIComponent(model.name)}?${stages}`;
  const key = server.key ? ' -H "Authorization: Bearer $PPM_KEY"' : "";
  const result = isAnswerAlone ? "y.npy" : "stages.safetensors";
  const accept = isAnswerAlone ? "application/x-npy" : "application/octet-stream";
  const tail = `${key} -H 'Accept: ${accept}' -o ${result}`;
  const send = (type, query, data) =>
      `curl -sS ${quoted(at + query)} -H 'Content-Type: ${type}'${tail} --data-binary ${data}`;
  const npy = `layout=${x.layout}`;
  const says = server.key ? "Set PPM_KEY to your key. " : "";
  if (origin.url)
    return {says, line: `curl -sS ${quoted(`${location.origin}/${origin.url}`)} | ${send("application/x-npy", npy, "@-")}`};
  if (origin.file)
    return {line: send("application/x-npy", npy, quoted(`@${origin.file}`)),
            says: `${says}Run it in the folder of ${origin.file}.`};
  if (x.data.byteLength <= pastedBytesMax)
    return {says: `${says}It contains x as base64.`,
            line: `echo ${toBase64(x.data)} | base64 -d | ` +
                  send("application/octet-stream", `shape=${x.shape.join(",")}&${npy}`, "@-")};
  return {line: send("application/x-npy", npy, quoted(`@${name}-x.npy`)),
          says: `${says}Run it in the folder of ${name}-x.npy ("Save x").`};
}

function showCurl(state) {
  const {line, says} = state.photo ? curlOfPhoto(state) : curlOf(state, byId("curl-y").checked);
  byId("curl-y-box").hidden = Boolean(state.photo);
  byId("curl").value = line;
  byId("curl-says").textContent = says;
}

/* Pages from another machine without TLS have no navigator.clipboard. */
async function copyCurl() {
  const text = byId("curl");
  let isCopied;
  if (navigator.clipboard)
    isCopied = await navigator.clipboard.writeText(text.value).then(() => true, () => false);
  if (!isCopied) {
    text.focus();
    text.select();
    isCopied = document.execCommand("copy");
  }
  byId("copied").textContent = isCopied ? "Copied." : "Not copied: your browser does not allow it.";
}

/* ---- metrics ---- */

const history = [], historySeconds = 60;

/* Counts of requests without this page's reads of /metrics, and the histogram of those to a model. */
function digest(samples) {
  const result = {at: performance.now() / 1e3, requests: 0, buckets: new Map(), depth: 0, flight: 0};
  for (const {name, labels, value} of samples) {
    if (name === "ppm_requests_total" && labels.route !== "/metrics")
      result.requests += value;
    else if (name === "ppm_request_seconds_bucket" && labels.model !== "none") {
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      result.buckets.set(bound, (result.buckets.get(bound) || 0) + value);
    } else if (name === "ppm_queue_depth")
      result.depth = value;
    else if (name === "ppm_requests_in_flight")
      result.flight = value - 1;
  }
  return result;
}

/* Like Prometheus's histogram_quantile: linear within a bucket. Seconds; NaN if there are none. */
function quantile(buckets, q) {
  const bounds = [...buckets].sort((a, b) => a[0] - b[0]), total = bounds.length ? bounds[bounds.length - 1][1] : 0;
  let low = 0, below = 0;
  for (const [bound, count] of bounds) {
    if (count >= q * total && count > below)
      return bound === Infinity ? low : low + (bound - low) * (q * total - below) / (count - below);
    low = bound;
    below = count;
  }
  return NaN;
}

function since(first, last) {
  return new Map([...last.buckets].map(([bound, count]) => [bound, count - (first.buckets.get(bound) || 0)]));
}

/* Requests per second between the samples of the last minute. */
function drawRates(canvas) {
  const w = canvas.width = 300, h = canvas.height = 44, context = canvas.getContext("2d");
  const rates = history.slice(1).map((sample, i) =>
    (sample.requests - history[i].requests) / (sample.at - history[i].at));
  const most = Math.max(1, ...rates);
  const style = getComputedStyle(canvas);
  context.fillStyle = style.color;
  rates.forEach((rate, i) => {
    const tall = Math.max(1, rate / most * (h - 2));
    context.fillRect(w - (rates.length - i) * w / historySeconds, h - tall, w / historySeconds - 1, tall);
  });
  return rates.length ? rates[rates.length - 1] : 0;
}

function showMetrics() {
  const last = history[history.length - 1] || {buckets: new Map(), depth: dash, flight: dash};
  const rate = drawRates(byId("metrics-line"));
  const buckets = since(history[0] || last, last), isQuiet = !(buckets.get(Infinity) > 0);
  const ms = q => {
    const seconds = quantile(isQuiet ? last.buckets : buckets, q);
    return Number.isNaN(seconds) ? dash : `${brief(1e3 * seconds)} ms`;
  };
  const rows = [["requests per second", history.length > 1 ? brief(rate) : dash],
                ["median latency", ms(0.5)], ["90 % within", ms(0.9)],
                ["99 % within", ms(0.99)], ["waiting in the queue", last.depth], ["in flight", last.flight]];
  byId("metrics").replaceChildren(...rows.flatMap(([term, value]) =>
    [element("dt", {textContent: term}), element("dd", {textContent: value})]));
}

/* Of the last minute, and of one process: a new one counts from 0 again. */
function remember(sample) {
  if (history.length && sample.requests < history[history.length - 1].requests)
    history.length = 0;
  history.push(sample);
  while (history.length > historySeconds + 1)
    history.shift();
}

async function pollMetrics() {
  let pause_ms = 1000;
  try {
    if (byId("polls").checked && !document.hidden && !server.isLocked) {
      remember(digest(readMetrics(await readAnswer(await ask("metrics"), textOf))));
      showMetrics();
      showError("error-metrics", "");
      recover();
    }
  } catch (error) {
    showError("error-metrics", server.isLocked ? "" : error.message);
    pause_ms = server.isLocked ? 1000 : 5000;
  }
  setTimeout(pollMetrics, pause_ms);
}
