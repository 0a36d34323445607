// A small store for each plugin and account.

import * as host from '#host';

/** `{ value, version }`, or undefined. */
export function get(key) {
  return host.kvGet(key);
}

/** The value as text, or undefined. */
export function getText(key) {
  const entry = get(key);
  return entry && new TextDecoder().decode(entry.value);
}

/** Why a value wasn't kept: `conflict` with the version that stands, `quota` or `too-large`. */
export class KvProblem extends Error {
  constructor({ tag, val }) {
    super(tag === 'conflict' ? `another was faster: version ${val} stands` : `the value isn't kept: ${tag}`);
    this.name = 'KvProblem';
    this.tag = tag;
    this.version = val;
  }
}

/** Keeps bytes or text; answers the version. `expected: 0` writes only where there is nothing, `expected: v` only over version v. */
export function set(key, value, { ttlS, expected } = {}) {
  try {
    return host.kvSet(key, typeof value === 'string' ? new TextEncoder().encode(value) : value, ttlS, expected);
  } catch (error) {
    if (error?.payload === undefined) throw error;
    throw new KvProblem(error.payload);
  }
}

/** Forgets it. */
export function remove(key) {
  host.kvDelete(key);
}
