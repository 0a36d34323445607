// The gateway as tests have it, under plain Node: a provider that is scripted (`testing.js`), and a store in memory.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The world of the test that runs. `testing.js` makes a new one. */
export let world = fresh();

export function reset() {
  world = fresh();
  return world;
}

function fresh() {
  return { script: [], requests: [], secrets: new Map(), kv: new Map(), lines: [] };
}

/** What a function of the gateway fails with has the contract's error as its `payload`, as in a component. */
function refusal(payload) {
  return Object.assign(new Error(JSON.stringify(payload)), { payload });
}

export function log(level, message, fields) {
  world.lines.push({ level, message, fields: Object.fromEntries(fields) });
}

export function http(request) {
  const route = `${request.method} ${request.target} ${request.path}`;
  world.requests.push({ ...request, route });
  const place = world.script.findIndex((scripted) => scripted.route === route);
  if (place < 0) throw new Error(`${route} was asked, and the script has no answer to it`);
  const [{ answer }] = world.script.splice(place, 1);
  if (answer.problem) throw refusal(answer.problem);
  return answer;
}

export const kvGet = (key) => world.kv.get(key);
export const kvDelete = (key) => void world.kv.delete(key);

export function kvSet(key, value, _ttlS, expected) {
  const stands = world.kv.get(key)?.version ?? 0;
  if (expected !== undefined && expected !== stands) throw refusal({ tag: 'conflict', val: stands });
  world.kv.set(key, { value, version: stands + 1 });
  return stands + 1;
}

export const digest = (algorithm, data) => new Uint8Array(createHash(algorithm).update(data).digest());
export const hasSecret = (secret) => world.secrets.has(secret);
export const random = (length) => new Uint8Array(randomBytes(length));
export const constantTimeEqual = (a, b) => a.length === b.length && timingSafeEqual(a, b);

export function hmac(secret, algorithm, data) {
  if (!world.secrets.has(secret)) throw refusal({ tag: 'unknown-secret', val: secret });
  return new Uint8Array(createHmac(algorithm, world.secrets.get(secret)).update(data).digest());
}

export function sign() {
  throw new Error('signing keys are in the gateway only: `patchbay plugin test` has them');
}

export const publicKey = sign;

/** Bytes in memory. */
export class Blob {
  #bytes = new Uint8Array();
  #mimeType;

  constructor(mimeType) {
    this.#mimeType = mimeType;
  }

  size() {
    return this.#bytes.length;
  }

  mimeType() {
    return this.#mimeType;
  }

  reference() {
    return 'blob-of-the-test';
  }

  read(offset, max) {
    return this.#bytes.slice(offset, offset + Math.min(max, 256 * 1024));
  }

  append(chunk) {
    this.#bytes = Uint8Array.of(...this.#bytes, ...chunk);
  }
}
