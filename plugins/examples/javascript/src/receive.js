// Webhooks: a batch of events each. The gateway has checked the signature already.

import { content, event, Failure } from '../../../sdk-javascript/index.js';

export function parseInbound({ body }) {
  let batch;
  try {
    batch = JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw Failure.invalid('', error.message);
  }
  if (!Array.isArray(batch?.events)) throw Failure.invalid('/events', 'is no list');
  return batch.events.flatMap(read);
}

const text = (value) => typeof value === 'string' && value !== '';
const time = (value) => (Number.isFinite(value) ? value : undefined);
const person = (value) => text(value?.id);

/** One event, or none: what is new at Acme Chat, or isn't as its documents say, takes nothing of the others with it. */
function read(told) {
  switch (told?.type) {
    case 'message':
      return written(told, told.message?.from, false);
    case 'echo':
      return written(told, told.message?.to, true);
    case 'receipt':
      return receipt(told);
    case 'pressed':
      return pressed(told);
    default:
      return [];
  }
}

function written({ at, message }, other, echo) {
  if (!text(message?.id) || !person(other)) return [];
  return [
    // A message is the same message, however often and in whichever event it is told.
    event.message(`message:${message.id}`, {
      externalId: message.id,
      conversation: event.direct(other.id, optional(other.name)),
      sender: event.party('acme', other.id, optional(other.name)),
      echo,
      content: contents(message),
      replyTo: optional(message.reply_to),
      sentAtMs: time(at),
    }),
  ];
}

const KINDS = { image: 'image', video: 'video', audio: 'audio' };

function contents({ text: words, media }) {
  if (text(media?.url)) {
    const { kind, url, mime_type: mimeType, file_name: fileName } = media;
    return [content.media(KINDS[kind] ?? 'document', { url, mimeType: optional(mimeType), fileName: optional(fileName), caption: optional(words) })];
  }
  return text(words) ? [content.text(words)] : [];
}

function receipt({ at, message_id: id, state, error }) {
  if (!text(id) || !['delivered', 'read', 'failed'].includes(state)) return [];
  const failure = text(error?.code) ? Failure.recipient(error.code, error.message ?? '') : undefined;
  return [event.receipt(`receipt:${id}:${state}`, id, state, { atMs: time(at), failure })];
}

function pressed({ id, at, from, message_id: target, button }) {
  if (!text(id) || !person(from) || !text(button?.id)) return [];
  const about = { conversation: event.direct(from.id, optional(from.name)), actor: event.party('acme', from.id, optional(from.name)), atMs: time(at) };
  return [event.chose(`event:${id}`, { target: optional(target), id: button.id, title: optional(button.title) ?? '' }, about)];
}

function optional(value) {
  return text(value) ? value : undefined;
}
