/* picture.js - one map as a picture: heat or labels, cell borders, a scale, values under the pointer. */

const pictureSide = 360, pictureSideMax = 1024; /* of canvases, in canvas pixels */

function element(tag, properties = {}, ...children) {
  const result = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name.includes("-") || name === "role" || name === "for")
      result.setAttribute(name, value);
    else
      result[name] = value;
  result.append(...children);
  return result;
}

/* All pictures on the page; pointing at one points at the same place in all. */
const pictures = new Set();

function forgetPictures(within) {
  for (const picture of pictures)
    if (within.contains(picture.canvas))
      pictures.delete(picture);
}

/* The map's colors at one pixel each, or at every step-th of a large map. */
function paintPixels(plane, step, color) {
  const w = Math.ceil(plane.w / step), h = Math.ceil(plane.h / step);
  const canvas = element("canvas", {width: w, height: h});
  const image = new ImageData(w, h);
  for (let y = 0, at = 0; y < h; y++)
    for (let x = 0; x < w; x++, at += 4) {
      const [red, green, blue] = color(plane.data[y * step * plane.w + x * step]);
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      image.data[at + 3] = 255;
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/* cells: rectangles {x, y, w, h} in the map's pixels. */
function drawBorders(context, cells, scale) {
  const {width, height} = context.canvas, inside = (at, extent) => Math.min(Math.max(at, 2), extent - 2);
  const thickness = Math.min(1, Math.max(Math.min(width, height) / pictureSide, 0.4));
  for (const [lineWidth, strokeStyle] of [[7 * thickness, "rgb(0 0 0 / 0.5)"], [3 * thickness, "#fff"]]) {
    Object.assign(context, {lineWidth, strokeStyle});
    for (const cell of cells) {
      const left = inside(cell.x * scale, width), top = inside(cell.y * scale, height);
      context.strokeRect(left, top, inside((cell.x + cell.w) * scale, width) - left,
                         inside((cell.y + cell.h) * scale, height) - top);
    }
  }
}

/* The numbers themselves, if there are few. */
function drawNumbers(context, plane, range, color) {
  const width = context.canvas.width / plane.w, height = context.canvas.height / plane.h;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${Math.min(width / 3.6, height / 1.5, 44)}px system-ui, sans-serif`;
  for (let y = 0; y < plane.h; y++)
    for (let x = 0; x < plane.w; x++) {
      const value = plane.data[y * plane.w + x], [red, green, blue] = color(value);
      context.fillStyle = 0.3 * red + 0.6 * green + 0.1 * blue > 130 ? "#000" : "#fff";
      context.fillText(briefIn(range, value), (x + 0.5) * width, (y + 0.5) * height);
    }
}

/* covers: {h, w} of the map that a grid covers; its picture has the same shape. */
function paint(canvas, {plane, covers = plane, range, color, cells, hasNumbers}) {
  const step = Math.ceil(Math.max(plane.h, plane.w) / pictureSideMax), pixels = paintPixels(plane, step, color);
  const longest = Math.max(covers.h, covers.w);
  const scale = longest > pictureSideMax ? 1 / Math.ceil(longest / pictureSideMax) : Math.ceil(pictureSide / longest);
  canvas.width = Math.ceil(covers.w * scale);
  canvas.height = Math.ceil(covers.h * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(pixels, 0, 0, canvas.width, canvas.height);
  if (cells)
    drawBorders(context, cells, canvas.width / plane.w);
  if (hasNumbers)
    drawNumbers(context, plane, range, color);
}

function scaleBar(table, range) {
  const canvas = element("canvas", {width: 256, height: 1, "aria-hidden": "true"});
  const context = canvas.getContext("2d"), image = context.createImageData(256, 1);
  colorTables[table].forEach((color, i) => image.data.set([...color, 255], 4 * i));
  context.putImageData(image, 0, 0);
  return element("div", {className: "scale"}, element("span", {textContent: briefIn(range, range[0])}), canvas,
                 element("span", {textContent: briefIn(range, range[1])}));
}

/* place: where in the map, as a fraction of its height and width; null: nowhere. */
function pointAt(picture, place, isOrigin) {
  const {plane, mark, output} = picture;
  mark.hidden = !place;
  output.setAttribute("aria-live", isOrigin ? "polite" : "off");
  if (!place) {
    output.textContent = "";
    return;
  }
  const y = Math.min(Math.floor(place.y * plane.h), plane.h - 1);
  const x = Math.min(Math.floor(place.x * plane.w), plane.w - 1);
  mark.style.left = `${100 * x / plane.w}%`;
  mark.style.top = `${100 * y / plane.h}%`;
  mark.style.width = `${100 / plane.w}%`;
  mark.style.height = `${100 / plane.h}%`;
  const value = plane.data[y * plane.w + x];
  output.textContent = `${y}, ${x}: ${picture.isMap ? picture.nameOf(value) : shortest(value)}`;
}

let pointed = null;
function pointAll(place, origin) {
  pointed = place;
  for (const picture of pictures)
    pointAt(picture, place, picture === origin);
}

function walk(picture, event) {
  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
  if (event.key === "Escape")
    pointAll(null);
  if (!steps)
    return;
  event.preventDefault();
  const {h, w} = picture.plane, at = pointed || {y: -1, x: -1};
  const move = (fraction, extent, by) => {
    const now = Math.floor(fraction * extent);
    return (Math.min(Math.max(fraction < 0 ? 0 : now + by, 0), extent - 1) + 0.5) / extent;
  };
  pointAll({y: move(at.y, h, steps[0]), x: move(at.x, w, steps[1])}, picture);
}

function listen(picture) {
  const {canvas} = picture;
  canvas.addEventListener("pointermove", event => {
    const box = canvas.getBoundingClientRect();
    pointAll({y: Math.min(Math.max((event.clientY - box.top) / box.height, 0), 0.999999),
              x: Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999999)}, picture);
  });
  canvas.addEventListener("pointerleave", () => pointAll(null));
  canvas.addEventListener("keydown", event => walk(picture, event));
}

function saveButtons({title, file, tensor}, canvas) {
  const png = element("button", {type: "button", className: "save", textContent: "PNG",
                                 "aria-label": `Save ${title} as PNG`});
  png.addEventListener("click", () => canvas.toBlob(blob => save(blob, `${file}.png`)));
  const npy = element("button", {type: "button", className: "save", textContent: ".npy",
                                 "aria-label": `Save ${title}, all channels, as .npy`});
  npy.addEventListener("click", () => save(writeNpy(tensor), `${file}.npy`));
  return [png, npy];
}

/* A <figure> of options.plane, which is one channel of options.tensor: title, file (its name without
 * ending), table and range of its colors or isMap with palette and nameOf, covers, cells, hasNumbers. */
function makeFigure(options) {
  const {title, plane, table, range, isMap, palette, nameOf} = options;
  const color = isMap ? label => labelColor(palette, label) : value => colorOf(table, range, value);
  const canvas = element("canvas", {tabIndex: 0, role: "img"});
  const [least, most] = rangeOf(plane);
  canvas.setAttribute("aria-label", `${title}: ${plane.h} by ${plane.w}, ` +
      (isMap ? "labels" : `values from ${brief(least)} to ${brief(most)}`) + "; arrow keys read it");
  const picture = {canvas, plane, isMap, nameOf, mark: element("div", {className: "mark", hidden: true}),
                   output: element("output", {className: "value"})};
  paint(canvas, {...options, color});
  listen(picture);
  pictures.add(picture);
  const caption = element("figcaption", {},
      element("span", {className: "title", textContent: options.caption || title}),
      element("span", {className: "saves"}, ...saveButtons(options, canvas)), picture.output);
  const frame = element("div", {className: "frame"}, canvas, picture.mark), figure = element("figure", {}, frame);
  frame.style.setProperty("--ratio", canvas.width / canvas.height);
  if (!isMap)
    figure.append(scaleBar(table, range));
  figure.append(caption);
  return figure;
}
