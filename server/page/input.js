/* input.js - where x comes from: the sample, a file, an image, a drawing. For a model, each source
 * returns {x, name, note, origin}: a tensor, its name, how it was adapted to the model, and where
 * curl finds it: a {url} of this server, a {file} of the user's, or nothing. A model that takes photos gets
 * them as they are: {photo, name, note, origin}. */

const drawingSide = 30;
const sources = {npy: null, image: null, drawing: new Float32Array(drawingSide * drawingSide)};

function repeated(what, count, channels) {
  if (count === channels)
    return "";
  if (count > channels)
    return `The model takes only the first ${channels === 1 ? "" : `${channels} `}of ${what} ${count} channels.`;
  return `T${what.slice(1)} ${count === 1 ? "one channel is" : `${count} channels are`} repeated over the model's ${channels}.`;
}

const samples = new Map(); /* by their URLs */

async function fetchSample(url, signal, read) {
  if (!samples.has(url))
    samples.set(url, await readAnswer(await ask(url, {signal}), read));
  return samples.get(url);
}

/* The photograph's colors for models of 3 channels, its features for all others. */
async function takeSample(channels, signal) {
  const url = `page/features-${channels === 3 ? 3 : 4}x30x30.npy`;
  const own = {...await fetchSample(url, signal, bytes => readNpy(new Blob([bytes]))), layout: "NCHW"};
  const {c} = sizesOf(own);
  const says = c === 3 ? "A photograph at 30 x 30: red, green, blue." :
      "A photograph at 30 x 30: luminance, its two gradients, local contrast.";
  if (c === channels)
    return {x: own, name: "sample", says, note: "", origin: {url}};
  const planes = Array.from({length: c}, (_, i) => planeOf(own, 0, i));
  return {x: tensorOfPlanes(planes, channels), name: "sample", says,
          note: repeated("the sample's", c, channels), origin: {}};
}

function takeNpy(channels, layout) {
  if (!sources.npy)
    return null;
  const {name, shape, data} = sources.npy;
  const x = {shape, data, layout: guessLayout(shape, channels, layout)};
  return {x, name: name.replace(/\.npy$/, ""), says: `${name}: [${shape.join(", ")}] as ${x.layout}.`, note: "",
          origin: {file: name}};
}

/* Red, green and blue from 0 to 1, the longer side scaled down to `side` pixels. */
function takeImage(channels, side) {
  if (!sources.image)
    return null;
  const {bitmap, file: name} = sources.image;
  if (!bitmap)
    throw new Error(`${name}: ${notReadable}`);
  const shrink = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const w = Math.max(1, Math.round(bitmap.width * shrink)), h = Math.max(1, Math.round(bitmap.height * shrink));
  const context = element("canvas", {width: w, height: h}).getContext("2d", {willReadFrequently: true});
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, 0, 0, w, h);
  const {data} = context.getImageData(0, 0, w, h);
  const planes = [0, 1, 2].map(c => ({h, w, data: Float32Array.from({length: h * w}, (_, i) => data[4 * i + c] / 255)}));
  return {x: tensorOfPlanes(planes, channels), name: name.replace(/\.\w+$/, ""),
          says: `${name}, ${h} x ${w} pixels: red, green, blue from 0 to 1.`,
          note: repeated("the image's", 3, channels), origin: {}};
}

function takePattern(channels) {
  const plane = {h: drawingSide, w: drawingSide, data: sources.drawing};
  return {x: tensorOfPlanes([plane], channels), name: "drawing", says: "Your drawing, from 0 to 1.",
          note: repeated("the drawing's", 1, channels), origin: {}};
}

/* ---- photos ---- */

const notReadable = "this is not an image that the browser can read";

function takesPhotos(model) {
  return Boolean(model.config.input?.image);
}

/* {file, name, blob, bitmap, h, w} of an image's bytes, upright, with bitmap for the screen. What the server does
 * not read is sent as PNG. bitmap is null if the browser cannot read it: the server may, and says what is wrong. */
async function readPhoto(file, bytes) {
  const isSent = ["image/jpeg", "image/png"].includes(bytes.type), name = file.replace(/\.\w+$/, "");
  const bitmap = await createImageBitmap(bytes).catch(error => {
    if (!isSent || isUnread(error))
      throw error;
    return null;
  });
  const {height: h, width: w} = bitmap || {height: 3, width: 4};
  if (!bitmap || isSent && Math.max(h, w) <= photoSideMax)
    return {file, name, blob: bytes, bitmap, h, w};
  const canvas = element("canvas", isSent ? sizeWithin({h, w}, photoSideMax) : {width: w, height: h});
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = isSent ? bytes : await new Promise(done => canvas.toBlob(done, "image/png"));
  return {file, name, blob, bitmap: canvas, h, w};
}

const drawnOnly = "street was trained on drawings like the sample, so nothing is promised for a photograph.";

/* The sample, or the user's photo; null: there is none yet. */
async function takePhoto(source, model, signal) {
  if (source === "sample") {
    const url = "page/street.jpg";
    const photo = await fetchSample(url, signal, bytes => readPhoto("street.jpg", new Blob([bytes], {type: "image/jpeg"})));
    return {photo, name: photo.name, note: "", origin: {url}, says: `A drawn scene, ${photo.w} \u00d7 ${photo.h} pixels.`};
  }
  const photo = sources.image;
  if (!photo)
    return null;
  const size = photo.bitmap ? `${photo.w} \u00d7 ${photo.h} pixels, ` : "";
  return {photo, name: photo.name, note: /^street(-|$)/.test(model.name) ? drawnOnly : "", origin: {file: photo.file},
          says: `${photo.file}: ${size}${briefCount(photo.blob.size)}B.`};
}

/* null: there is nothing yet. */
async function takeInput(source, model, imageSide, signal) {
  const channels = model.channels;
  if (source === "npy")
    return takeNpy(channels, model.layout);
  if (takesPhotos(model))
    return takePhoto(source, model, signal);
  if (source === "image")
    return takeImage(channels, imageSide);
  return source === "pattern" ? takePattern(channels) : takeSample(channels, signal);
}

const fileBytesMax = 1 << 28;

/* The source that a file is for. */
function kindOf(file) {
  return /\.npy$/i.test(file.name) || !file.type.startsWith("image/") ? "npy" : "image";
}

function isUnread(error) {
  return ["NotFoundError", "NotReadableError"].includes(error.name);
}

/* What sources has of a file of this kind. The server has its own bound for photos. */
async function readFile(kind, file) {
  if (kind === "npy" && file.size > fileBytesMax)
    throw new Error(`${file.name}: this file is ${briefCount(file.size)}B, the page takes at most ` +
                    `${briefCount(fileBytesMax)}B; curl sends larger ones`);
  try {
    return kind === "npy" ? {name: file.name, ...await readNpy(file)} : await readPhoto(file.name, file);
  } catch (error) {
    throw new Error(`${file.name}: ${isUnread(error) ? "this cannot be read; is it a folder?" :
                     kind === "image" ? notReadable : error.message}`);
  }
}

/* ---- the drawing ---- */

const patterns = {
  rings: (y, x) => 0.5 + 0.5 * Math.cos(Math.hypot(y - 10, x - 12) * 0.7),
  corner: (y, x) => Math.max(0, 1 - Math.hypot(y, x) / 16),
  checkers: (y, x) => (Math.floor(y / 5) + Math.floor(x / 5)) % 2,
  ramp: (y, x) => x / (drawingSide - 1),
  point: (y, x) => y === 10 && x === 10 ? 1 : 0,
  empty: () => 0,
};

function fillPattern(name) {
  for (let i = 0; i < drawingSide * drawingSide; i++)
    sources.drawing[i] = patterns[name](Math.floor(i / drawingSide), i % drawingSide);
}

function showDrawing(canvas, at) {
  const plane = {h: drawingSide, w: drawingSide, data: sources.drawing};
  const context = canvas.getContext("2d");
  context.drawImage(paintPixels(plane, 1, value => colorOf("gray", [0, 1], value)), 0, 0);
  if (at) {
    context.fillStyle = "rgb(255 120 0 / 0.7)";
    context.fillRect(at.x, at.y, 1, 1);
  }
}

/* A brush of 3 x 3 pixels. */
function dab(y, x, value) {
  for (let v = Math.max(0, y - 1); v <= Math.min(drawingSide - 1, y + 1); v++)
    for (let u = Math.max(0, x - 1); u <= Math.min(drawingSide - 1, x + 1); u++)
      sources.drawing[v * drawingSide + u] = value;
}

/* Lets the user draw; onChange is called after each stroke's step. */
function listenToDrawing(canvas, says, onChange) {
  const at = {y: 15, x: 15};
  const stroke = (event) => {
    const box = canvas.getBoundingClientRect();
    dab(Math.floor((event.clientY - box.top) / box.height * drawingSide),
        Math.floor((event.clientX - box.left) / box.width * drawingSide),
        event.buttons & 2 || event.shiftKey ? 0 : 1);
    showDrawing(canvas);
    onChange();
  };
  canvas.addEventListener("contextmenu", event => event.preventDefault());
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    stroke(event);
  });
  canvas.addEventListener("pointermove", event => event.buttons && stroke(event));
  canvas.addEventListener("blur", () => showDrawing(canvas));
  canvas.addEventListener("keydown", event => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    const value = {" ": 1, Enter: 1, Backspace: 0, Delete: 0}[event.key];
    if (!step && value === undefined)
      return;
    event.preventDefault();
    if (step) {
      at.y = Math.min(Math.max(at.y + step[0], 0), drawingSide - 1);
      at.x = Math.min(Math.max(at.x + step[1], 0), drawingSide - 1);
    } else {
      dab(at.y, at.x, value);
      onChange();
    }
    says.textContent = `Row ${at.y}, column ${at.x}: ${brief(sources.drawing[at.y * drawingSide + at.x])}.`;
    showDrawing(canvas, at);
  });
}
