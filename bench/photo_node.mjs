// A typical server in Node: a photo in, labels out, by ONNX Runtime, sharp and Node's http.
//
// usage: ONNXRUNTIME=FOLDER SHARP=FOLDER node bench/photo_node.mjs MODEL.onnx PORT MEAN STD
//        POST an image to /ppm, get a PNG; MEAN and STD: r,g,b
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const load = (folder, name) => createRequire(resolve(folder, "package.json"))(name);
const ort = load(process.env.ONNXRUNTIME, "onnxruntime-node");
const sharp = load(process.env.SHARP, "sharp");

const [model, port, ...texts] = process.argv.slice(2);
const [mean, std] = texts.map((text) => text.split(",").map(Number));
const session = await ort.InferenceSession.create(model);

async function label(request, response) {
    const pieces = [];
    for await (const piece of request)
        pieces.push(piece);
    const { data, info } = await sharp(Buffer.concat(pieces)).removeAlpha().toColorspace("srgb").raw()
        .toBuffer({ resolveWithObject: true });
    const size = info.width * info.height;
    const x = new Float32Array(3 * size);
    for (let c = 0; c < 3; c++)
        for (let i = 0; i < size; i++)
            x[c * size + i] = (data[3 * i + c] - mean[c]) / std[c];
    const { y } = await session.run({ x: new ort.Tensor("float32", x, [1, 3, info.height, info.width]) });
    const png = await sharp(Uint8Array.from(y.data, Number), { raw: { ...info, channels: 1 } })
        .toColorspace("b-w").png().toBuffer();
    response.writeHead(200, { "Content-Type": "image/png", "Content-Length": png.length });
    response.end(png);
}

createServer((request, response) => {
    label(request, response).catch((reason) => response.writeHead(400).end(String(reason)));
}).listen(Number(port), "127.0.0.1");
