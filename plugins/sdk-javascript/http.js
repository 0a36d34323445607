// The only way out. A request names one of the manifest's egress targets, which fixes the host and the credential: the plugin
// never sees the credential.
//
// A request that writes may have been carried out although no answer came: then it fails as `uncertain`, which the gateway never
// resends blindly. One whose repetition does no harm says so with `repeatable: true` (GET and HEAD do from the start): then it fails as
// `unavailable`, and is tried again.

import * as host from '#host';
import { Failure } from './failure.js';
import { fields, header } from './fields.js';

/** A provider's answer, of whatever status. */
export class Response {
  constructor({ status, headers, body }, repeatable) {
    this.status = status;
    this.headers = headers;
    this.repeatable = repeatable;
    /** The body, empty where it went to a blob. */
    this.bytes = body.tag === 'bytes' ? body.val : new Uint8Array();
    /** The body's blob, where the request asked for one. */
    this.blob = body.tag === 'blob' ? body.val : undefined;
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The first header of that name, in any case. */
  header(name) {
    return header(this.headers, name);
  }

  /** `Retry-After` in milliseconds, where it is a number of seconds. */
  get retryAfterMs() {
    const seconds = this.header('retry-after')?.trim();
    return seconds && /^[0-9]+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
  }

  get text() {
    return new TextDecoder().decode(this.bytes);
  }

  /** The body as JSON; fails where it isn't. */
  json() {
    try {
      return JSON.parse(this.text);
    } catch (error) {
      throw this.notUnderstood(error.message);
    }
  }

  /** The body as JSON, or undefined where it isn't. */
  jsonOrNothing() {
    try {
      return JSON.parse(this.text);
    } catch {
      return undefined;
    }
  }

  /** The answer isn't what the protocol says: a failure that knows whether the request may be repeated. */
  notUnderstood(reason) {
    const words = `the provider answered ${this.status}, and not as expected: ${reason}`;
    // A success that can't be read may still have been one.
    return this.status < 300 && !this.repeatable ? Failure.uncertain('not_understood', words) : Failure.unavailable('not_understood', words);
  }
}

const DENIALS = {
  'unknown-target': ['fault', 'egress_unknown_target', 'the manifest has no such egress target'],
  'not-granted': ['forbidden', 'egress_not_granted', "the operator hasn't granted this egress target"],
  'blocked-address': ['forbidden', 'egress_blocked_address', "the host resolves to an address that the gateway doesn't call"],
  'credential-missing': ['unauthorized', 'credential_missing', "a credential of this egress target isn't set"],
  'too-large': ['rejected', 'egress_too_large', 'the request or the response is larger than the egress target allows'],
  quota: ['unavailable', 'egress_quota', 'the call has used up its requests'],
};

/** What is known to have been sent decides. */
function failure({ tag, val }, repeatable) {
  if (tag === 'denied') {
    const [kind, code, words] = DENIALS[val];
    return Failure[kind](code, words);
  }
  if (tag === 'not-sent') return Failure.unavailable('not_sent', `nothing was sent: ${val}`);
  const words = `the connection broke after the request was sent: ${val}`;
  return repeatable ? Failure.unavailable('broken', words) : Failure.uncertain('broken', words);
}

/**
 * Sends a request; every status is an answer. Options: `json` or `form` or `body` (bytes or text) or `multipart` or `blob` or `piece`,
 * `query`, `headers`, `timeoutMs`, `intoBlob`, `capture` ({ pointer: secret }), `repeatable`.
 */
export function request(method, target, path, options = {}) {
  const repeatable = options.repeatable ?? (method === 'GET' || method === 'HEAD');
  const headers = fields(options.headers);
  const body = bodyOf(options);
  if (options.json !== undefined) headers.push({ name: 'content-type', value: 'application/json' });
  const capture = Object.entries(options.capture ?? {}).map(([pointer, secret]) => ({ pointer, secret }));
  let answer;
  try {
    answer = host.http({
      target, method, path, query: fields(options.query), headers, body,
      timeoutMs: options.timeoutMs, intoBlob: options.intoBlob ?? false, capture,
    });
  } catch (error) {
    if (error?.payload === undefined) throw error;
    throw failure(error.payload, repeatable);
  }
  return new Response(answer, repeatable);
}

/** A request that reads. */
export const get = (target, path, options) => request('GET', target, path, options);
/** A request that writes, unless it is called repeatable. */
export const post = (target, path, options) => request('POST', target, path, options);
export const put = (target, path, options) => request('PUT', target, path, options);
export const patch = (target, path, options) => request('PATCH', target, path, options);
/** `delete` is a word of the language. */
export const remove = (target, path, options) => request('DELETE', target, path, options);

function bodyOf({ json, form, body, multipart, blob, piece }) {
  if (json !== undefined) return { tag: 'bytes', val: bytes(JSON.stringify(json)) };
  if (form !== undefined) return { tag: 'form', val: fields(form) };
  if (multipart !== undefined) return { tag: 'multipart', val: multipart.map(part) };
  if (blob !== undefined) return { tag: 'blob', val: blob };
  if (piece !== undefined) return { tag: 'piece', val: { offset: 0, length: undefined, ...piece } };
  if (body !== undefined) return { tag: 'bytes', val: bytes(body) };
  return { tag: 'empty' };
}

/** `{ name, text }`, `{ name, bytes }`, `{ name, blob }` or `{ name, blobRef }`, with `fileName` and `mimeType`. */
function part({ name, text, bytes: given, blob, blobRef, fileName, mimeType }) {
  const content =
    blob !== undefined ? { tag: 'blob', val: blob }
    : blobRef !== undefined ? { tag: 'blob-ref', val: blobRef }
    : { tag: 'bytes', val: bytes(given ?? text ?? '') };
  return { name, fileName, mimeType, content };
}

function bytes(given) {
  return typeof given === 'string' ? new TextEncoder().encode(given) : given;
}
