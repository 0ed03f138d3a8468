/* figures.js - the picture of the module: x, a row for each bin, the stack, the output. */

const byId = id => document.getElementById(id);
const partColors = ["#7d8794", "#3c78d8", "#159a8c", "#79ad36", "#d8961a", "#c9523f", "#9760bd"];
const gridChannels = 12, legendMax = 256;

function partColor(name, parts) {
  const others = parts.filter(part => part.name !== "x").map(part => part.name);
  return name === "x" ? partColors[0] : partColors[1 + others.indexOf(name) % (partColors.length - 1)];
}

/* The range of a picture's colors: its source's (matched), its own (each), or the user's (fixed). */
function rangeOfView(view, plane, source) {
  const chosen = {fixed: view.fixed, each: rangeOf(plane), matched: rangeOf(source)}[view.range];
  return rangeFor(view.table, chosen);
}

function shapeInWords(tensor) {
  return `[${tensor.shape.join(", ")}]`;
}

function fill(container, ...children) {
  forgetPictures(container);
  container.replaceChildren(...children);
}

/* ---- what comes in, and the rows ---- */

function showInput(state) {
  const {x, view, model, pyramid} = state;
  byId("input-section").hidden = !x;
  if (!x)
    return fill(byId("input-figure"));
  const {c, h, w} = sizesOf(x), channel = Math.min(view.channel, c - 1), plane = planeOf(x, view.n, channel);
  const range = rangeOfView(view, plane, plane), isOwn = pyramid?.x === x;
  fill(byId("input-figure"), makeFigure({
    title: `x, channel ${channel}`, file: `${state.name}-x`, plane, tensor: x, table: view.table, range}));
  byId("input-title").textContent = isOwn ? "The feature map" : "What comes in";
  byId("input-says").textContent =
      `x has ${c} channels of ${h} \u00d7 ${w} values. The pictures show channel ${channel}` +
      `${state.n > 1 ? `, of image ${view.n} of ${state.n}` : ""}. ` +
      (isOwn ? `${model.name} looks at it in ${binsOf(pyramid.config).length} resolutions.` : "");
}

/* The map that a network's pyramid gets from the layers before it. */
function showSource({pyramid, model, view, name, x, photo}) {
  const isShown = Boolean(pyramid && pyramid.x !== x);
  byId("source-section").hidden = !isShown;
  if (!isShown)
    return fill(byId("source-figure"));
  const {c, h, w} = sizesOf(pyramid.x), plane = planeOf(pyramid.x, view.n, view.channel);
  fill(byId("source-figure"), makeFigure({
    title: `map, channel ${view.channel}`, file: `${name}-map`, plane, tensor: pyramid.x, table: view.table,
    range: rangeOfView(view, plane, plane)}));
  byId("source-says").textContent =
      `The first ${pyramid.entry} entries of ${model.name} have made it from ${photo ? "the photo" : "x"}: ${c} ` +
      `channels of ${h} \u00d7 ${w} values, each of a place that they see from close by. This is channel ` +
      `${view.channel}. The pyramid looks at the map in ${binsOf(pyramid.config).length} resolutions.`;
}

function rowFigures(state, branch) {
  const {view, stages, pyramid} = state, {config, source} = pyramid, name = binName(config, branch);
  const tensors = ["pooled", "output", "upsampled"].map(stage => stageOf(pyramid, stages, branch, stage));
  const [pooled, output, upsampled] = tensors;
  const channel = Math.min(view.branchChannel, sizesOf(output).c - 1);
  const cells = cellsOf(config, branch, sizesOf(source), sizesOf(pooled)), map = pyramid.x === state.x ? "x" : "the map";
  const over = planeOf(source, view.n, view.channel), means = planeOf(pooled, view.n, view.channel);
  const grid = planeOf(output, view.n, channel), stretched = planeOf(upsampled, view.n, channel);
  const make = (title, caption, file, plane, tensor, from, more) => makeFigure({
    title: `${name} ${title}`, caption, file: `${state.name}-branch${branch}-${file}`, plane, tensor,
    table: view.table, range: rangeOfView(view, plane, from), ...more});
  const onGrid = {covers: over, hasNumbers: means.w <= 3 && means.h <= 3};
  return [
    make(`cells over ${map}`, "cells", "cells", over, source, over, {cells}),
    make("averages", `${means.h}\u00d7${means.w}`, "pooled", means, pooled, over, onGrid),
    make(`branch output, channel ${channel}`, `${grid.h}\u00d7${grid.w}`, "output", grid, output, grid, onGrid),
    make(`stretched back, channel ${channel}`, `${stretched.h}\u00d7${stretched.w}`, "upsampled", stretched,
         upsampled, grid),
  ];
}

/* On a narrow screen these are next to each picture. */
const columnHeads = [
  ["Cells", "channel"], ["Averages", "channel"], ["Branch output", "branch"],
  ["Stretched back", "branch"],
];

function showRows(state) {
  const {model, view, pyramid} = state;
  byId("rows-section").hidden = byId("stack-section").hidden = !pyramid;
  if (!pyramid)
    return fill(byId("rows"));
  const channels = {channel: view.channel, branch: view.branchChannel};
  fill(byId("heads"), element("span"), ...columnHeads.map(([head, which]) =>
    element("span", {}, element("b", {textContent: head}), ` channel ${channels[which]}`)));
  const rows = binsOf(pyramid.config).map((_, branch) => {
    const label = element("div", {className: "bin"}, element("h3", {textContent: binName(pyramid.config, branch)}),
                          element("p", {className: "hint", textContent: branchLayers(model, pyramid, branch)}));
    const figures = rowFigures(state, branch);
    figures.forEach((figure, i) => figure.dataset.head = columnHeads[i][0]);
    return element("div", {className: "row"}, label, ...figures);
  });
  fill(byId("rows"), ...rows);
}

/* ---- the stack ---- */

/* Sheets in the shape of the map, seen from the side: up to three for each part. */
function drawStack(canvas, sheets, map) {
  const side = 190 / Math.max(map.h, map.w), w = Math.max(side * map.w, 10), h = Math.max(side * map.h, 10);
  const slant = 0.5, rise = 0.3, ratio = window.devicePixelRatio || 1;
  const width = sheets.length ? sheets[sheets.length - 1].at + w * slant + 12 : 1;
  const height = h + w * rise + 8;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.maxWidth = `${width}px`;
  const context = canvas.getContext("2d");
  for (const {at, pixels, color} of sheets) {
    context.setTransform(slant * ratio, -rise * ratio, 0, ratio, (at + 4) * ratio, (w * rise + 4) * ratio);
    context.imageSmoothingEnabled = false;
    context.drawImage(pixels, 0, 0, w, h);
    context.lineWidth = 3;
    context.strokeStyle = color;
    context.strokeRect(0, 0, w, h);
  }
}

function sheetsOf(state, parts) {
  const {view} = state, sheets = [];
  let at = 0;
  for (const part of parts) {
    const shown = Math.min(part.channels, 3);
    const first = part.name === "x" ? view.channel : view.branchChannel;
    for (let i = shown - 1; i >= 0; i--, at += 13) {
      const plane = planeOf(part.tensor, view.n, (Math.min(first, part.channels - 1) + i) % part.channels);
      const range = rangeOfView(view, plane, plane), step = Math.ceil(Math.max(plane.h, plane.w) / 380);
      sheets.push({at, color: partColor(part.name, parts),
                   pixels: paintPixels(plane, step, value => colorOf(view.table, range, value))});
    }
    at += 38;
  }
  return sheets;
}

/* A bar of parts {name, amount, color}, and a list of them. */
function showBar(bar, list, parts, tell) {
  const sum = parts.reduce((total, part) => total + (part.amount || 0), 0);
  bar.replaceChildren(...parts.filter(part => part.amount > 0).map(part => {
    const piece = element("span", {title: `${part.name}: ${tell(part.amount)}`});
    piece.style.flexGrow = part.amount / sum;
    piece.style.background = part.color;
    return piece;
  }));
  list.replaceChildren(...parts.map(part => {
    const swatch = element("i", {"aria-hidden": "true"});
    swatch.style.background = part.color;
    return element("li", {}, swatch, element("span", {textContent: part.name}),
                   element("b", {textContent: tell(part.amount)}));
  }));
}

function showStack(state) {
  const {model, stages, pyramid} = state;
  if (!pyramid)
    return;
  const parts = stackOf(pyramid, stages), isMap = pyramid.x !== state.x;
  const sum = parts.reduce((total, part) => total + part.channels, 0);
  drawStack(byId("stack"), sheetsOf(state, parts), sizesOf(pyramid.x));
  byId("stack-says").textContent =
      `${parts.map(part => part.channels).join(" + ")} = ${sum} channels: every pixel now has ` +
      `averages of its surroundings next to its own values.`;
  showBar(byId("stack-bar"), byId("stack-list"), parts.map(part => ({
    name: part.name !== "x" ? part.name : isMap ? "the map itself" : "x itself", amount: part.channels,
    color: partColor(part.name, parts)})), channels => `${channels} channels`);
  const head = layersAfter(model, pyramid), output = layersInWords(model, "output");
  byId("head-says").textContent = head || output ?
      `Then the head: ${[head, output].filter(words => words).join("; ")}.` : "There is no head: this is the output.";
  byId("stack-title").textContent = isMap ? "What goes out: the stack" : "The stack";
}

/* ---- the output ---- */

/* Whether y is one map of labels: masks of several classes are shown as channels. */
function isMapOfLabels(y) {
  return y.data instanceof Int32Array && sizesOf(y).c === 1;
}

function showMap(state) {
  const {view, stages, model, photo} = state, y = stages.y, isMap = !photo && isMapOfLabels(y);
  byId("map-section").hidden = !isMap;
  if (!isMap)
    return fill(byId("map-figure"));
  const plane = planeOf(y, view.n, 0), counts = new Map();
  const palette = paletteOf(model.config), nameOf = label => className(model.config, label);
  for (const label of plane.data)
    counts.set(label, (counts.get(label) || 0) + 1);
  fill(byId("map-figure"), makeFigure({title: "labels", file: `${state.name}-labels`, plane, tensor: y,
                                       isMap, palette, nameOf}));
  byId("map-says").textContent = `${counts.size} classes at ${plane.h} \u00d7 ${plane.w} pixels` +
      `${counts.size > legendMax ? `, the ${legendMax} most frequent of them` : ""}:`;
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, legendMax);
  byId("map-legend").replaceChildren(...most.map(([label, count]) => {
    const swatch = element("i", {"aria-hidden": "true"});
    swatch.style.background = css(labelColor(palette, label));
    return element("li", {}, swatch, element("span", {textContent: nameOf(label)}),
                   element("b", {textContent: `${brief(100 * count / plane.data.length)} %`}));
  }));
}

function showOutput(state) {
  const {view, stages} = state, isMap = isMapOfLabels(stages.y);
  const tensor = isMap ? stages.head : stages.y;
  byId("output-section").hidden = !tensor;
  if (!tensor)
    return fill(byId("grid"));
  const {c} = sizesOf(tensor), last = Math.max(0, Math.ceil(c / gridChannels) - 1);
  view.outputPage = Math.min(view.outputPage, last);
  /* the last page is full too, so that turning to it moves nothing */
  const first = Math.max(0, Math.min(view.outputPage * gridChannels, c - gridChannels));
  const end = Math.min(first + gridChannels, c);
  byId("output-title").textContent = isMap ? "The scores" : "The output";
  byId("output-page").textContent = `channels ${first} to ${end - 1} of ${c}, ${shapeInWords(tensor)}`;
  byId("previous").disabled = view.outputPage === 0;
  byId("next").disabled = view.outputPage === last;
  fill(byId("grid"), ...Array.from({length: end - first}, (_, i) => {
    const plane = planeOf(tensor, view.n, first + i);
    const name = state.model.config.classes?.[first + i]?.name;
    return makeFigure({title: `${isMap ? "score" : "y"}, channel ${first + i}`, caption: name || `${first + i}`,
                       file: `${state.name}-${isMap ? "head" : "y"}-${first + i}`, plane, tensor,
                       table: view.table, range: rangeOfView(view, plane, plane)});
  }));
}

function showAll(state) {
  pointed = null;
  showInput(state);
  showSource(state);
  showRows(state);
  showStack(state);
  showMap(state);
  showOutput(state);
}
