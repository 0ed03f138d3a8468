/* photo.js - the photo with labels over it: opacity, outlines, names and shares under the pointer. */

const photoSideMax = 1600, labelsSideMax = 1024; /* on the screen; the request has all pixels */

/* What is on the screen. answer: of askLabels. at: where the pointer is, as fractions. pinned: a class whose
 * outline stays. drawn: what is outlined, as text. */
const overlay = {photo: null, answer: null, map: null, regions: null, at: null, pinned: null, drawn: ""};

function sizeWithin({h, w}, side) {
  const shrink = Math.min(1, side / Math.max(h, w));
  return {height: Math.max(1, Math.round(h * shrink)), width: Math.max(1, Math.round(w * shrink))};
}

/* ---- outlines ---- */

/* In the map's pixels, over the whole picture; null: none. */
function drawOutline(path) {
  const canvas = byId("outline"), box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  if (!path)
    return;
  const scaled = new Path2D(), context = canvas.getContext("2d");
  scaled.addPath(path, new DOMMatrix([canvas.width / overlay.map.w, 0, 0, canvas.height / overlay.map.h, 0, 0]));
  context.lineCap = "square";
  for (const [lineWidth, strokeStyle] of [[5, "#000"], [2.5, "#fff"]]) {
    Object.assign(context, {lineWidth: lineWidth * ratio, strokeStyle});
    context.stroke(scaled);
  }
}

/* Of a class (label) or, within it, of one region; neither: of the pinned class. */
function outlineClass(label, region) {
  const shown = label ?? overlay.pinned, drawn = region === undefined ? `class ${shown}` : `region ${region}`;
  for (const button of byId("classes").querySelectorAll("button"))
    button.classList.toggle("pointed", Number(button.value) === shown);
  if (overlay.drawn === drawn)
    return;
  overlay.drawn = drawn;
  if (region !== undefined)
    drawOutline(outlineOf(overlay.regions, region));
  else
    drawOutline(shown === null ? null : outlineOf(overlay.map, shown));
}

/* ---- pointing ---- */

/* "car: 1.2 % here, 4.1 % in all" */
function wordsFor(label, region) {
  const {answer, map, regions} = overlay, {name, share} = answer.classes.find(({id}) => id === label);
  const own = regions.counts[region] / map.data.length;
  return `${name}: ${percent(own) === percent(share) ? "" : `${percent(own)} here, `}${percent(share)} in all`;
}

/* at: where in the photo, as fractions of its height and width; null: nowhere. */
function pointAtPhoto(at, isByKey) {
  const tip = byId("tip"), {map} = overlay;
  overlay.at = at;
  tip.hidden = !(at && map);
  tip.setAttribute("aria-live", isByKey ? "polite" : "off");
  if (tip.hidden) {
    tip.textContent = "";
    return outlineClass(null);
  }
  overlay.regions ||= regionsOf(map);
  const pixel = Math.floor(at.y * map.h) * map.w + Math.floor(at.x * map.w);
  const label = map.data[pixel], region = overlay.regions.data[pixel];
  outlineClass(label, region);
  tip.textContent = wordsFor(label, region);
  tip.classList.toggle("left", at.x > 0.5);
  tip.classList.toggle("above", at.y > 0.75);
  tip.style.left = `${100 * at.x}%`;
  tip.style.top = `${100 * at.y}%`;
}

/* Steps of a fortieth of the longer side; with Shift, of a pixel of the map. */
function walkPhoto(event) {
  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
  const {map, at} = overlay;
  if (event.key === "Escape")
    pointAtPhoto(null);
  if (!steps || !map)
    return;
  event.preventDefault();
  const step = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(map.h, map.w) / 40));
  const move = (fraction, extent, by) =>
    (Math.min(Math.max(Math.floor(fraction * extent) + by * step, 0), extent - 1) + 0.5) / extent;
  const from = at || {y: 0.5, x: 0.5};
  pointAtPhoto({y: move(from.y, map.h, steps[0]), x: move(from.x, map.w, steps[1])}, true);
}

/* ---- the pictures ---- */

function showOpacity() {
  byId("labels").style.opacity = byId("opacity").value / 100;
}

/* A photo whose labels are not known yet. One that the browser cannot read is gray. */
function showPhoto(photo) {
  overlay.photo = photo;
  clearLabels("");
  const {height, width} = sizeWithin(photo, photoSideMax), canvas = Object.assign(byId("photo"), {height, width});
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, height);
  if (photo.bitmap)
    context.drawImage(photo.bitmap, 0, 0, width, height);
  byId("photo-frame").style.setProperty("--ratio", width / height);
  canvas.setAttribute("aria-label", `${photo.file}, without labels yet`);
}

/* Of a model that answers none. */
function clearLabels(says) {
  Object.assign(overlay, {answer: null, map: null, regions: null, pinned: null});
  byId("labels").width = 1;
  byId("classes").replaceChildren();
  byId("photo-says").textContent = says;
  pointAtPhoto(null);
}

function makeClass({id, name, share, color}) {
  const swatch = element("i", {"aria-hidden": "true"});
  const button = element("button", {type: "button", value: id, "aria-pressed": "false"}, swatch,
                         element("span", {textContent: name}), element("b", {textContent: percent(share)}));
  swatch.style.background = css(color);
  for (const event of ["pointerenter", "focus"])
    button.addEventListener(event, () => outlineClass(id));
  for (const event of ["pointerleave", "blur"])
    button.addEventListener(event, () => outlineClass(null));
  button.addEventListener("click", () => {
    overlay.pinned = overlay.pinned === id ? null : id;
    for (const other of byId("classes").querySelectorAll("button"))
      other.setAttribute("aria-pressed", String(Number(other.value) === overlay.pinned));
  });
  return element("li", {}, button);
}

/* answer: of askLabels, for the photo on the screen. */
function showLabels(answer, says) {
  const {height, width} = sizeWithin(answer.map, labelsSideMax), map = resizeLabels(answer.map, height, width);
  const canvas = Object.assign(byId("labels"), {height, width});
  const colors = new Map(answer.classes.map(({id, color}) => [id, color]));
  Object.assign(overlay, {answer, map, regions: null, pinned: null, drawn: ""});
  canvas.getContext("2d").drawImage(paintPixels(map, 1, label => colors.get(label)), 0, 0);
  byId("classes").replaceChildren(...answer.classes.map(makeClass));
  byId("photo").setAttribute("aria-label", `${overlay.photo.file} with labels: ${answer.classes.slice(0, 3).map(
      ({name, share}) => `${name} ${percent(share)}`).join(", ")}; arrow keys read it`);
  byId("photo-says").textContent = says;
  pointAtPhoto(overlay.at);
}

/* The photo and the labels over it, as on the screen, as a PNG. */
function savePhoto() {
  const photo = byId("photo"), canvas = element("canvas", {width: photo.width, height: photo.height});
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(photo, 0, 0);
  context.globalAlpha = byId("opacity").value / 100;
  context.drawImage(byId("labels"), 0, 0, canvas.width, canvas.height);
  canvas.toBlob(blob => save(blob, `${overlay.photo.name}-labels.png`));
}

function listenToPhoto() {
  const canvas = byId("photo");
  const point = event => {
    const box = canvas.getBoundingClientRect(), within = value => Math.min(Math.max(value, 0), 0.999999);
    pointAtPhoto({y: within((event.clientY - box.top) / box.height), x: within((event.clientX - box.left) / box.width)});
  };
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointermove", point);
  /* a finger that leaves has read nothing yet */
  canvas.addEventListener("pointerleave", event => event.pointerType !== "touch" && pointAtPhoto(null));
  canvas.addEventListener("blur", () => pointAtPhoto(null));
  canvas.addEventListener("keydown", walkPhoto);
  byId("opacity").addEventListener("input", showOpacity);
  byId("save-photo").addEventListener("click", savePhoto);
  new ResizeObserver(() => {
    overlay.drawn = "";
    if (overlay.map)
      pointAtPhoto(overlay.at);
  }).observe(canvas);
  showOpacity();
}
