/**
 * Computes y.npy of the golden cases called tf-... with TensorFlow.js's own operators, in float32.
 *
 * usage: node tools/golden_tfjs.mjs --out tests/golden [CASE...]     writes y.npy
 *        node tools/golden_tfjs.mjs --check tests/golden [CASE...]   compares with the y.npy there
 *
 * Needs Node 18 or later and @tensorflow/tfjs 4.22, kept outside of the project:
 *     mkdir /tmp/tfjs && npm install --prefix /tmp/tfjs @tensorflow/tfjs@4.22.0
 *     NODE_PATH=/tmp/tfjs/node_modules node tools/golden_tfjs.mjs --out tests/golden
 * and run it after tools/golden_cases.py. Its CPU backend is plain JavaScript: any machine will do.
 * --check compares every case whose operators TensorFlow.js has (no adaptive pooling).
 */
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs');
const TOLERANCE = 2e-5;  // of the largest magnitude in y

class Unsupported extends Error {}

/** .npy, version 1, C order: -> {shape, data} */
function loadNpy(file) {
  const raw = fs.readFileSync(file);
  const start = 10 + raw.readUInt16LE(8);
  const head = raw.toString('latin1', 10, start);
  const shape = head.match(/\(([^)]*)\)/)[1].split(',').filter((n) => n.trim()).map(Number);
  const bytes = raw.buffer.slice(raw.byteOffset + start, raw.byteOffset + raw.length);
  return {shape, data: head.includes('<i4') ? new Int32Array(bytes) : new Float32Array(bytes)};
}

function saveNpy(file, {shape, data}) {
  const descr = data instanceof Int32Array ? '<i4' : '<f4';
  let head = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  head = head.padEnd(128 - 10 - 1) + '\n';
  const magic = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, head.length, 0]);
  fs.writeFileSync(file, Buffer.concat([magic, Buffer.from(head), Buffer.from(data.buffer)]));
}

function halfToFloat(h) {
  const sign = h & 0x8000 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

/** -> name => tensor */
function loadSafetensors(file) {
  const raw = fs.readFileSync(file);
  const start = 8 + Number(raw.readBigUInt64LE(0));
  const header = JSON.parse(raw.toString('utf8', 8, start));
  return (name) => {
    const {dtype, shape, data_offsets: [begin, end]} = header[name];
    const bytes = new Uint8Array(raw.subarray(start + begin, start + end)).buffer;
    const values = dtype === 'F32' ? new Float32Array(bytes)
                                   : Float32Array.from(new Uint16Array(bytes), halfToFloat);
    return tf.tensor(values, shape);
  };
}

const ACTIVATIONS = {
  relu: tf.relu, relu6: tf.relu6, elu: tf.elu, sigmoid: tf.sigmoid, tanh: tf.tanh,
  softmax: (x) => tf.softmax(x, 3),
};

const LAYERS = {
  conv(x, {bias = true}, name, tensor) {
    const weight = tensor(`${name}.weight`);
    const hwio = tensor.hwio ? weight : weight.transpose([2, 3, 1, 0]);
    const y = tf.conv2d(x, hwio, 1, 'same');
    return bias ? y.add(tensor(`${name}.bias`)) : y;
  },
  batch_norm(x, {eps = 1e-5, scale = true, center = true}, name, tensor) {
    return tf.batchNorm(x, tensor(`${name}.running_mean`), tensor(`${name}.running_var`),
                        center ? tensor(`${name}.bias`) : null,
                        scale ? tensor(`${name}.weight`) : null, eps);
  },
  prelu: (x, options, name, tensor) => tf.prelu(x, tensor(`${name}.weight`)),
  leaky_relu: (x, {slope = 0.01}) => tf.leakyRelu(x, slope),
};

/** Applies a stack; nameOf(kind, convs) is the default tensor name, expand() fills in {i}, {n}. */
function applyStack(stack, x, nameOf, expand, tensor) {
  let convs = 0;
  for (const entry of stack) {
    const [kind, options] = typeof entry === 'string' ? [entry, {}] : Object.entries(entry)[0];
    convs += kind === 'conv';
    const name = expand(options.weights ?? nameOf(kind, Math.max(convs, 1) - 1));
    if (!LAYERS[kind] && !ACTIVATIONS[kind]) throw new Unsupported(kind);
    x = LAYERS[kind] ? LAYERS[kind](x, options, name, tensor) : ACTIVATIONS[kind](x);
  }
  return x;
}

/** Python's round(): halves go to the even neighbor. */
function roundHalfToEven(value) {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

function strideOf(config, i, size) {
  if (config.windows) return [config.windows[i], config.windows[i]].flat().slice(0, 2);
  return size.map((n) => roundHalfToEven(n / config.bins[i]));
}

function resize(x, size, mode) {
  return tf.image.resizeBilinear(x, size, mode === 'align_corners', mode === 'half_pixel');
}

function branch(config, i, x, tensor) {
  if (config.pool === 'adaptive') throw new Unsupported('adaptive pooling');
  const size = x.shape.slice(1, 3);
  const stride = strideOf(config, i, size);
  const pooled = tf.avgPool(x, stride, stride, config.pool);
  const stack = config.branches ? config.branches[i] : config.branch ?? [];
  const expand = (name) => name.replaceAll('{i}', i).replaceAll('{n}', i + 1);
  const reduced = applyStack(stack, pooled, (kind) => `branch.${i}.${kind}`, expand, tensor);
  const multiple = config.upsample_to === 'stride_multiple';
  const target = multiple ? stride.map((s, axis) => s * pooled.shape[1 + axis]) : size;
  return resize(reduced, target, config.upsample);
}

function output(options, y) {
  if (options.size || options.scale) {
    const size = options.size ?? y.shape.slice(1, 3).map((n) => n * options.scale);
    y = resize(y, size, options.upsample);
  }
  if (options.as === 'softmax') return tf.softmax(y, 3);
  return options.as === 'argmax' ? tf.argMax(y, 3).expandDims(3) : y;
}

/** The module that a configuration describes, from an NHWC x to y. */
function pyramidPooling(config, x, tensor) {
  const indices = (config.windows ?? config.bins).map((_, i) => i);
  if (config.cascade) for (const i of indices) x = branch(config, i, x, tensor);
  const priors = indices.map((i) => branch(config, i, x, tensor));
  const order = {input_first: [x, ...priors], input_last: [...priors, x], branches: priors};
  const joined = tf.concat(order[config.concat], 3);
  const y = applyStack(config.head ?? [], joined, (kind, k) => `head.${k}.${kind}`, (name) => name,
                       tensor);
  return output(config.output ?? {}, y);
}

function compute(folder) {
  const config = JSON.parse(fs.readFileSync(path.join(folder, 'config.json')));
  const {file, prefix = '', kernel_layout: layout} = config.weights;
  const load = loadSafetensors(path.join(folder, file));
  const tensor = Object.assign((name) => load(prefix + name), {hwio: layout === 'HWIO'});
  const {shape, data} = loadNpy(path.join(folder, 'x.npy'));
  const x = tf.tensor(data, shape), nhwc = config.input.layout === 'NHWC';
  const y = pyramidPooling(config, nhwc ? x : x.transpose([0, 2, 3, 1]), tensor);
  const result = nhwc ? y : y.transpose([0, 3, 1, 2]);
  return {shape: result.shape, data: result.dataSync()};
}

/** -> whether y.npy there is what TensorFlow.js computes */
function check(folder) {
  let got;
  try {
    got = compute(folder);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    console.log(`${path.basename(folder)}: skipped, ${error.message}`);
    return true;
  }
  const want = loadNpy(path.join(folder, 'y.npy'));
  if (String(got.shape) !== String(want.shape)) return false;
  const largest = want.data.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  const off = want.data.reduce((m, v, at) => Math.max(m, Math.abs(v - got.data[at])), 0) / largest;
  console.log(`${path.basename(folder)}: off by ${off.toExponential(1)} of the largest value`);
  return off <= TOLERANCE;
}

const [mode, parent, ...wanted] = process.argv.slice(2);
if (!['--out', '--check'].includes(mode) || !parent) {
  console.error('usage: node tools/golden_tfjs.mjs --out|--check tests/golden [CASE...]');
  process.exit(2);
}
await tf.setBackend('cpu');
const isFolder = (name) => fs.statSync(path.join(parent, name)).isDirectory();
const names = wanted.length ? wanted : fs.readdirSync(parent).filter(isFolder).sort();
for (const name of names) {
  const folder = path.join(parent, name);
  if (mode === '--check') {
    if (!check(folder)) process.exitCode = 1;
  } else if (name.startsWith('tf-')) {
    saveNpy(path.join(folder, 'y.npy'), compute(folder));
  }
}
