/* page.js - the page: choices, requests, and what is shown when. */

/* What the pictures show: a result, and the request for it. ordinary: of askOften; literal: of askStages. Of a
 * photo x is null, and answers has what askLabels returned, by the names of the models. */
const state = {
  model: null, x: null, photo: null, name: "", origin: {}, stages: null, pyramid: null, n: 1,
  ordinary: null, answers: new Map(), literal: undefined,
  wanted: null, /* the photo whose stages the user wants, whatever they weigh */
  view: {n: 0, channel: 0, branchChannel: 0, table: "viridis", range: "matched", fixed: [0, 1], outputPage: 0},
};
let chosenModel = null; /* the current choice, which may still be computing, or refused */

/* ---- asking ---- */

let running = null, isLost = false; /* the server did not respond to the last request */

function report(error) {
  const place = placeOf(error);
  isLost = error.status === 0;
  byId("columns").classList.remove("empty");
  if (error.status === 404)
    chosenModel = null; /* read the list of models again */
  if (place === "error-model") {
    byId("model-text").textContent = "";
    note("model-note", "");
  }
  if (place === "error-key")
    askForKey(error.message);
  else
    showError(place, error.message);
  setStale(true, state);
}

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
    if (own === running) {
      byId("pyramid").setAttribute("aria-busy", "false");
      byId("columns").classList.remove("empty");
    }
  }
}

/* ---- showing ---- */

function limit(id, count) {
  const field = byId(id);
  field.max = count - 1;
  field.value = Math.min(Math.max(Math.trunc(Number(field.value)) || 0, 0), count - 1);
  return Number(field.value);
}

/* The chosen channels and image, within the bounds of the map that the pyramid gets. */
function readChoices() {
  const {view, stages, x, pyramid} = state, {n, c} = sizesOf(pyramid?.x || x || stages.y);
  let outputs = 1;
  for (let branch = 0; pyramid && stageOf(pyramid, stages, branch, "output"); branch++)
    outputs = Math.max(outputs, sizesOf(stageOf(pyramid, stages, branch, "output")).c);
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

function showStages(answer) {
  state.stages = answer.tensors;
  state.pyramid = pyramidOf(state.model, state.x, state.stages) || null;
  byId("ask-stages").hidden = true;
  show();
  showFlops(answer.metadata);
  byId("pyramid").classList.remove("empty");
}

/* ordinary: {times}, of askOften */
function showComputed(name, {times: {compute}}) {
  const took = compute === undefined ? "" : ` in ${brief(compute)} ms`;
  byId("status").textContent = `Computed by ${name}${took}.`;
  byId("copy").disabled = false;
  showCurl(state);
}

/* Pictures of another photo or model would be taken for this one's. */
function forgetResult() {
  Object.assign(state, {model: null, photo: null, stages: null, pyramid: null});
  byId("pyramid").classList.add("empty");
  showTimes();
  showFlops({});
}

/* ---- tensors ---- */

async function computeTensor(model, input, signal) {
  const ordinary = await askTimes(model.name, input.x, signal);
  const answer = await askStages(model.name, input.x, signal);
  signal.throwIfAborted();
  if (state.model !== model)
    state.view.outputPage = 0;
  Object.assign(state, {model, x: input.x, photo: null, name: input.name, origin: input.origin});
  byId("photo-section").hidden = true;
  showStages(answer);
  showTimes(ordinary, answer);
  showComputed(model.name, ordinary);
  setStale(false, state);
}

/* ---- photos ---- */

const stagesBytesMax = 1 << 26; /* that are asked for without a click */

function answersLabels(model) {
  return model.output_dtype === "int32" && model.output_channels === 1;
}

function twinOf({name}) {
  const twin = `${name}-without-pyramid`;
  return [...byId("model").options].some(option => option.value === twin) ? twin : null;
}

/* How the labels over the photo came about. */
function wordsOf(name) {
  const {model, answers} = state, own = answers.get(model.name).answer, shown = answers.get(name).answer;
  if (name === model.name)
    return `${own.classes.length === 1 ? "One class" : `${own.classes.length} classes`}. Point at a region or a class.`;
  return `Without its pyramid, ${percent(differenceOf(own.map, shown.map))} of the pixels get another class.`;
}

/* The labels of the model, or of its twin without a pyramid. */
async function showVariant(signal) {
  const {model, photo, answers} = state, name = byId("without").checked && twinOf(model) || model.name;
  if (!answers.has(name))
    answers.set(name, await askLabels(name, photo, signal));
  signal.throwIfAborted();
  showLabels(answers.get(name).answer, wordsOf(name));
  showTimes(answers.get(name), state.literal);
  showComputed(name, answers.get(name));
}

/* About how many bytes the stages of a photo take: what goes into and out of its pyramids, and the labels. 0 if that
 * is not known. */
async function weighStages(model, {h, w}, signal) {
  const {multiple = 1} = model.config.input.image, [height, width] = [h, w].map(n => Math.ceil(n / multiple) * multiple);
  const {layers} = await describeModel(model.name, signal, `?shape=1,3,${height},${width}&layout=NCHW`)
      .catch(error => error.status === 422 ? {layers: []} : Promise.reject(error));
  const maps = pyramidsOf(model).map(({name}) => layers.find(({where}) => where === name)?.shape || [0]);
  return 4 * maps.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), h * w);
}

/* The pictures of the pyramid. Their refusal leaves the labels. */
async function computeStages(signal) {
  const {model, photo, wanted} = state;
  try {
    const bytes = photo === wanted ? 0 : await weighStages(model, photo, signal);
    signal.throwIfAborted();
    byId("ask-stages").hidden = bytes <= stagesBytesMax;
    byId("stages-bytes").textContent = `${briefCount(bytes)}B`;
    if (bytes > stagesBytesMax)
      return;
    const answer = await askStages(model.name, photo, signal);
    signal.throwIfAborted();
    state.literal = answer;
    showStages(answer);
    const shown = byId("without").checked && twinOf(model) || model.name;
    showTimes(state.answers.get(shown) || state.ordinary, answer);
  } catch (error) {
    if (placeOf(error) !== "error-input" || signal.aborted)
      throw error;
    showError("error-stages", error.message);
  }
}

async function computePhoto(model, input, signal) {
  const {photo} = input;
  byId("photo-section").hidden = false;
  byId("input-section").hidden = true;
  byId("without-box").hidden = !twinOf(model);
  if (state.photo !== photo || state.model !== model) {
    forgetResult();
    showPhoto(photo);
  }
  const ordinary = answersLabels(model) ? await askLabels(model.name, photo, signal) :
      await askTimes(model.name, photo, signal);
  signal.throwIfAborted();
  if (state.model !== model)
    state.view.outputPage = 0;
  Object.assign(state, {model, x: null, photo, name: input.name, origin: input.origin, literal: undefined, ordinary});
  state.answers = new Map(answersLabels(model) ? [[model.name, ordinary]] : []);
  if (answersLabels(model)) {
    await showVariant(signal);
  } else {
    clearLabels(`${model.name} answers no labels; the channels of its answer are below.`);
    showTimes(ordinary);
    showComputed(model.name, ordinary);
  }
  setStale(false, state);
  await computeStages(signal);
}

/* Requests the result for the current choice, and its stages. */
async function computeChosen(signal) {
  if (!chosenModel)
    return loadModels(signal);
  const model = chosenModel, input = await takeInput(source, model, Number(byId("image-side").value), signal);
  signal.throwIfAborted();
  describeInput(input);
  if (!input)
    return setStale(true, state);
  return input.photo ? computePhoto(model, input, signal) : computeTensor(model, input, signal);
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

/* ---- models ---- */

function pyramidInWords({bins, pool, upsample}) {
  return `${bins ? `bins ${bins.flat().join(", ")}` : "windows"}, ${pool || "adaptive"} pooling, ` +
      `${(upsample || "align_corners").replace("_", " ")}`;
}

function describeChosen(model) {
  const {name, channels, output_channels, parameters, config} = model, pyramids = pyramidsOf(model);
  const layers = config.network ? `${config.network.length} layers; ` : "";
  const of = pyramids.length ? pyramidInWords(pyramids[0].config) : "no pyramid";
  byId("model-text").textContent = `${channels} channels in, ${output_channels} out; ${layers}${of}; ` +
      `${briefCount(parameters).trim()} parameters.`;
  note("model-note", config.weights?.random === undefined ? "" :
       `The weights of ${name} are random: its answers mean nothing.`);
}

async function chooseModel(name, signal) {
  chosenModel = null;
  const model = await describeModel(name, signal);
  signal.throwIfAborted();
  byId("key-box").hidden = true;
  if (model.inputs.length > 1)
    throw new NoPicture(`${model.name} is a network; this page shows models of one input, and it has ` +
                        `${model.inputs.length}. ` +
                        `curl and the clients compute it, and GET /ppm/${model.name} lists its layers.`);
  chosenModel = model;
  describeChosen(model);
  offerSources(model);
  return computeChosen(signal);
}

/* The models may have changed; the chosen one stays chosen if it still exists. At first it is one that takes photos. */
async function loadModels(signal) {
  const first = await describeModel("", signal), chosen = byId("model").value;
  signal.throwIfAborted();
  byId("model").replaceChildren(...first.models.map(name => element("option", {value: name, textContent: name})));
  byId("model").value = first.models.includes(chosen) ? chosen : first.image_models?.[0] || first.name;
  return chooseModel(byId("model").value, signal);
}

/* The server responds again, perhaps as a new process. */
function recover() {
  if (isLost)
    begin(loadModels);
}

/* ---- controls ---- */

function turnPage(by) {
  state.view.outputPage += by;
  showOutput(state);
}

function listenToControls() {
  const on = (id, event, handler) => byId(id).addEventListener(event, handler);
  on("controls", "submit", event => event.preventDefault());
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
  on("without", "change", () => state.photo && begin(showVariant));
  on("want-stages", "click", () => {
    state.wanted = state.photo;
    begin(computeStages);
  });
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
  listenToPhoto();
  listenToControls();
  showTimes();
  showFlops({});
  showMetrics();
  new IntersectionObserver(([{boundingClientRect}]) => byId("up").hidden = boundingClientRect.bottom > 0)
      .observe(byId("controls"));
  begin(loadModels);
  pollMetrics();
}

start();
