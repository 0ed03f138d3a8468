// A typical server in Node: ONNX Runtime served by Node's http.
//
// usage: ONNXRUNTIME=FOLDER node bench/server_node.mjs MODEL.onnx PORT
//        POST raw float32 to /ppm?shape=N,C,H,W
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.env.ONNXRUNTIME, "package.json"));
const ort = require("onnxruntime-node");

const [model, port] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model);

async function readFloats(request) {
    const bytes = Buffer.allocUnsafeSlow(Number(request.headers["content-length"]));
    let at = 0;
    for await (const piece of request)
        at += piece.copy(bytes, at);
    return new Float32Array(bytes.buffer);
}

async function compute(request, response) {
    const shape = new URL(request.url, "http://localhost").searchParams.get("shape");
    const x = new ort.Tensor("float32", await readFloats(request), shape.split(",").map(Number));
    const { y } = await session.run({ x });
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": y.data.byteLength });
    response.end(new Uint8Array(y.data.buffer, y.data.byteOffset, y.data.byteLength));
}

createServer((request, response) => {
    compute(request, response).catch((reason) => response.writeHead(400).end(String(reason)));
}).listen(Number(port), "127.0.0.1");
