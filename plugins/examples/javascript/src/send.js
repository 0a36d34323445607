// A message becomes one request.

import { Failure, http } from '../../../sdk-javascript/index.js';
import { failure } from './provider.js';

const BUTTONS_MAX = 3;

export function send(call, { to, command, replyTo }) {
  if (command.tag !== 'message') throw Failure.unsupported('command', 'Acme Chat lets messages be sent, and not changed');
  if (command.val.length !== 1) {
    throw Failure.unsupported('content', 'an Acme Chat message is one text, one file or one text with buttons: send several messages');
  }
  const json = { to, reply_to: replyTo, ...body(call.settings, command.val[0]) };
  const response = http.post('api', '/messages', { json });
  if (!response.ok) throw failure(response);
  // Without an id nobody knows whether it is on its way: that is a doubt, and no success.
  const id = response.json()?.id;
  if (typeof id !== 'string') throw response.notUnderstood('there is no id');
  return id;
}

function body(settings, { tag, val }) {
  switch (tag) {
    case 'text':
      return { text: settings.signature ? `${val.body}\n\n${settings.signature}` : val.body };
    case 'media':
      return file(val);
    case 'interactive':
      return buttons(val);
    default:
      throw Failure.unsupported('content', 'Acme Chat carries texts, files and buttons');
  }
}

const KINDS = { image: 'image', video: 'video', animation: 'video', audio: 'audio', voice: 'audio', document: 'file' };

function file({ kind, source, caption, fileName }) {
  if (source.tag !== 'url') throw Failure.unsupported('source', 'Acme Chat takes files by their address');
  return { text: caption, media: { kind: KINDS[kind], url: source.val, file_name: fileName } };
}

function buttons({ body, choices }) {
  if (choices.tag !== 'buttons') throw Failure.unsupported('choices', 'Acme Chat has buttons, and neither menus nor cards');
  if (choices.val.length > BUTTONS_MAX) {
    throw Failure.invalid(`/content/0/buttons/${BUTTONS_MAX}`, 'Acme Chat takes three buttons: leave some out');
  }
  const button = ({ title, action }, place) => {
    if (action.tag !== 'reply') throw Failure.invalid(`/content/0/buttons/${place}`, "Acme Chat's buttons answer: give a reply");
    return { id: action.val, title };
  };
  return { text: body, buttons: choices.val.map(button) };
}
