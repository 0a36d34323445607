// Keys are named, never read. Hashing is here too: what takes the gateway 2 µs takes JavaScript 2 ms.

import * as host from '#host';

/** There is no such secret, or it is no key of that kind. */
export class CryptoProblem extends Error {
  constructor({ tag, val }) {
    super(tag === 'unknown-secret' ? `there is no secret “${val}”` : `the secret is no key for that: ${val}`);
    this.name = 'CryptoProblem';
    this.tag = tag;
  }
}

const bytes = (data) => (typeof data === 'string' ? new TextEncoder().encode(data) : data);

function asked(ask) {
  try {
    return ask();
  } catch (error) {
    if (error?.payload === undefined) throw error;
    throw new CryptoProblem(error.payload);
  }
}

/** `algorithm`: `sha1`, `sha256` or `sha512`. */
export const digest = (algorithm, data) => host.digest(algorithm, bytes(data));
/** Whether the account has that secret. */
export const has = (secret) => host.hasSecret(secret);
export const hmac = (secret, algorithm, data) => asked(() => host.hmac(secret, algorithm, bytes(data)));
/** `algorithm`: `es256` or `rs256`. */
export const sign = (secret, algorithm, data) => asked(() => host.sign(secret, algorithm, bytes(data)));
/** The raw public key of a signing secret. */
export const publicKey = (secret) => asked(() => host.publicKey(secret));
export const constantTimeEqual = (a, b) => host.constantTimeEqual(bytes(a), bytes(b));
/** Bytes that nobody can guess, at most 1,024. */
export const random = (length) => host.random(length);
export const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
