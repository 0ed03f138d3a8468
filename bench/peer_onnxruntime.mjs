// The contender ONNX Runtime, which bench/peers starts and drives by lines on stdin.
//
//     load FILE.onnx N,C,H,W FOLDER   -> {}: reads FOLDER/x.f32, writes onnxruntime.f32 there, or .i32 for labels
//     run SECONDS                     -> {"median_ms": ..., "runs": ...}
//     threads COUNT, version, memory  -> {...}
//
// ONNXRUNTIME: the folder where npm installed onnxruntime-node.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const require = createRequire(resolve(process.env.ONNXRUNTIME, "package.json"));
const ort = require("onnxruntime-node");

let threads = 1;
let session;
let feeds;
let fetches; // the answer's place, so that none is allocated while it is measured

async function runOnce() {
    const start = process.hrtime.bigint();
    await session.run(feeds, fetches);
    return Number(process.hrtime.bigint() - start) / 1e6;
}

const verbs = {
    async load(file, shape, folder) {
        await session?.release();
        session = await ort.InferenceSession.create(file, {
            intraOpNumThreads: threads,
            interOpNumThreads: 1,
            executionMode: "sequential",
            graphOptimizationLevel: "all",
        });
        const bytes = readFileSync(`${folder}/x.f32`);
        const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        feeds = { x: new ort.Tensor("float32", Float32Array.from(values), shape.split(",").map(Number)) };
        const { y } = await session.run(feeds);
        writeFileSync(`${folder}/onnxruntime.${y.type === "int32" ? "i32" : "f32"}`, new Uint8Array(y.data.buffer, y.data.byteOffset, y.data.byteLength));
        fetches = { y };
        return {};
    },

    async run(seconds) {
        const times = [];
        await runOnce();
        const end = performance.now() + 1e3 * Number(seconds);
        while (times.length === 0 || performance.now() < end)
            times.push(await runOnce());
        times.sort((a, b) => a - b);
        return { median_ms: times[times.length >> 1], runs: times.length };
    },

    async threads(count) {
        threads = Number(count);
        return { threads };
    },

    async memory() {
        return { max_rss_bytes: 1024 * process.resourceUsage().maxRSS };
    },

    async version() {
        return { version: require("onnxruntime-node/package.json").version };
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const [verb, ...rest] = line.split(" ");
    console.log(JSON.stringify(await verbs[verb](...rest)));
}
