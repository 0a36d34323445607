// What a plugin's own tests need, under plain `node --test`: a provider that is scripted.

import { reset, world } from './host/native.js';

/** A scripted provider and the rest of a test's world: nothing stored, no secrets. Making one forgets the one before. */
export class Provider {
  constructor() {
    reset();
  }

  /** The method, target and path of requests: `POST api /messages`. Each answer given to it serves one request, in order. */
  on(route) {
    const script = (answer) => {
      world.script.push({ route, answer });
      return answers;
    };
    const answers = {
      answer: (status, body, headers = {}) =>
        script({ status, headers: Object.entries(headers).map(([name, value]) => ({ name, value })), body: { tag: 'bytes', val: bytesOf(body) } }),
      notSent: (reason) => script({ problem: { tag: 'not-sent', val: reason } }),
      broken: (reason) => script({ problem: { tag: 'broken', val: reason } }),
    };
    return answers;
  }

  /** Gives the account a secret. */
  secret(name, value) {
    world.secrets.set(name, value);
  }

  /** The requests so far, oldest first, with `route` and what `json` they carried. */
  get requests() {
    return world.requests.map((request) => ({ ...request, json: jsonOf(request.body) }));
  }

  /** The lines logged so far. */
  get log() {
    return world.lines;
  }

  /** Routes that were scripted and never asked for. */
  get left() {
    return world.script.map((scripted) => scripted.route);
  }
}

function bytesOf(body) {
  if (body instanceof Uint8Array) return body;
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
}

function jsonOf(body) {
  try {
    return body.tag === 'bytes' ? JSON.parse(new TextDecoder().decode(body.val)) : undefined;
  } catch {
    return undefined;
  }
}

/** An account with these settings. */
export function account(settings = {}, externalId = undefined) {
  return { id: '019a0000-0000-7000-8000-000000000001', externalId, settings: JSON.stringify(settings) };
}

/** A call for an account with these settings, with ten seconds to go. */
export function call(settings = {}, { externalId, extras = {} } = {}) {
  const given = { webhook_url: 'https://gateway.example/webhooks/x', now_ms: '1764000100000', ...extras };
  return { account: account(settings, externalId), attempt: 1, deadlineMs: 10_000, extras: Object.entries(given).map(([name, value]) => ({ name, value })) };
}

/** A message of these contents to a recipient. */
export function outbound(to, contents, more = {}) {
  const command = { tag: 'message', val: contents };
  return { id: '019a0000-0000-7000-8000-0000000000aa', to, command, subscriptions: [], extras: [], ...more };
}

/** A webhook of an account with that body: text, or what becomes JSON. */
export function webhook(body, more = {}) {
  return { account: account(), method: 'POST', path: '', query: [], headers: [], body: bytesOf(body), verifiedBy: 'test', extras: [], ...more };
}
