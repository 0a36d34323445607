// The types of the JavaScript SDK: see each `.js` for what it does.

import type * as contract from './contract.js';

export type * from './contract.js';
export { Blob } from './contract.js';

type Fields = contract.Field[] | Record<string, string | number | boolean | null | undefined | Array<string | number | boolean>>;
type Settings = Record<string, unknown>;
type Some<T, K extends keyof T> = Partial<T> & Pick<T, K>;

/** The account and the time that a hook is called with. */
export class Call {
  account: contract.Account;
  attempt: number;
  deadlineMs: number;
  extras: contract.Field[];
  /** The account's settings, which the gateway has checked against the schema. */
  get settings(): any;
  /** Where the account's webhooks have to go. */
  get webhookUrl(): string | undefined;
  /** The time, in milliseconds since 1970: a plugin has no clock of its own. */
  get nowMs(): number;
}

/** Where connecting stands: one of `connected`, `ask`, `scan` and `wait`, with the `state` of the next step. */
export interface Progressing {
  connected?: Some<contract.Connected, 'externalId' | 'displayName'>;
  ask?: contract.Question[];
  scan?: contract.Pairing;
  /** Milliseconds. */
  wait?: number;
  state?: Uint8Array;
}

/** What was accepted counts even where a later part failed. */
export interface Sending {
  accepted?: Array<Partial<contract.Accepted>>;
  failed?: Failure | contract.Failure;
  events?: contract.Event[];
}

export interface Channel {
  /** Pure: checks settings and returns them normalised. No network, no clock. */
  configure?(settings: any): Settings;
  connect(call: Call, input: contract.Connecting): Progressing;
  /** The provider's id alone is the answer where the message became one part. */
  send(call: Call, message: contract.Outbound): string | Sending;
  /** Every event of the body, in order. Pure but for `crypto`. */
  parseInbound(webhook: contract.Webhook): contract.Event[] | contract.Parsed;
  health?(call: Call): Partial<contract.Report>;
}

/** What every plugin exports, as `channel`. */
export function defineChannel(channel: Channel): object;
/** For plugins that ask instead of being told: exported as `polling`. */
export function definePolling(group: { poll(call: Call, cursor: Uint8Array | undefined): contract.Page }): object;
/** For providers that name files instead of sending them: exported as `mediaDownload`. */
export function defineMediaDownload(group: { download(call: Call, providerRef: string): contract.Blob }): object;
/** For providers with templates that have to be approved: exported as `templates`. */
export function defineTemplates(group: { listTemplates(call: Call, cursor: string | undefined): contract.TemplatePage }): object;
/** What can be told of a message before it is queued: exported as `preview`. */
export function definePreview(group: { preview(account: contract.Account, message: contract.Outbound): object }): object;

/** A provider's code, or one of the plugin's README, and words for the operator. */
export function detail(code: string | number, message: string, extras?: Fields): contract.Detail;

/** Thrown by a hook, it is what the gateway is told: each kind says what the gateway does next. */
export class Failure extends Error {
  /** The settings or the message are wrong. `pointer` is the JSON pointer of the field: `/token`. */
  static invalid(pointer: string, message: string): Failure;
  static invalidFields(problems: contract.FieldProblem[]): Failure;
  /** The credential is dead: the account waits for a new one, its queue is parked. */
  static unauthorized(code: string | number, message: string, extras?: Fields): Failure;
  /** The credential lives but lacks a permission: the account is degraded, its queue is parked. */
  static forbidden(code: string | number, message: string, extras?: Fields): Failure;
  /** The provider throttles. `afterMs`: how long it asks to wait; the attempt isn't counted. */
  static limited(afterMs: number | undefined, code: string | number, message: string, extras?: Fields): Failure;
  /** Certainly not accepted: the gateway sends it again. */
  static unavailable(code: string | number, message: string, extras?: Fields): Failure;
  /** Perhaps accepted: the gateway never resends it blindly. */
  static uncertain(code: string | number, message: string, extras?: Fields): Failure;
  /** The recipient can't be reached, now or later. */
  static recipient(code: string | number, message: string, extras?: Fields): Failure;
  /** The reply window is closed. Name the way out in the message. */
  static windowClosed(code: string | number, message: string, extras?: Fields): Failure;
  /** Refused for good for another reason. */
  static rejected(code: string | number, message: string, extras?: Fields): Failure;
  /** This channel can't carry that content. */
  static unsupported(code: string | number, message: string, extras?: Fields): Failure;
  /** A fault of the plugin itself: it counts towards its breaker. */
  static fault(code: string | number, message: string, extras?: Fields): Failure;
  /** As the contract has it. */
  get variant(): contract.Failure;
}

/** A field of that name and value. */
export function field(name: string, value: string | number | boolean): contract.Field;
/** The first value of that exact name. */
export function value(list: contract.Field[], name: string): string | undefined;
/** The first value of that header, in whatever case it was written. */
export function header(list: contract.Field[], name: string): string | undefined;

export namespace http {
  interface Options {
    json?: unknown;
    form?: Fields;
    body?: Uint8Array | string;
    multipart?: Part[];
    blob?: contract.Blob;
    piece?: { blobRef: string; offset?: number; length?: number };
    query?: Fields;
    headers?: Fields;
    timeoutMs?: number;
    /** The answer's body goes to a blob. */
    intoBlob?: boolean;
    /** JSON pointers of the answer that are lifted into named secrets. */
    capture?: Record<string, string>;
    /** Doing it twice is the same as doing it once: a broken connection is no doubt then. */
    repeatable?: boolean;
  }
  interface Part {
    name: string;
    text?: string;
    bytes?: Uint8Array;
    blob?: contract.Blob;
    blobRef?: string;
    fileName?: string;
    mimeType?: string;
  }
  /** A provider's answer, of whatever status. */
  class Response {
    status: number;
    headers: contract.Field[];
    bytes: Uint8Array;
    blob?: contract.Blob;
    get ok(): boolean;
    get text(): string;
    get retryAfterMs(): number | undefined;
    header(name: string): string | undefined;
    /** Fails where the body isn't JSON. */
    json(): any;
    jsonOrNothing(): any;
    /** A failure that knows whether the request may be repeated. */
    notUnderstood(reason: string): Failure;
  }
  /** `target` is one of the manifest's `[egress.NAME]`. */
  function request(method: string, target: string, path: string, options?: Options): Response;
  function get(target: string, path: string, options?: Options): Response;
  function post(target: string, path: string, options?: Options): Response;
  function put(target: string, path: string, options?: Options): Response;
  function patch(target: string, path: string, options?: Options): Response;
  function remove(target: string, path: string, options?: Options): Response;
}

export namespace log {
  type Line = (message: unknown, fields?: Record<string, unknown>) => void;
  const debug: Line;
  const info: Line;
  const warn: Line;
  const error: Line;
}

export namespace kv {
  /** Why a value wasn't kept. */
  class KvProblem extends Error {
    tag: 'conflict' | 'quota' | 'too-large';
    /** What stands, where another was faster. */
    version?: number;
  }
  function get(key: string): { value: Uint8Array; version: number } | undefined;
  function getText(key: string): string | undefined;
  /** Answers the version. `expected: 0` writes only where there is nothing, `expected: v` only over version v. */
  function set(key: string, value: Uint8Array | string, options?: { ttlS?: number; expected?: number }): number;
  function remove(key: string): void;
}

export namespace crypto {
  type Hash = 'sha1' | 'sha256' | 'sha512';
  class CryptoProblem extends Error {
    tag: 'unknown-secret' | 'wrong-key';
  }
  function digest(algorithm: Hash, data: Uint8Array | string): Uint8Array;
  /** Whether the account has that secret. */
  function has(secret: string): boolean;
  function hmac(secret: string, algorithm: Hash, data: Uint8Array | string): Uint8Array;
  function sign(secret: string, algorithm: 'es256' | 'rs256', data: Uint8Array | string): Uint8Array;
  function publicKey(secret: string): Uint8Array;
  function constantTimeEqual(a: Uint8Array | string, b: Uint8Array | string): boolean;
  /** At most 1,024 bytes. */
  function random(length: number): Uint8Array;
  function hex(data: Uint8Array): string;
}

export namespace content {
  type Place = { url: string } | { providerRef: string } | { blobRef: string };
  function text(body: string): contract.Content;
  function media(kind: contract.MediaKind, file: Place & Omit<Partial<contract.Media>, 'kind' | 'source'>): contract.Content;
  function location(latitude: number, longitude: number, more?: { name?: string; address?: string }): contract.Content;
  function custom(kind: string, json: unknown): contract.Content;
}

export namespace event {
  type About = Partial<Omit<contract.Event, 'dedupeKey' | 'what' | 'extras'>> & { extras?: Fields };
  function of(dedupeKey: string, what: contract.Happening, about?: About): contract.Event;
  function message(dedupeKey: string, inbound: Some<contract.Inbound, 'externalId' | 'conversation' | 'sender'>, about?: About): contract.Event;
  function receipt(
    dedupeKey: string,
    messages: string | string[],
    state: contract.ReceiptState,
    about?: About & { failure?: Failure | contract.Failure },
  ): contract.Event;
  function chose(dedupeKey: string, choice: contract.Choice, about?: About): contract.Event;
  function direct(externalId: string, title?: string): contract.Conversation;
  function party(scheme: string, value: string, name?: string): contract.Party;
}
