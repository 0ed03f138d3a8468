/* labels.js - maps of labels, {h, w, data}: their regions, outlines, and names of classes. */

/* Every label's nearest pixel at another size. */
function resizeLabels(map, h, w) {
  if (map.h === h && map.w === w)
    return map;
  const data = new map.data.constructor(h * w);
  const columns = Int32Array.from({length: w}, (_, x) => Math.floor((x + 0.5) * map.w / w));
  for (let y = 0, at = 0; y < h; y++) {
    const row = Math.floor((y + 0.5) * map.h / h) * map.w;
    for (let x = 0; x < w; x++)
      data[at++] = map.data[row + columns[x]];
  }
  return {h, w, data};
}

/* Connected pixels of one label are a region: {h, w, data, counts}, data with a region's number for each
 * pixel, counts with the pixels of each. */
function regionsOf(map) {
  const {h, w} = map, data = new Int32Array(h * w).fill(-1), counts = [], waiting = new Int32Array(h * w);
  for (let first = 0; first < h * w; first++) {
    if (data[first] >= 0)
      continue;
    const label = map.data[first], region = counts.length;
    let begin = 0, end = 0;
    const visit = at => {
      if (data[at] < 0 && map.data[at] === label) {
        data[at] = region;
        waiting[end++] = at;
      }
    };
    for (visit(first); begin < end; begin++) {
      const at = waiting[begin], x = at % w;
      if (x > 0) visit(at - 1);
      if (x + 1 < w) visit(at + 1);
      if (at >= w) visit(at - w);
      if (at + w < h * w) visit(at + w);
    }
    counts.push(end);
  }
  return {h, w, data, counts};
}

/* Along the edges of the pixels of map that have this value, in pixels. Straight runs are one line. */
function outlineOf({h, w, data}, value) {
  const path = new Path2D(), has = (y, x) => y >= 0 && x >= 0 && y < h && x < w && data[y * w + x] === value;
  const trace = (rows, columns, isEdge, line) => {
    for (let row = 0; row <= rows; row++)
      for (let from = 0, to = 0; from < columns; from = to + 1) {
        for (to = from; to < columns && isEdge(row, to); to++);
        if (to > from)
          line(row, from, to);
      }
  };
  const line = (x0, y0, x1, y1) => {
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  };
  trace(h, w, (y, x) => has(y, x) !== has(y - 1, x), (y, from, to) => line(from, y, to, y));
  trace(w, h, (x, y) => has(y, x) !== has(y, x - 1), (x, from, to) => line(x, from, x, to));
  return path;
}

/* The share of pixels whose labels differ. */
function differenceOf(a, b) {
  let differ = 0;
  for (let i = 0; i < a.data.length; i++)
    differ += a.data[i] !== b.data[i];
  return differ / a.data.length;
}

/* ---- answers ---- */

/* COCO's run lengths: pixels outside and inside by turns, column by column. */
function fillRuns(map, counts, label) {
  let at = 0;
  counts.forEach((count, i) => {
    for (const end = at + (i % 2 ? count : 0); at < end; at++)
      map.data[at % map.h * map.w + Math.floor(at / map.h)] = label;
    at += i % 2 ? 0 : count;
  });
}

/* {map, classes} of an answer to ?labels=rle; classes of {id, name, color, share}, the largest first. */
function readLabels({size: [h, w], classes}) {
  const Labels = classes.some(({id}) => id > 255) ? Int32Array : Uint8Array, map = {h, w, data: new Labels(h * w)};
  for (const {id, segmentation} of classes)
    fillRuns(map, segmentation.counts, id);
  return {map, classes: classes.map(({id, name = `class ${id}`, color = vocColor(id), share}) => ({id, name, color, share}))};
}

/* ---- classes ---- */

function paletteOf({output, classes}) {
  return output?.palette || classes?.map(({color, colour}) => color || colour);
}

function className(config, label) {
  return config.classes?.[label]?.name || `class ${label}`;
}

/* For a glance: 12.3 %. */
function percent(share) {
  return `${share > 0.0995 ? (100 * share).toFixed(share > 0.9995 ? 0 : 1) : brief(100 * share)} %`;
}
