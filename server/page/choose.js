/* choose.js - choosing an input: its kind, and files that are chosen, dropped, pasted or taken. */

/* Which input the user has chosen; it may still be computing, or refused. */
let source = "sample";

function selectSource(name) {
  source = name;
  document.querySelector(`input[name=source][value=${name}]`).checked = true;
  document.querySelectorAll("[data-source]").forEach(part => part.hidden = part.dataset.source !== name);
}

/* What a model can take, and in which words. */
function offerSources(model) {
  const isPhoto = takesPhotos(model);
  byId("pattern-tab").hidden = isPhoto;
  byId("side-box").hidden = isPhoto;
  byId("camera").hidden = !isPhoto || !canOpenCamera();
  byId("image-tab").textContent = isPhoto ? "Photo" : "Image";
  byId("sample-says").textContent = isPhoto ? "A drawn scene that comes with the page." :
      "A photograph that comes with the page.";
  if (isPhoto && source === "pattern")
    selectSource("sample");
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

/* A file that was chosen, dropped, pasted or taken. An unreadable one replaces the last one too. */
function takeFiles(files) {
  if (files.length === 0)
    return undefined;
  return begin(async signal => {
    const [file] = files, kind = kindOf(file);
    closeCamera();
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
  listenToCamera(takeFiles, error => begin(() => Promise.reject(error)));
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
