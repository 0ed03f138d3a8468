/* tensor.js - tensors: {shape, layout, data}, data a Float32Array or an Int32Array in C order. Three
 * axes are a batch of one. */
"use strict";

function sizesOf(tensor) {
  const axes = tensor.shape.length === 3 ? [1, ...tensor.shape] : tensor.shape;
  const [n, c, h, w] = tensor.layout === "NHWC" ? [axes[0], axes[3], axes[1], axes[2]] : axes;
  return {n, c, h, w};
}

/* One channel of one image, as {h, w, data}: data[y * w + x]. In NCHW a view, no copy. */
function planeOf(tensor, n, c) {
  const {c: channels, h, w} = sizesOf(tensor);
  const pixels = h * w;
  if (tensor.layout !== "NHWC") {
    const start = (n * channels + c) * pixels;
    return {h, w, data: tensor.data.subarray(start, start + pixels)};
  }
  const data = new tensor.data.constructor(pixels);
  for (let i = 0, at = n * pixels * channels + c; i < pixels; i++, at += channels)
    data[i] = tensor.data[at];
  return {h, w, data};
}

/* [smallest, largest] finite value; [0, 0] if there is none. */
function rangeOf(...planes) {
  let from = Infinity, to = -Infinity;
  for (const plane of planes)
    for (const value of plane.data)
      if (Number.isFinite(value)) {
        if (value < from) from = value;
        if (value > to) to = value;
      }
  return from <= to ? [from, to] : [0, 0];
}

/* A tensor [1, C, H, W] whose channel c is planes[c mod their number]. */
function tensorOfPlanes(planes, channels) {
  const {h, w} = planes[0];
  const data = new Float32Array(channels * h * w);
  for (let c = 0; c < channels; c++)
    data.set(planes[c % planes.length].data, c * h * w);
  return {shape: [1, channels, h, w], layout: "NCHW", data};
}

/* The layout in which a tensor of this shape has the model's channels; the model's own if both do or neither. */
function guessLayout(shape, channels, standard) {
  const isNchw = shape[shape.length - 3] === channels;
  const isNhwc = shape[shape.length - 1] === channels;
  return isNchw === isNhwc ? standard : isNchw ? "NCHW" : "NHWC";
}

/* The fewest digits that read back to the same float32. */
function shortest(value) {
  if (!Number.isFinite(value))
    return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === Math.fround(value))
      return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/* For a glance: three digits or so. */
function brief(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}

/* The same within a range: values that are small compared with it are 0. */
function briefIn([from, to], value) {
  const most = Math.max(Math.abs(from), Math.abs(to)), step = 10 ** (Math.floor(Math.log10(most)) - 2);
  return most > 0 && Number.isFinite(value) ? brief(Math.round(value / step) * step + 0) : brief(value);
}

/* 4.76 M, with what follows: 4.76 MFLOP. */
function briefCount(value) {
  const units = [" ", " k", " M", " G", " T"];
  let unit = 0;
  for (; Math.abs(value) >= 1000 && unit + 1 < units.length; unit++)
    value /= 1000;
  return `${brief(value)}${units[unit]}`;
}
