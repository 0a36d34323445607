// The one error type: each kind says what the gateway does next.

import { fields } from './fields.js';

/** A provider's code, or one of the plugin's README, and words for the operator. */
export function detail(code, message, extras) {
  return { code: String(code), message: String(message), extras: fields(extras) };
}

/** Thrown by a hook, it is what the gateway is told. */
export class Failure extends Error {
  constructor(tag, val) {
    super(tag === 'invalid' ? val.map((problem) => `${problem.pointer}: ${problem.message}`).join('; ') : words(val));
    this.name = 'Failure';
    this.tag = tag;
    this.val = val;
  }

  /** The settings or the message are wrong. `pointer` is the JSON pointer of the field: `/token`. */
  static invalid(pointer, message) {
    return new Failure('invalid', [{ pointer, message }]);
  }

  /** The same with several fields: `[{ pointer, message }]`. */
  static invalidFields(problems) {
    return new Failure('invalid', problems);
  }

  /** The credential is dead: the account waits for a new one, its queue is parked. */
  static unauthorized(code, message, extras) {
    return new Failure('unauthorized', detail(code, message, extras));
  }

  /** The credential lives but lacks a permission: the account is degraded, its queue is parked. */
  static forbidden(code, message, extras) {
    return new Failure('forbidden', detail(code, message, extras));
  }

  /** The provider throttles. `afterMs`: how long it asks to wait; the attempt isn't counted. */
  static limited(afterMs, code, message, extras) {
    return new Failure('limited', { afterMs: afterMs ?? undefined, detail: detail(code, message, extras) });
  }

  /** Certainly not accepted: the gateway sends it again. */
  static unavailable(code, message, extras) {
    return new Failure('unavailable', { afterMs: undefined, detail: detail(code, message, extras) });
  }

  /** Perhaps accepted: the gateway never resends it blindly. */
  static uncertain(code, message, extras) {
    return new Failure('uncertain', detail(code, message, extras));
  }

  /** The recipient can't be reached, now or later. */
  static recipient(code, message, extras) {
    return new Failure('recipient', detail(code, message, extras));
  }

  /** The reply window is closed. Name the way out in the message. */
  static windowClosed(code, message, extras) {
    return new Failure('window-closed', detail(code, message, extras));
  }

  /** Refused for good for another reason. */
  static rejected(code, message, extras) {
    return new Failure('rejected', detail(code, message, extras));
  }

  /** This channel can't carry that content. */
  static unsupported(code, message, extras) {
    return new Failure('unsupported', detail(code, message, extras));
  }

  /** A fault of the plugin itself: it counts towards its breaker. */
  static fault(code, message, extras) {
    return new Failure('fault', detail(code, message, extras));
  }

  /** As the contract has it. */
  get variant() {
    return { tag: this.tag, val: this.val };
  }
}

function words(val) {
  const { code, message } = val.detail ?? val;
  return `${code}: ${message}`;
}
