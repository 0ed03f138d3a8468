// usage: node tests/cluster/check_types.mjs FOLDER FILE.yaml...
// Checks each document in the files against its type with tsc --strict, in FOLDER, whose node_modules has
// kubernetes-types and others. Then adds a key to every mapping of every document, one at a time: tsc must
// object each time, so that it finds misspelled keys everywhere.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [folder, ...files] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const { loadAll } = createRequire(join(folder, "package.json"))("js-yaml");

const OPERATOR = "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
const MODULES = { // by apiVersion; the type has the kind's name
  "v1": "kubernetes-types/core/v1",
  "apps/v1": "kubernetes-types/apps/v1",
  "autoscaling/v2": "kubernetes-types/autoscaling/v2",
  "networking.k8s.io/v1": "kubernetes-types/networking/v1",
  "policy/v1": "kubernetes-types/policy/v1",
  "serving.kserve.io/v1alpha1": "./kserve",
  "serving.kserve.io/v1beta1": "./kserve",
  "kustomize.config.k8s.io/v1beta1": "./kustomization",
};

function typeOf(file, document) {
  if (file.endsWith("-values.yaml")) return 'import("./kustomization").AdapterValues';
  const { apiVersion, kind } = document;
  if (apiVersion === "monitoring.coreos.com/v1") return `import("${OPERATOR}/${kind}").I${kind}`;
  if (!MODULES[apiVersion]) throw new Error(`${file}: no types for ${apiVersion} ${kind}`);
  const type = `import("${MODULES[apiVersion]}").${kind}`;
  return file.endsWith("models.yaml") ? `Patch<${type}>` : type; // a patch says only what it changes
}

// Yields copies of a document, each with an extra key in one mapping.
function* planted(document) {
  const paths = [];
  (function walk(node, path) {
    if (node === null || typeof node !== "object") return;
    if (!Array.isArray(node)) paths.push(path);
    for (const [key, value] of Object.entries(node)) walk(value, [...path, key]);
  })(document, []);
  for (const path of paths) {
    const copy = structuredClone(document);
    path.reduce((node, key) => node[key], copy)["misspelled key"] = 1;
    yield [path.join("."), copy];
  }
}

const HEAD = `type Patch<T> = { [K in keyof T]?: Patch<T[K]> };\n`;
const line = (type, value, i) => `export const d${i}: ${type} = ${JSON.stringify(value)};\n`;
const documents = files.flatMap((file) => loadAll(readFileSync(file, "utf8")).map((document) => ({ file, document })));
const checks = documents.map(({ file, document }) => [file, typeOf(file, document), document]);
const plants = checks.flatMap(([file, type, document]) =>
  [...planted(document)].map(([path, copy]) => [`${file}: ${path}`, type, copy]));

for (const name of ["kserve.d.ts", "kustomization.d.ts"]) writeFileSync(join(folder, name), readFileSync(join(here, name)));
writeFileSync(join(folder, "checks.ts"), HEAD + checks.map(([, ...rest], i) => line(...rest, i)).join(""));
writeFileSync(join(folder, "planted.ts"), HEAD + plants.map(([, ...rest], i) => line(...rest, i)).join(""));

// The lines after HEAD that tsc objects to, and its messages.
function objections(name) {
  const tsc = createRequire(join(folder, "package.json")).resolve("typescript/bin/tsc");
  const { stdout, status, error } = spawnSync(process.execPath, [tsc, "--noEmit", "--strict", "--pretty", "false",
    "--module", "nodenext", "--moduleResolution", "nodenext", "--skipLibCheck", name], { cwd: folder, encoding: "utf8" });
  if (error) throw error;
  const found = new Map();
  for (const text of stdout.split("\n")) {
    const match = /^(\S+)\((\d+),\d+\): (.*)$/.exec(text);
    if (!match) continue;
    if (match[1] !== name) throw new Error(`the check itself: ${text}`);
    found.set(Number(match[2]) - 2, match[3]);
  }
  if (status !== 0 && found.size === 0) throw new Error(`tsc: ${stdout}`);
  return found;
}

let failures = 0;
for (const [index, text] of objections("checks.ts")) {
  console.log(`! ${checks[index][0]}: ${text}`);
  failures++;
}
const found = objections("planted.ts");
plants.forEach(([where], index) => {
  if (found.has(index)) return;
  console.log(`! ${where}: a misspelled key would pass`);
  failures++;
});
console.log(`${failures ? "! " : "  "}types: ${checks.length} documents, ${found.size} of ${plants.length} misspelled keys found`);
process.exit(failures ? 1 : 0);
