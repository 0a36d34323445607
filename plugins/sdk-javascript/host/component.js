// The gateway, from within a component. `plugin build` puts the contract's version behind these names.

import * as logs from 'patchbay:channel/log';
import * as store from 'patchbay:channel/kv';
import * as door from 'patchbay:channel/http';
import * as keys from 'patchbay:channel/crypto';

export { Blob } from 'patchbay:channel/types';

export const log = (level, message, fields) => logs.write(level, message, fields);
export const http = (request) => door.send(request);
export const kvGet = (key) => store.get(key);
export const kvSet = (key, value, ttlS, expected) => store.set(key, value, ttlS, expected);
export const kvDelete = (key) => store.delete(key);
export const digest = (algorithm, data) => keys.digest(algorithm, data);
export const hasSecret = (secret) => keys.has(secret);
export const hmac = (secret, algorithm, data) => keys.hmac(secret, algorithm, data);
export const sign = (secret, algorithm, data) => keys.sign(secret, algorithm, data);
export const publicKey = (secret) => keys.publicKey(secret);
export const constantTimeEqual = (a, b) => keys.constantTimeEqual(a, b);
export const random = (length) => keys.random(length);

// A component has no output: what is written to the console goes to the account's log.
const written = (level) => (...given) => log(level, given.map((one) => (typeof one === 'string' ? one : show(one))).join(' '), []);

function show(value) {
  if (value instanceof Error) return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

globalThis.console = { debug: written('debug'), log: written('debug'), info: written('info'), warn: written('warn'), error: written('error') };
