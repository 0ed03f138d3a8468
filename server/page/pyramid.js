/* pyramid.js - what follows from a model's description: cells of its bins, its layers in words, the
 * order of its stack. */

function binsOf(config) {
  return config.windows || config.bins;
}

function binName(config, branch) {
  const bin = binsOf(config)[branch];
  const [h, w] = Array.isArray(bin) ? bin : [bin, bin];
  return config.windows ? `windows of ${h}\u00d7${w}` : `${h}\u00d7${w}`;
}

/* Python's round(): halves to the even neighbor. */
function roundHalfEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + low % 2 : Math.round(value);
}

/* [from, to) of each cell along one axis of a map. */
function spansOf(config, branch, axis, extent, pooled) {
  const bin = binsOf(config)[branch];
  const spans = [];
  if ((config.pool || "adaptive") === "adaptive") {
    for (let k = 0; k < pooled; k++)
      spans.push([Math.floor(k * extent / pooled), Math.ceil((k + 1) * extent / pooled)]);
    return spans;
  }
  const window = config.windows ? [bin].flat()[axis] ?? bin : roundHalfEven(extent / bin);
  const pad = config.pool === "valid" ? 0 : Math.floor((pooled * window - extent) / 2);
  for (let k = 0; k < pooled; k++)
    spans.push([Math.max(k * window - pad, 0), Math.min((k + 1) * window - pad, extent)]);
  return spans;
}

/* The cells that a branch averages, as rectangles in x's pixels. */
function cellsOf(config, branch, x, pooled) {
  const rows = spansOf(config, branch, 0, x.h, pooled.h), columns = spansOf(config, branch, 1, x.w, pooled.w);
  return rows.flatMap(([top, bottom]) =>
    columns.map(([left, right]) => ({x: left, y: top, w: right - left, h: bottom - top})));
}

/* What the layers of a branch, of "head" or "output" do, in order. */
function layersInWords(model, where) {
  return model.layers.filter(layer => layer.where.startsWith(where)).map(layer => layer.what).join(", ")
      .replaceAll("->", "\u2192").replaceAll(", batch_norm folded", ", batch_norm");
}

function branchLayers(model, {where}, branch) {
  return layersInWords(model, `${where}branch ${branch} `) || "nothing: the averages as they are";
}

/* ---- the pyramids of a model ---- */

/* Its own, or those among a network's entries: {name, config, entry, prefix of its stages, where in the list
 * of layers}. */
function pyramidsOf({name, config}) {
  if (!config.network)
    return [{name, config, prefix: "", where: ""}];
  return config.network.flatMap((item, entry) => {
    const own = item.name || `network[${entry}]`, prefix = `${item.name || `network.${entry}`}.`;
    return item.pyramid ? [{name: own, config: item.pyramid, entry, prefix, where: `${own}, `}] : [];
  });
}

/* The first one whose stages are in an answer, with the map that comes in (x), and what it pools (source); or
 * nothing. */
function pyramidOf(model, x, stages) {
  const found = pyramidsOf(model).find(({prefix}) => stages[`${prefix}branch.0.pooled`]);
  if (!found)
    return undefined;
  const input = stages[`${found.prefix}input`] || x;
  return {...found, x: input, source: stages.cascade || input};
}

function stageOf({prefix}, stages, branch, name) {
  return stages[`${prefix}branch.${branch}.${name}`];
}

/* [{name, tensor, channels}] in the order in which they are concatenated. */
function stackOf(pyramid, stages) {
  const {config, x} = pyramid, parts = [];
  for (let branch = 0; stageOf(pyramid, stages, branch, "upsampled"); branch++) {
    const tensor = stageOf(pyramid, stages, branch, "upsampled");
    parts.push({name: binName(config, branch), tensor, channels: sizesOf(tensor).c});
  }
  const input = {name: "x", tensor: x, channels: sizesOf(x).c};
  if (config.concat === "branches")
    return parts;
  return config.concat === "input_last" ? [...parts, input] : [input, ...parts];
}

/* What a network does after its pyramid; of a single pyramid, its head. */
function layersAfter(model, {entry, name}) {
  if (entry === undefined)
    return layersInWords(model, "head");
  const last = model.layers.map(layer => layer.where.startsWith(name)).lastIndexOf(true);
  return model.layers.slice(last + 1).filter(layer => layer.where !== "output" && !layer.what.endsWith(", folded"))
      .map(layer => layer.what.replace("->", "\u2192").replace(/, (batch_norm folded|fused)/g, "")).join(", ");
}
