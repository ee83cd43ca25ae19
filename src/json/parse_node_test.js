// Our parser against JSON.parse: documents made at random, most of them damaged somewhere. What we
// accept, it accepts with the same values; what only it accepts we refuse on purpose: repeated
// names, lone surrogates, depth.
//
//     node parse_node_test.js PROGRAM [SEED]      (PROGRAM: parse_node_test.c)
"use strict";
const assert = require("assert");
const {spawnSync} = require("child_process");

const DOCUMENTS = 20000, DEPTH_MAX = 64;
let seed = Number(process.argv[3] || 1);

// mulberry32
function random() {
  seed = seed + 0x6d2b79f5 | 0;
  let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const SPACES = ["", "", "", " ", "\n", "\t\r ", "  ".repeat(12)];
const NUMBERS = ["0", "-0", "1", "-17", "3.25", "1e5", "1E+2", "-2.5e-3", "1e400", "0.1",
                 "9007199254740993", "123456789012345678901234567890", "1.0", "5e-324"];
const PIECES = ["a", "b", "long text without anything ".repeat(2), "ä", "€", "\u{1f600}", "\\n",
                "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "\u007f",
                "\u2028", "__proto__"];
const DAMAGES = ["\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e", ".", "t", "n", "\u0000",
                 "\u001f", "\ufeff", "\\ud800", "\\udc00x", "\\x", "\\u12", "NaN", "'", "/*", "+"];

const space = () => pick(SPACES);
const string = () => `"${Array.from({length: below(4)}, () => pick(PIECES)).join("")}"`;

function value(depth) {
  const kind = below(depth > 4 ? 5 : 9);
  const list = (item) => Array.from({length: below(5)}, item).join("," + space());
  if (kind === 0)
    return pick(["null", "true", "false"]);
  if (kind < 3)
    return pick(NUMBERS);
  if (kind < 5)
    return string();
  if (kind < 7)
    return `[${space()}${list(() => value(depth + 1) + space())}]`;
  return `{${space()}${list(() => string() + space() + ":" + space() + value(depth + 1))}}`;
}

function document() {
  let bytes = Buffer.from(space() + value(0) + space());
  for (let damages = below(3); damages > 0; damages--) {
    const at = below(bytes.length + 1), cut = below(3);
    const put = below(4) === 0 ? Buffer.from([below(256)]) : Buffer.from(pick(DAMAGES));
    bytes = Buffer.concat([bytes.subarray(0, at), below(4) ? put : Buffer.alloc(0),
                           bytes.subarray(at + cut)]);
  }
  if (below(200) === 0)
    bytes = Buffer.from("[".repeat(DEPTH_MAX) + "]".repeat(DEPTH_MAX));
  return bytes;
}

function readByNode(bytes) {
  try {
    const decoder = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});
    return {value: JSON.parse(decoder.decode(bytes))};
  } catch {
    return null;
  }
}

function refusedOnPurpose(status, text) {
  if (status === "escape")
    return /\\u[dD][89a-fA-F]/.test(text);
  return status === "duplicate" || status === "deep";
}

const documents = Array.from({length: DOCUMENTS}, document);
const run = spawnSync(process.argv[2], {
  input: documents.map((bytes) => bytes.toString("hex") + "\n").join(""), maxBuffer: 1 << 28});
assert.strictEqual(run.status, 0, String(run.stderr));
const lines = run.stdout.toString().split("\n");
assert.strictEqual(lines.pop(), "");
assert.strictEqual(lines.length, DOCUMENTS);

const counts = {};
documents.forEach((bytes, i) => {
  const [, status, ours] = /^(\w+) (.*)$/s.exec(lines[i]);
  const theirs = readByNode(bytes);
  const context = `${status}: ${JSON.stringify(bytes.toString("latin1"))}`;
  counts[status] = (counts[status] || 0) + 1;
  if (status === "ok") {
    assert(theirs, context);
    assert.deepStrictEqual(JSON.parse(ours), theirs.value, context);
  } else {
    assert(!theirs || refusedOnPurpose(status, bytes.toString()), context);
  }
});
for (const status of ["ok", "syntax", "utf8", "escape", "duplicate", "deep", "incomplete"])
  assert(counts[status] > 10, `too few: ${status}`);
console.log(counts);
