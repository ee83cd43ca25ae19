// ajv with JSON.parse, compiled once and warm: nanoseconds for a body, as JSON.
//
//     NODE_PATH=<node_modules> node ajv.js SCHEMA BODIES     (one body a line)
"use strict";
const fs = require("fs");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");

const ROUNDS = 1000, ROUND_NS = 2e6;
const [schemaPath, bodiesPath] = process.argv.slice(2);
const validate = addFormats(new Ajv()).compile(JSON.parse(fs.readFileSync(schemaPath, "utf8")));
const bodies = fs.readFileSync(bodiesPath, "utf8").split("\n").filter((line) => line);
// As a server gets them.
const buffers = bodies.map((body) => Buffer.from(body));
const values = bodies.map((body) => JSON.parse(body));

function assertValid(valid) {
  if (!valid)
    throw new Error(JSON.stringify(validate.errors));
}

function bestNs(run) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    let now = start, done = 0;
    while (Number(now - start) < ROUND_NS) {
      for (let i = 0; i < bodies.length; i++)
        run(i);
      done += bodies.length;
      now = process.hrtime.bigint();
    }
    best = Math.min(best, Number(now - start) / done);
  }
  return best;
}

const parse = bestNs((i) => JSON.parse(bodies[i]));
const check = bestNs((i) => assertValid(validate(values[i])));
const both = bestNs((i) => assertValid(validate(JSON.parse(bodies[i]))));
const bytes = bestNs((i) => assertValid(validate(JSON.parse(buffers[i].toString()))));
console.log(JSON.stringify({parse, check, both, from_bytes: bytes}));
