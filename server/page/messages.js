/* messages.js - errors next to their causes, and whether the pictures show the current choice. */

/* The controls that each error belongs to. */
const errorControls = {
  "error-model": "#model", "error-key": "#key", "error-input": "#npy-file, #image-file", "error-run": "#again",
  "error-stages": "#want-stages",
};

function showError(id, sentence) {
  const place = byId(id), controls = errorControls[id] ? document.querySelectorAll(errorControls[id]) : [];
  if (place.textContent !== sentence)
    place.textContent = sentence;
  place.hidden = !sentence;
  controls.forEach(control => control.toggleAttribute("aria-invalid", Boolean(sentence)));
}

function clearErrors() {
  Object.keys(errorControls).forEach(id => showError(id, ""));
}

const inputStatuses = [400, 406, 413, 415, 422];

/* A model that has no picture here. */
class NoPicture extends Error {}

/* The key, the model, the input, or the button if the user is not at fault. */
function placeOf(error) {
  if (error instanceof NoPicture)
    return "error-model";
  if (!(error instanceof Refusal) || inputStatuses.includes(error.status))
    return "error-input";
  return {401: "error-key", 404: "error-model"}[error.status] || "error-run";
}

/* A server with keys is not an error until one was typed. */
function askForKey(sentence) {
  byId("key-box").hidden = false;
  showError("error-key", server.key ? sentence : "");
  if (document.activeElement === document.body)
    byId("key").focus({preventScroll: true});
}

function note(id, sentence) {
  byId(id).textContent = sentence;
  byId(id).hidden = !sentence;
}

/* About the chosen input; null: there is none. */
function describeInput(input) {
  byId("input-text").textContent = input ? input.says : "Nothing yet: choose, drop or paste a file.";
  note("input-note", input ? input.note : "");
}

/* shown: the state behind the pictures, if they are not those of the current choice. */
function setStale(isStale, shown) {
  document.querySelectorAll(".picture, .of-answer").forEach(part => part.classList.toggle("stale", isStale));
  byId("save-x").disabled = isStale || !shown.x;
  byId("save-x").hidden = Boolean(shown.photo);
  const name = shown.photo ? shown.photo.file : shown.name;
  if (isStale)
    byId("status").textContent = shown.model ? `The pictures still show ${name} through ${shown.model.name}.` : "";
}
