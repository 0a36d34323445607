// What `conformance.json` can't say: the requests as they leave, and the events whole. `node --test` runs it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { content } from '../../../sdk-javascript/index.js';
import { Provider, call, outbound, webhook } from '../../../sdk-javascript/testing.js';
import { channel } from '../src/channel.js';

const MESSAGES = 'POST api /messages';

function asked(settings, message) {
  const provider = new Provider();
  provider.on(MESSAGES).answer(201, { id: 'msg_1' });
  const sent = channel.send(call(settings), message);
  assert.deepEqual(sent, { accepted: [{ part: 0, externalId: 'msg_1', extras: [] }], failed: undefined, events: [] });
  return provider.requests[0].json;
}

test("a text leaves with the account's signature below it", () => {
  const text = outbound('user_7', [content.text('Hi')]);
  assert.deepEqual(asked({}, text), { to: 'user_7', text: 'Hi' });
  assert.deepEqual(asked({ signature: 'Acme Shop' }, text), { to: 'user_7', text: 'Hi\n\nAcme Shop' });
});

test('an answer names what it answers', () => {
  assert.equal(asked({}, outbound('user_7', [content.text('Yes')], { replyTo: 'in_1' })).reply_to, 'in_1');
});

test('a button that opens a page is named as the one that is wrong', () => {
  const buttons = [{ title: 'Go', action: { tag: 'reply', val: 'go' } }, { title: 'Look', action: { tag: 'url', val: 'https://example.com' } }];
  const interactive = { tag: 'interactive', val: { body: '?', choices: { tag: 'buttons', val: buttons } } };
  const { failed } = channel.send(call(), outbound('user_7', [interactive]));
  assert.equal(failed.tag, 'invalid');
  assert.equal(failed.val[0].pointer, '/content/0/buttons/1');
});

test('a connection that breaks after the request is a doubt', () => {
  const provider = new Provider();
  provider.on(MESSAGES).broken('reset').notSent('no such host');
  const sends = () => channel.send(call(), outbound('user_7', [content.text('Hi')])).failed.tag;
  assert.deepEqual([sends(), sends()], ['uncertain', 'unavailable']);
});

test('an exception is a fault, with its text and its place in the log', () => {
  const provider = new Provider();
  const { failed } = channel.send(call(), { to: 'user_7' });
  assert.equal(failed.tag, 'fault');
  assert.match(failed.val.message, /TypeError/);
  assert.match(provider.log[0].fields.at, /send\.js/);
});

test('webhooks become the events of the fixtures', () => {
  const folder = new URL('../fixtures/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  assert.ok(files.length >= 9);
  for (const name of files) {
    const { body, expected } = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
    const keys = () => channel.parseInbound(webhook(body)).events.map((event) => event.dedupeKey);
    if (expected === null) assert.throws(keys, (refused) => refused.tag === 'invalid', name);
    else assert.deepEqual(keys(), expected.map((event) => event.dedupe_key), name);
  }
});

test('a picture has its address, and its caption', () => {
  const { body } = JSON.parse(readFileSync(new URL('../fixtures/02-picture.json', import.meta.url), 'utf8'));
  const [{ what }] = channel.parseInbound(webhook(body)).events;
  assert.equal(what.val.replyTo, 'msg_1');
  const [{ tag, val }] = what.val.content;
  assert.deepEqual([tag, val.kind, val.source, val.caption], ['media', 'image', { tag: 'url', val: 'https://files.acme-chat.example/f/cat.png' }, 'Look']);
});
