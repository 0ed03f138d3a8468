/* page.js - the page: what is chosen, asked, shown, and where errors stand. */

const state = {
  model: null, x: null, name: "", origin: {}, stages: null, n: 1,
  view: {n: 0, channel: 0, branchChannel: 0, table: "viridis", range: "matched", fixed: [0, 1], outputPage: 0},
};
let source = "sample";

/* ---- errors ---- */

/* Which control an error stands at. */
const errorControls = {"error-model": "model", "error-key": "key", "error-input": "npy-file", "error-run": "again"};

function showError(id, sentence) {
  const place = byId(id), control = errorControls[id] && byId(errorControls[id]);
  if (place.textContent !== sentence)
    place.textContent = sentence;
  place.hidden = !sentence;
  control?.toggleAttribute("aria-invalid", Boolean(sentence));
}

/* Next to what caused it: the key, the model, the input, or nothing of the user's. */
function placeOf(error) {
  if (!(error instanceof Refusal))
    return "error-input";
  if (error.status === 401)
    return "error-key";
  if (error.status === 404)
    return "error-model";
  return error.status >= 400 && error.status < 500 && error.status !== 408 ? "error-input" : "error-run";
}

function clearErrors() {
  Object.keys(errorControls).forEach(id => showError(id, ""));
}

function report(error) {
  const place = placeOf(error);
  if (place === "error-key")
    byId("key-details").open = true;
  showError(place, error.message);
  byId("status").textContent = "";
  byId("pyramid").classList.toggle("stale", true);
}

/* ---- asking ---- */

let running = null;

function limit(id, count) {
  const field = byId(id);
  field.max = count - 1;
  field.value = Math.min(Math.max(Math.trunc(Number(field.value)) || 0, 0), count - 1);
  return Number(field.value);
}

/* The channels and the image that are chosen, within what there is. */
function readChoices() {
  const {view, stages, x} = state, {n, c} = sizesOf(x);
  let outputs = 1;
  for (let branch = 0; stages[`branch.${branch}.output`]; branch++)
    outputs = Math.max(outputs, sizesOf(stages[`branch.${branch}.output`]).c);
  state.n = n;
  byId("batch").hidden = n === 1;
  view.n = limit("image-of-batch", n);
  view.channel = limit("channel", c);
  view.branchChannel = limit("branch-channel", outputs);
  view.table = byId("colours").value;
  view.range = byId("range").value;
  view.fixed = [Number(byId("from").value), Number(byId("to").value)];
}

function show() {
  if (!state.stages)
    return;
  readChoices();
  showAll(state);
}

function showAnswer(answer) {
  state.stages = answer.tensors;
  show();
  showTimes(answer);
  showFlops(answer);
  showCurl(state);
  byId("pyramid").classList.toggle("stale", false);
  byId("status").textContent = `Computed by ${state.model.name} in ${brief(answer.times.compute || 0)} ms.`;
}

function describeInput(input) {
  byId("input-text").textContent = input ? input.says : "Nothing yet: choose a file, or drop one.";
  byId("input-note").textContent = input ? input.note : "";
  byId("input-note").hidden = !(input && input.note);
}

function setBusy(isBusy) {
  byId("pyramid").setAttribute("aria-busy", String(isBusy));
}

/* Asks for the stages of what is chosen; a later question ends an earlier one. */
async function compute() {
  running?.abort();
  const own = running = new AbortController();
  clearErrors();
  setBusy(true);
  try {
    const input = await takeInput(source, state.model, Number(byId("image-side").value));
    describeInput(input);
    if (!input || own.signal.aborted)
      return;
    const answer = await askStages(state.model.name, input.x, own.signal);
    if (own.signal.aborted)
      return;
    Object.assign(state, {x: input.x, name: input.name, origin: input.origin});
    showAnswer(answer);
  } catch (error) {
    if (error.name !== "AbortError" && own === running)
      report(error);
  } finally {
    if (own === running)
      setBusy(false);
  }
}

/* While a line is drawn, one question after the other. */
let soon = 0;
function computeSoon() {
  clearTimeout(soon);
  soon = setTimeout(compute, 60);
}

function describeChosen() {
  const {model} = state, bins = model.config.bins ? `bins ${model.config.bins.join(", ")}` : "windows";
  byId("model-text").textContent = `${model.channels} channels in, ${model.output_channels} out; ${bins}, ` +
      `${model.config.pool || "adaptive"} pooling, ${(model.config.upsample || "align_corners").replace("_", " ")}; ` +
      `${briefCount(model.parameters).trim()} parameters.`;
}

async function chooseModel(name) {
  setBusy(true);
  try {
    const model = await describeModel(name);
    if (byId("model").value !== name)
      return; /* another was chosen meanwhile */
    state.model = model;
  } catch (error) {
    setBusy(false);
    report(error);
    return;
  }
  describeChosen();
  state.view.outputPage = 0;
  await compute();
}

async function loadModels() {
  clearErrors();
  setBusy(true);
  try {
    const first = await describeModel("");
    byId("model").replaceChildren(...first.models.map(name => element("option", {value: name, textContent: name})));
    await chooseModel(first.name);
  } catch (error) {
    setBusy(false);
    report(error);
  }
}

/* ---- choosing an input ---- */

function chooseSource(name) {
  source = name;
  document.querySelector(`input[name=source][value=${name}]`).checked = true;
  document.querySelectorAll("[data-source]").forEach(part => part.hidden = part.dataset.source !== name);
  if (state.model)
    compute();
}

async function takeFile(file) {
  if (!file)
    return;
  setBusy(true);
  try {
    chooseSource(await keepFile(file));
  } catch (error) {
    setBusy(false);
    clearErrors();
    showError("error-input", error.message);
  }
}

function listenToFiles() {
  const drop = byId("drop");
  for (const id of ["npy-file", "image-file"])
    byId(id).addEventListener("change", event => takeFile(event.target.files[0]));
  document.addEventListener("dragover", event => {
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", event => drop.hidden = !event.relatedTarget || drop.hidden);
  document.addEventListener("drop", event => {
    event.preventDefault();
    drop.hidden = true;
    takeFile(event.dataTransfer.files[0]);
  });
}

function turnPage(by) {
  state.view.outputPage += by;
  showOutput(state);
}

function listenToControls() {
  const on = (id, event, handler) => byId(id).addEventListener(event, handler);
  byId("controls").addEventListener("submit", event => event.preventDefault());
  on("model", "change", event => chooseModel(event.target.value));
  on("key", "change", event => {
    server.key = event.target.value.trim();
    loadModels();
  });
  document.querySelectorAll("input[name=source]").forEach(radio =>
    radio.addEventListener("change", () => chooseSource(radio.value)));
  on("image-side", "change", compute);
  on("pattern", "change", event => {
    fillPattern(event.target.value);
    showDrawing(byId("drawing"));
    compute();
  });
  on("again", "click", () => state.model ? compute() : loadModels());
  on("save-x", "click", () => state.x && save(writeNpy(state.x), `${state.name}-x.npy`));
  for (const id of ["channel", "branch-channel", "image-of-batch", "colours", "range", "from", "to"])
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
  loadModels();
  pollMetrics();
}

start();
