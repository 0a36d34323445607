// From a plugin's functions to the component's exports. Whatever a function throws becomes an answer: a `Failure` as it is, and
// everything else a fault with its text and its place in the account's log.

import { Failure } from './failure.js';
import { value } from './fields.js';
import * as log from './log.js';

/** The account and the time that a hook is called with. */
export class Call {
  #settings;

  constructor({ account, attempt, deadlineMs, extras }) {
    this.account = account;
    this.attempt = attempt;
    this.deadlineMs = deadlineMs;
    this.extras = extras;
  }

  /** The account's settings, which the gateway has checked against the schema. */
  get settings() {
    return (this.#settings ??= JSON.parse(this.account.settings));
  }

  /** Where the account's webhooks have to go. */
  get webhookUrl() {
    return value(this.extras, 'webhook_url');
  }

  /** The time, in milliseconds since 1970: a plugin has no clock of its own. */
  get nowMs() {
    return Number(value(this.extras, 'now_ms'));
  }
}

/** What every plugin exports, as `channel`. */
export function defineChannel({ configure, connect, send, parseInbound, health }) {
  return {
    configure: answering((settings) => JSON.stringify((configure ?? asTheyAre)(JSON.parse(settings)))),
    connect: answering((call, input) => outcome(connect(new Call(call), input))),
    // What was accepted counts even where a later part failed: the answer isn't a result.
    send(call, message) {
      try {
        return sent(send(new Call(call), message));
      } catch (error) {
        return sent({ failed: failure(error) });
      }
    },
    parseInbound: answering((webhook) => {
      const parsed = parseInbound(webhook);
      return Array.isArray(parsed) ? { events: parsed, reply: undefined } : parsed;
    }),
    health: answering((call) => ({ checks: [], facts: [], ...(health?.(new Call(call)) ?? {}) })),
  };
}

/** For plugins that ask instead of being told: exported as `polling`. */
export function definePolling({ poll }) {
  return { poll: answering((call, cursor) => poll(new Call(call), cursor)) };
}

/** For providers that name files instead of sending them: exported as `mediaDownload`. */
export function defineMediaDownload({ download }) {
  return { download: answering((call, providerRef) => download(new Call(call), providerRef)) };
}

/** For providers with templates that have to be approved: exported as `templates`. */
export function defineTemplates({ listTemplates }) {
  return { listTemplates: answering((call, cursor) => listTemplates(new Call(call), cursor)) };
}

/** What can be told of a message before it is queued: exported as `preview`. */
export function definePreview({ preview }) {
  return { preview: answering((account, message) => JSON.stringify(preview(account, message))) };
}

function asTheyAre(settings) {
  return settings;
}

/** The external id alone, one part, or all that the contract knows. */
function sent(answer) {
  if (typeof answer === 'string') return sent({ accepted: [{ externalId: answer }] });
  const part = (accepted, place) => ({ part: place, externalId: undefined, extras: [], ...accepted });
  const failed = answer.failed instanceof Failure ? answer.failed.variant : answer.failed;
  return { accepted: (answer.accepted ?? []).map(part), failed, events: answer.events ?? [] };
}

/** `{ connected: {…} }`, `{ ask: […] }`, `{ scan: {…} }` or `{ wait: ms }`, with the `state` of the next step. */
function outcome({ connected, ask, scan, wait, state, progress }) {
  if (progress) return { progress, state };
  if (ask) return { progress: { tag: 'ask', val: ask }, state };
  if (scan) return { progress: { tag: 'scan', val: scan }, state };
  if (wait !== undefined) return { progress: { tag: 'wait', val: wait }, state };
  return { progress: { tag: 'connected', val: { settings: undefined, facts: [], routes: [], ...connected } }, state };
}

function answering(hook) {
  return (...given) => {
    try {
      return hook(...given);
    } catch (error) {
      // A thrown object that is no Error is the `error` of the contract's result.
      throw failure(error);
    }
  };
}

function failure(error) {
  if (error instanceof Failure) return error.variant;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  log.error(text, { at: error?.stack ?? '' });
  return Failure.fault('exception', text).variant;
}
