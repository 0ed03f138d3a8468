/* page.js - the page: choices, requests, pictures, and where errors appear. */

/* What the pictures show: a result, and the request for it. */
const state = {
  model: null, x: null, name: "", origin: {}, stages: null, n: 1,
  view: {n: 0, channel: 0, branchChannel: 0, table: "viridis", range: "matched", fixed: [0, 1], outputPage: 0},
};
/* The current choice, which may still be computing, or refused. */
let source = "sample", chosenModel = null;

/* ---- errors ---- */

/* The controls that each error belongs to. */
const errorControls = {
  "error-model": "#model", "error-key": "#key", "error-input": "#npy-file, #image-file", "error-run": "#again",
};

function showError(id, sentence) {
  const place = byId(id), controls = errorControls[id] ? document.querySelectorAll(errorControls[id]) : [];
  if (place.textContent !== sentence)
    place.textContent = sentence;
  place.hidden = !sentence;
  controls.forEach(control => control.toggleAttribute("aria-invalid", Boolean(sentence)));
}

const inputStatuses = [400, 406, 413, 415, 422];

/* A model that has no picture here. */
class NoPicture extends Error {}

/* Next to its cause: the key, the model, the input, or the button if the user is not at fault. */
function placeOf(error) {
  if (error instanceof NoPicture)
    return "error-model";
  if (!(error instanceof Refusal) || inputStatuses.includes(error.status))
    return "error-input";
  return {401: "error-key", 404: "error-model"}[error.status] || "error-run";
}

function clearErrors() {
  Object.keys(errorControls).forEach(id => showError(id, ""));
}

/* Either the models, or the input of a key. */
function showKeyBox(isShown) {
  byId("key-box").hidden = !isShown;
  byId("model-box").hidden = isShown;
}

/* A server with keys is not an error until one was typed. */
function askForKey(sentence) {
  showKeyBox(true);
  showError("error-key", server.key ? sentence : "");
  if (document.activeElement === document.body)
    byId("key").focus({preventScroll: true});
}

/* Whether the pictures show the current choice. */
function setStale(isStale) {
  document.querySelectorAll("main, .of-answer").forEach(part => part.classList.toggle("stale", isStale));
  byId("save-x").disabled = isStale;
  if (isStale)
    byId("status").textContent = state.stages ?
        `The pictures still show ${state.name} through ${state.model.name}.` : "";
}

let isLost = false; /* the server did not respond to the last request */

function report(error) {
  const place = placeOf(error);
  isLost = error.status === 0;
  if (error.status === 404)
    chosenModel = null; /* read the list of models again */
  if (place === "error-model")
    byId("model-text").textContent = "";
  if (place === "error-key")
    askForKey(error.message);
  else
    showError(place, error.message);
  setStale(true);
}

/* ---- asking ---- */

let running = null;

/* Starts what the user wants now and aborts the previous step, through its signal. */
async function begin(step) {
  running?.abort();
  const own = running = new AbortController();
  isLost = false;
  clearErrors();
  byId("pyramid").setAttribute("aria-busy", "true");
  try {
    await step(own.signal);
  } catch (error) {
    if (own === running)
      report(error);
  } finally {
    if (own === running)
      byId("pyramid").setAttribute("aria-busy", "false");
  }
}

function limit(id, count) {
  const field = byId(id);
  field.max = count - 1;
  field.value = Math.min(Math.max(Math.trunc(Number(field.value)) || 0, 0), count - 1);
  return Number(field.value);
}

/* The chosen channels and image, within the tensor's bounds. */
function readChoices() {
  const {view, stages, x} = state, {n, c} = sizesOf(x);
  let outputs = 1;
  for (let branch = 0; stages[`branch.${branch}.output`]; branch++)
    outputs = Math.max(outputs, sizesOf(stages[`branch.${branch}.output`]).c);
  state.n = n;
  byId("image-of-batch").disabled = n === 1;
  view.n = limit("image-of-batch", n);
  view.channel = limit("channel", c);
  view.branchChannel = limit("branch-channel", outputs);
  view.table = byId("colors").value;
  view.range = byId("range").value;
  view.fixed = [Number(byId("from").value), Number(byId("to").value)];
}

function show() {
  if (!state.stages)
    return;
  readChoices();
  showAll(state);
}

function showAnswer(answer, ordinary) {
  state.stages = answer.tensors;
  show();
  showTimes(ordinary, answer);
  showFlops(answer.metadata);
  showCurl(state);
  byId("pyramid").classList.remove("empty");
  byId("copy").disabled = false;
  setStale(false);
  const {compute} = ordinary.times, took = compute === undefined ? "" : ` in ${brief(compute)} ms`;
  byId("status").textContent = `Computed by ${state.model.name}${took}.`;
}

function describeInput(input) {
  byId("input-text").textContent = input ? input.says : "Nothing yet: choose, drop or paste a file.";
  byId("input-note").textContent = input ? input.note : "";
  byId("input-note").hidden = !(input && input.note);
}

/* Requests the result for the current choice, and its stages. */
async function computeChosen(signal) {
  if (!chosenModel)
    return loadModels(signal);
  const model = chosenModel, input = await takeInput(source, model, Number(byId("image-side").value), signal);
  signal.throwIfAborted();
  describeInput(input);
  if (!input)
    return setStale(true);
  const ordinary = await askTimes(model.name, input.x, signal);
  const answer = await askStages(model.name, input.x, signal);
  signal.throwIfAborted();
  if (state.model !== model)
    state.view.outputPage = 0;
  Object.assign(state, {model, x: input.x, name: input.name, origin: input.origin});
  showAnswer(answer, ordinary);
}

function compute() {
  return begin(computeChosen);
}

/* While drawing, once the pointer rests. */
let soon = 0;
function computeSoon() {
  clearTimeout(soon);
  soon = setTimeout(compute, 60);
}

function describeChosen({channels, output_channels, parameters, config}) {
  const bins = config.bins ? `bins ${config.bins.join(", ")}` : "windows";
  byId("model-text").textContent = `${channels} channels in, ${output_channels} out; ${bins}, ` +
      `${config.pool || "adaptive"} pooling, ${(config.upsample || "align_corners").replace("_", " ")}; ` +
      `${briefCount(parameters).trim()} parameters.`;
}

async function chooseModel(name, signal) {
  chosenModel = null;
  const model = await describeModel(name, signal);
  signal.throwIfAborted();
  showKeyBox(false);
  if (model.config.network)
    throw new NoPicture(`${model.name} is a network; this page shows models of one pyramid. ` +
                        `curl and the clients compute it, and GET /ppm/${model.name} lists its layers.`);
  chosenModel = model;
  describeChosen(model);
  return computeChosen(signal);
}

/* The models may have changed; the chosen one stays chosen if it still exists. */
async function loadModels(signal) {
  const first = await describeModel("", signal), chosen = byId("model").value;
  signal.throwIfAborted();
  byId("model").replaceChildren(...first.models.map(name => element("option", {value: name, textContent: name})));
  byId("model").value = first.models.includes(chosen) ? chosen : first.name;
  return chooseModel(byId("model").value, signal);
}

/* The server responds again, perhaps as a new process. */
function recover() {
  if (isLost)
    begin(loadModels);
}

/* ---- choosing an input ---- */

function selectSource(name) {
  source = name;
  document.querySelector(`input[name=source][value=${name}]`).checked = true;
  document.querySelectorAll("[data-source]").forEach(part => part.hidden = part.dataset.source !== name);
}

/* The input for a file's kind shows its name, however it arrived; the other one is empty. */
function nameFile(kind, file) {
  const named = new DataTransfer();
  named.items.add(file);
  byId(`${kind}-file`).files = named.files;
  const other = byId(kind === "npy" ? "image-file" : "npy-file");
  if (other.files[0] === file)
    other.value = "";
}

/* A file that was chosen, dropped or pasted. An unreadable one replaces the last one too. */
function takeFiles(files) {
  if (files.length === 0)
    return undefined;
  return begin(async signal => {
    const [file] = files, kind = kindOf(file);
    byId("input-text").textContent = "";
    byId("input-note").hidden = true;
    if (files.length > 1)
      throw new Error(`${files.length} files at once; the page takes one`);
    selectSource(kind);
    nameFile(kind, file);
    sources[kind] = null;
    const content = await readFile(kind, file);
    signal.throwIfAborted();
    sources[kind] = content;
    return computeChosen(signal);
  });
}

function listenToFiles() {
  const drop = byId("drop"), hasFiles = event => event.dataTransfer.types.includes("Files");
  for (const id of ["npy-file", "image-file"])
    byId(id).addEventListener("change", event => takeFiles([...event.target.files]));
  document.addEventListener("dragover", event => {
    if (!hasFiles(event))
      return;
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", event => drop.hidden = !event.relatedTarget || drop.hidden);
  document.addEventListener("drop", event => {
    drop.hidden = true;
    if (!hasFiles(event))
      return;
    event.preventDefault();
    takeFiles([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", event => takeFiles([...event.clipboardData.files]));
}

function turnPage(by) {
  state.view.outputPage += by;
  showOutput(state);
}

function listenToControls() {
  const on = (id, event, handler) => byId(id).addEventListener(event, handler);
  byId("controls").addEventListener("submit", event => event.preventDefault());
  on("model", "change", event => begin(signal => chooseModel(event.target.value, signal)));
  on("key", "change", event => {
    server.key = event.target.value.trim();
    server.isLocked = false;
    begin(loadModels);
  });
  document.querySelectorAll("input[name=source]").forEach(radio =>
    radio.addEventListener("change", () => {
      selectSource(radio.value);
      compute();
    }));
  on("image-side", "change", compute);
  on("pattern", "change", event => {
    fillPattern(event.target.value);
    showDrawing(byId("drawing"));
    compute();
  });
  on("again", "click", compute);
  on("save-x", "click", () => state.x && save(writeNpy(state.x), `${state.name}-x.npy`));
  for (const id of ["channel", "branch-channel", "image-of-batch", "colors", "range", "from", "to"])
    on(id, "change", () => {
      byId("fixed").hidden = byId("range").value !== "fixed";
      show();
    });
  on("previous", "click", () => turnPage(-1));
  on("next", "click", () => turnPage(1));
  on("curl-y", "change", () => state.stages && showCurl(state));
  on("copy", "click", copyCurl);
}

function start() {
  fillPattern(byId("pattern").value);
  showDrawing(byId("drawing"));
  listenToDrawing(byId("drawing"), byId("drawing-at"), computeSoon);
  listenToFiles();
  listenToControls();
  showTimes();
  showFlops({});
  showMetrics();
  byId("columns").classList.remove("empty");
  begin(loadModels);
  pollMetrics();
}

start();
