// Facts that come in. `dedupeKey` has to be equal for every delivery of the same fact.

import { fields } from './fields.js';

/** Any happening: `{ tag, val }` of the contract. `about`: `conversation`, `actor`, `atMs`, `account`, `followUp`, `extras`. */
export function of(dedupeKey, what, { extras, ...about } = {}) {
  return { dedupeKey, ...about, what, extras: fields(extras) };
}

/** A message: `externalId`, `conversation` and `sender` are needed, `content` is a list. */
export function message(dedupeKey, inbound, about = {}) {
  const val = { echo: false, content: [], related: [], automatic: false, origin: 'direct', extras: [], ...inbound };
  return of(dedupeKey, { tag: 'message', val }, { conversation: val.conversation, atMs: val.sentAtMs, ...about });
}

/** What became of messages. `state`: `sent`, `delivered`, `read`, `played` or `failed`, with its `failure`. */
export function receipt(dedupeKey, messages, state, { atMs, failure, ...about } = {}) {
  const val = { target: { tag: 'messages', val: [messages].flat() }, state, atMs, failure: failure?.variant ?? failure };
  return of(dedupeKey, { tag: 'receipt', val }, { atMs, ...about });
}

/** Somebody pressed a button: `{ target, id, title, answerRef }`. */
export const chose = (dedupeKey, choice, about) => of(dedupeKey, { tag: 'chose', val: choice }, about);

/** A conversation with one person. */
export const direct = (externalId, title) => ({ externalId, kind: 'direct', title });

/** A person by an id of that kind. */
export const party = (scheme, value, name) => ({ identities: [{ scheme, value }], name });
