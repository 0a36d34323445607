// The contract's records and variants (`wit/`), as componentize-js has them: names in camel case, an option that isn't there is
// undefined, a variant is { tag, val }.

/** A header, query or form field, or a metadata entry. Repeats are allowed, order is kept. */
export interface Field {
  name: string;
  value: string;
}

/** The account a call is made for. It never holds a secret. */
export interface Account {
  /** The gateway's id: a UUID. */
  id: string;
  /** The provider's id, once `connect` has told it: bot id, page id, phone-number id, mailbox. */
  externalId?: string | undefined;
  /** JSON object, already checked by the host against the manifest's settings schema. */
  settings: string;
}

export interface Call {
  account: Account;
  /** 1 on the first delivery. Of a poll: one more for each poll in a row that the plugin didn't survive. */
  attempt: number;
  /** Wall-clock time left for this call. */
  deadlineMs: number;
  /** `webhook_url`, where the account's webhooks have to go; `now_ms`; and whatever later hosts tell. */
  extras: Field[];
}

export interface Detail {
  /** The provider's own code, or a code from the plugin's README. */
  code: string;
  message: string;
  extras: Field[];
}

export interface Retry {
  afterMs?: number | undefined;
  detail: Detail;
}

export interface FieldProblem {
  pointer: string;
  message: string;
}

/** The one error type. A case says what the HOST does next. */
export type Failure =
  /** The settings or the message are wrong: the REST client gets 422 with each field named. */
  | { tag: 'invalid'; val: FieldProblem[] }
  /** The credential is dead: the account becomes `needs_reauth`, its queue is parked. With the code `logged_out` it becomes `logged_out`: the session was ended at the provider, and only connecting again brings it back. */
  | { tag: 'unauthorized'; val: Detail }
  /** The credential lives but lacks a permission: the account is `degraded`, queue parked. */
  | { tag: 'forbidden'; val: Detail }
  /** The provider throttles: the account or the conversation waits, the attempt isn't counted. */
  | { tag: 'limited'; val: Retry }
  /** Certainly not accepted: safe to send again. */
  | { tag: 'unavailable'; val: Retry }
  /** Perhaps accepted (the connection broke after bytes were written): never resent blindly. */
  | { tag: 'uncertain'; val: Detail }
  /** The recipient can't be reached: dead letter, the contact is flagged. */
  | { tag: 'recipient'; val: Detail }
  /** The reply window is closed: dead letter that names the way out (a template). */
  | { tag: 'window-closed'; val: Detail }
  /** Refused for good for another reason. */
  | { tag: 'rejected'; val: Detail }
  /** This channel can't carry that content. */
  | { tag: 'unsupported'; val: Detail }
  /** A fault in the plugin: counts towards its breaker. */
  | { tag: 'fault'; val: Detail };

export type TextFormat = 'plain' | 'markdown' | 'html';

export interface Text {
  body: string;
  format: TextFormat;
  previewLinks: boolean;
}

/** Where bytes are: a public URL, the provider's own reference, or the host's blob store. */
export type Source =
  | { tag: 'url'; val: string }
  | { tag: 'provider-ref'; val: string }
  | { tag: 'blob-ref'; val: string };

export type MediaKind = 'image' | 'video' | 'audio' | 'voice' | 'document' | 'animation';

export interface Media {
  kind: MediaKind;
  source: Source;
  mimeType?: string | undefined;
  fileName?: string | undefined;
  size?: number | undefined;
  caption?: string | undefined;
  width?: number | undefined;
  height?: number | undefined;
  durationMs?: number | undefined;
  /** What one provider alone knows: a stable file id, a performer, a title. */
  extras: Field[];
}

/** `emoji` is the text that stands for the picture. */
export interface Sticker {
  source: Source;
  emoji?: string | undefined;
  mimeType?: string | undefined;
  extras: Field[];
}

export interface Location {
  latitude: number;
  longitude: number;
  name?: string | undefined;
  address?: string | undefined;
}

export interface ContactCard {
  name: string;
  phones: string[];
  emails: string[];
  vcard?: string | undefined;
}

export interface Poll {
  question: string;
  options: string[];
  multiple: boolean;
  anonymous: boolean;
  /** A quiz's answer, a closing time, the provider's poll id. */
  extras: Field[];
}

/** A provider-approved template, or one of the gateway's own that the host has filled already. */
export interface Template {
  name: string;
  language: string;
  header?: TemplateValue | undefined;
  body: TemplateValue[];
  buttons: TemplateButton[];
}

export type TemplateValue =
  | { tag: 'text'; val: Field }
  | { tag: 'media'; val: Media }
  | { tag: 'location'; val: Location }
  | { tag: 'custom'; val: Field };

export interface TemplateButton {
  index: number;
  kind: string;
  value: string;
}

export type Action =
  | { tag: 'reply'; val: string }
  | { tag: 'url'; val: string }
  | { tag: 'call'; val: string }
  | { tag: 'copy'; val: string };

export interface Button {
  title: string;
  action: Action;
}

export interface Row {
  id: string;
  title: string;
  description?: string | undefined;
}

export interface Section {
  title: string;
  rows: Row[];
}

export interface Menu {
  label: string;
  sections: Section[];
}

export interface Card {
  title: string;
  subtitle?: string | undefined;
  image?: Source | undefined;
  url?: string | undefined;
  buttons: Button[];
}

export type Choices =
  | { tag: 'buttons'; val: Button[] }
  | { tag: 'quick-replies'; val: Button[] }
  | { tag: 'menu'; val: Menu }
  | { tag: 'carousel'; val: Card[] };

export interface Interactive {
  header?: string | undefined;
  body: string;
  footer?: string | undefined;
  choices: Choices;
}

export interface Email {
  subject: string;
  text?: string | undefined;
  html?: string | undefined;
  cc: string[];
  bcc: string[];
  attachments: Media[];
  headers: Field[];
}

export interface Notification {
  title: string;
  body: string;
  icon?: string | undefined;
  image?: string | undefined;
  badge?: string | undefined;
  url?: string | undefined;
  actions: Row[];
  /** JSON handed to the app. */
  data?: string | undefined;
  ttlS?: number | undefined;
  urgency?: string | undefined;
  topic?: string | undefined;
}

export interface Post {
  text: string;
  media: Media[];
  link?: string | undefined;
  visibility: string;
}

/** What grows before the next major version: a kind named by the plugin's manifest, with JSON. */
export interface Custom {
  kind: string;
  json: string;
}

export type Content =
  | { tag: 'text'; val: Text }
  | { tag: 'media'; val: Media }
  | { tag: 'album'; val: Media[] }
  | { tag: 'sticker'; val: Sticker }
  | { tag: 'location'; val: Location }
  | { tag: 'contacts'; val: ContactCard[] }
  | { tag: 'poll'; val: Poll }
  | { tag: 'template'; val: Template }
  | { tag: 'interactive'; val: Interactive }
  | { tag: 'email'; val: Email }
  | { tag: 'notification'; val: Notification }
  | { tag: 'post'; val: Post }
  | { tag: 'custom'; val: Custom };

export type Command =
  | { tag: 'message'; val: Content[] }
  | { tag: 'react'; val: Reaction }
  | { tag: 'edit'; val: Edit }
  | { tag: 'delete'; val: string }
  | { tag: 'typing'; val: boolean }
  | { tag: 'mark-read'; val: string }
  /** A kind named by the plugin's manifest: what is done, not said (answering a button press). */
  | { tag: 'custom'; val: Custom };

/** `emoji` is none and `removed` true where the actor took back whatever it was. */
export interface Reaction {
  target: string;
  emoji?: string | undefined;
  removed: boolean;
}

export interface Edit {
  target: string;
  content: Content;
}

export interface Outbound {
  /** The gateway's message id: the idempotency key where the provider takes one. */
  id: string;
  /** A recipient address, or the provider's id of a conversation. */
  to: string;
  conversation?: string | undefined;
  /** The provider's id of the message answered. */
  replyTo?: string | undefined;
  command: Command;
  /** What the plugin handed over with the last inbound message of this conversation; at most 4 KiB. */
  replyContext?: Uint8Array | undefined;
  /** Where the recipient's devices have subscribed: filled where the manifest's capabilities say `subscriptions`. */
  subscriptions: Subscription[];
  extras: Field[];
}

export interface Accepted {
  part: number;
  externalId?: string | undefined;
  extras: Field[];
}

/** What was accepted counts even where a later part failed. `events` are facts the answer told besides: the group has a new id, the recipient has blocked the bot. */
export interface Sent {
  accepted: Accepted[];
  failed?: Failure | undefined;
  events: Event[];
}

export type ConversationKind = 'direct' | 'group' | 'broadcast';

export interface Conversation {
  externalId: string;
  kind: ConversationKind;
  title?: string | undefined;
}

/** A person has several ids: phone, page-scoped id, user name. `scheme` names the kind. Ids named in one breath are one person's, but for those whose scheme ends in `username` or `handle`: people give these up. */
export interface Identity {
  scheme: string;
  value: string;
}

export interface Party {
  identities: Identity[];
  name?: string | undefined;
}

export interface Inbound {
  externalId: string;
  conversation: Conversation;
  sender: Party;
  /** True for what the business wrote elsewhere (the provider's own inbox, a phone). */
  echo: boolean;
  content: Content[];
  replyTo?: string | undefined;
  /** Ids of earlier messages of its thread, the nearest first: it joins the conversation of the first that the gateway knows, and only without one the `conversation` that is given. */
  related: string[];
  /** Written by a machine (an absence note, a mailing list): kept and shown, and nothing is done because of it. */
  automatic: boolean;
  /** `direct`, `story_mention`, `story_reply`, `message_request`, `forwarded`, `referral`, … */
  origin: string;
  sentAtMs?: number | undefined;
  replyContext?: Uint8Array | undefined;
  extras: Field[];
}

export type ReceiptTarget =
  | { tag: 'messages'; val: string[] }
  | { tag: 'up-to-ms'; val: number };

export type ReceiptState = 'sent' | 'delivered' | 'read' | 'played' | 'failed';

export interface Receipt {
  conversation?: string | undefined;
  target: ReceiptTarget;
  state: ReceiptState;
  atMs?: number | undefined;
  failure?: Failure | undefined;
}

/** `answer-ref` is what an answer to this very press has to name, where the provider wants one. */
export interface Choice {
  target?: string | undefined;
  id: string;
  title: string;
  answerRef?: string | undefined;
}

export interface Vote {
  poll: string;
  options: number[];
}

/** One device or browser that takes notifications. The plugin makes the `id`, the same for the same endpoint. One that isn't active any more is forgotten with its keys. `extras` tell of the device: platform, language. */
export interface Subscription {
  id: string;
  endpoint: string;
  keys: Field[];
  active: boolean;
  extras: Field[];
}

export type InteractionKind = 'opened' | 'dismissed';

/** What somebody did with a notification. `target` is the message, `action` the id of the button that was pressed. */
export interface Interaction {
  target: string;
  kind: InteractionKind;
  action?: string | undefined;
  url?: string | undefined;
}

export interface TemplateStatus {
  name: string;
  language: string;
  status: string;
  category: string;
  reason?: string | undefined;
}

/** `state` is a connection's word (`degraded`, `needs_reauth`, …), or empty where only facts changed. Facts stand in place of the account's of the same names. */
export interface AccountStatus {
  state: string;
  detail: Detail;
  facts: Field[];
}

export type Happening =
  | { tag: 'message'; val: Inbound }
  | { tag: 'edited'; val: Inbound }
  | { tag: 'deleted'; val: string }
  | { tag: 'reacted'; val: Reaction }
  | { tag: 'chose'; val: Choice }
  | { tag: 'voted'; val: Vote }
  | { tag: 'receipt'; val: Receipt }
  | { tag: 'typing'; val: boolean }
  | { tag: 'subscription'; val: Subscription }
  | { tag: 'interacted'; val: Interaction }
  | { tag: 'opted-out'; val: Detail }
  | { tag: 'opted-in'; val?: undefined }
  | { tag: 'template'; val: TemplateStatus }
  | { tag: 'account'; val: AccountStatus }
  /** The event's conversation continues under this external id. */
  | { tag: 'moved'; val: string }
  | { tag: 'custom'; val: Custom };

export interface Event {
  /** Equal for every delivery of the same fact; the host stores it once for each account. */
  dedupeKey: string;
  /** Whose event it is where one webhook URL serves many accounts. */
  account?: string | undefined;
  conversation?: Conversation | undefined;
  actor?: Party | undefined;
  atMs?: number | undefined;
  what: Happening;
  /** Queued for sending, once, in the transaction that stores the event: providers want some events answered. */
  followUp?: Command | undefined;
  /** What this contract has no word for. Told on with the event, under `extras` of its data. */
  extras: Field[];
}

export interface OptionItem {
  id: string;
  title: string;
  note?: string | undefined;
}

export interface Question {
  id: string;
  title: string;
  options: OptionItem[];
}

export interface Pairing {
  code: string;
  expiresAtMs: number;
  refreshesLeft: number;
}

export interface Connected {
  externalId: string;
  displayName: string;
  settings?: string | undefined;
  /** Shown on the account: quality rating, verification, limits. */
  facts: Field[];
  /** Other ids by which the provider means this account, where one URL serves many: several accounts may have the same (the business they belong to, the person who authorised them). */
  routes: string[];
}

export type Progress =
  | { tag: 'connected'; val: Connected }
  /** The user chooses: which page, which number. */
  | { tag: 'ask'; val: Question[] }
  /** Shown as a QR code; the host calls again with `tick`. */
  | { tag: 'scan'; val: Pairing }
  /** Called again with `tick` after so many milliseconds. */
  | { tag: 'wait'; val: number };

export type Step =
  /** Credentials are in place (typed in, or the host has finished OAuth). */
  | { tag: 'start'; val?: undefined }
  | { tag: 'answers'; val: Field[] }
  | { tag: 'tick'; val?: undefined }
  /** The user asked for a new code. */
  | { tag: 'refresh'; val?: undefined }
  | { tag: 'disconnect'; val?: undefined };

export interface Connecting {
  step: Step;
  webhookUrl: string;
  state?: Uint8Array | undefined;
}

export interface Outcome {
  progress: Progress;
  state?: Uint8Array | undefined;
}

export interface Webhook {
  /** None where one URL serves many accounts: each event then tells its own. */
  account?: Account | undefined;
  method: string;
  path: string;
  query: Field[];
  headers: Field[];
  body: Uint8Array;
  /** The manifest's recipe that the host has checked the raw bytes against. */
  verifiedBy?: string | undefined;
  /** `received_ms`, when the gateway had it (again and again the same when it is read again), and whatever later hosts tell. */
  extras: Field[];
}

export interface Reply {
  status: number;
  headers: Field[];
  body: Uint8Array;
}

export interface Parsed {
  events: Event[];
  reply?: Reply | undefined;
}

export interface Check {
  name: string;
  ok: boolean;
  detail?: Detail | undefined;
}

export interface Report {
  checks: Check[];
  /** In place of the account's facts of the same names; the others stay. */
  facts: Field[];
}

export interface Page {
  events: Event[];
  cursor?: Uint8Array | undefined;
  more: boolean;
}

export interface Template {
  id?: string | undefined;
  name: string;
  language: string;
  category: string;
  /** The provider's word, in lower case: `approved`, `pending`, `rejected`, `paused`, … */
  status: string;
  reason?: string | undefined;
  quality?: string | undefined;
  /** JSON, as the provider has it. */
  components: string;
}

export interface TemplatePage {
  templates: Template[];
  cursor?: string | undefined;
}

/** Bytes that the gateway keeps. Plugins move handles, not megabytes. */
export class Blob {
  constructor(mimeType: string);
  size(): number;
  mimeType(): string;
  /** Names it in a `blob-ref` source. A file that this call made and an event of its answer names is kept; the others go. */
  reference(): string;
  /** At most 256 KiB a call. */
  read(offset: number, max: number): Uint8Array;
  append(chunk: Uint8Array): void;
}
