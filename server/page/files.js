/* files.js - .npy and safetensors, read and written; errors are one sentence. */

function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent === 31)
    return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

const npyTypes = {
  "<f4": {bytes: 4, read: (view, at) => view.getFloat32(at, true)},
  "<f8": {bytes: 8, read: (view, at) => view.getFloat64(at, true)},
  "<f2": {bytes: 2, read: (view, at) => fromHalf(view.getUint16(at, true))},
};

/* Fortran order, the first axis fastest, to C order. */
function toRows(data, shape) {
  const result = new Float32Array(data.length), index = shape.map(() => 0);
  const steps = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  for (let i = 0, at = 0; i < data.length; i++) {
    result[i] = data[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < shape[axis])
        break;
      at -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

const npyHeaderMax = 1 << 17; /* bytes, magic and all */

/* buffer: the file's first bytes. */
function readNpyHeader(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY" || bytes[0] !== 0x93)
    throw new Error("this is not a .npy file: it does not begin with NumPy's magic bytes");
  const wide = bytes[6] > 1;
  const start = wide ? 12 : 10, end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > npyHeaderMax)
    throw new Error(`this .npy file has a header of ${end} bytes, expected at most ${npyHeaderMax}`);
  if (end > bytes.length)
    throw new Error(`this .npy file ends within its header, after ${bytes.length} bytes`);
  const text = new TextDecoder().decode(bytes.subarray(start, end));
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text), shape = /'shape'\s*:\s*\(([^)]*)\)/.exec(text);
  if (!shape)
    throw new Error("this .npy file's header names no shape");
  return {
    descr: descr ? descr[1] : "something else",
    isFortran: /'fortran_order'\s*:\s*True/.test(text),
    shape: shape[1].split(",").map(axis => axis.trim()).filter(axis => axis)
        .map(axis => Number(axis.replace(/L$/, ""))), /* Python 2 wrote 30L */
    start: end,
  };
}

/* {shape, data} of a File or Blob, with float32 of what it holds. Errors in its header or its size
 * is found before the values are read. */
async function readNpy(file) {
  const {descr, isFortran, shape, start} = readNpyHeader(await file.slice(0, npyHeaderMax).arrayBuffer());
  const type = npyTypes[descr];
  if (!type)
    throw new Error(`this .npy file holds ${descr}, expected <f4, <f8 or <f2`);
  if (shape.length < 3 || shape.length > 4 || !shape.every(axis => Number.isInteger(axis) && axis > 0))
    throw new Error(`this .npy file has the shape [${shape.join(", ")}], expected [C, H, W] or [N, C, H, W]`);
  const count = shape.reduce((a, b) => a * b, 1);
  if (file.size - start !== count * type.bytes)
    throw new Error(`this .npy file has ${file.size - start} bytes after its header, expected ` +
                    `${count * type.bytes} for [${shape.join(", ")}] of ${descr}`);
  const view = new DataView(await file.slice(start).arrayBuffer()), data = new Float32Array(count);
  for (let i = 0; i < count; i++)
    data[i] = type.read(view, i * type.bytes);
  return {shape, data: isFortran ? toRows(data, shape) : data};
}

/* A Blob; all machines that browsers run on are little-endian. */
function writeNpy(tensor) {
  const descr = tensor.data instanceof Int32Array ? "<i4" : "<f4";
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tensor.shape.join(", ")}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const magic = new Uint8Array([0x93, 78, 85, 77, 80, 89, 1, 0, header.length & 255, header.length >> 8]);
  return new Blob([magic, header, tensor.data], {type: "application/x-npy"});
}

/* {tensors: {name: {shape, layout, data}}, metadata} of a safetensors file. */
function readSafetensors(buffer) {
  const bytes = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, bytes)));
  const metadata = header.__metadata__ || {}, tensors = {};
  delete header.__metadata__;
  for (const [name, {dtype, shape, data_offsets: [from, to]}] of Object.entries(header)) {
    const Values = dtype === "I32" ? Int32Array : Float32Array;
    const data = new Values(buffer, 8 + bytes + from, (to - from) / 4);
    tensors[name] = {shape, layout: metadata.layout, data};
  }
  return {tensors, metadata};
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
