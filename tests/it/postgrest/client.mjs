// What an application does with supabase-js, against a gateway: node client.mjs URL KEY ACCOUNT TOKEN
import assert from 'node:assert/strict';
import { createClient } from '@supabase/supabase-js';
import { PostgrestClient } from '@supabase/postgrest-js';

const [url, key, account, token] = process.argv.slice(2);
const supabase = createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

const done = ({ data, error, ...rest }) => {
  assert.equal(error, null, JSON.stringify(error));
  return { data, ...rest };
};
const make = (name) => ({ organization_id: 'org-js', name, type: 'TELEGRAM', settings: { bot_token: token } });

// insert
let answer = done(await supabase.from('channel_accounts').insert(make('Quiet')));
assert.deepEqual([answer.status, answer.data], [201, null]);
answer = done(await supabase.from('channel_accounts').insert(make('One')).select().single());
const one = answer.data;
assert.deepEqual([answer.status, one.name, one.settings.bot_token.set], [201, 'One', true]);
answer = done(await supabase.from('channel_accounts').insert([make('Two'), { ...make('Three'), is_active: true }], { defaultToNull: false, count: 'exact' }).select('name,is_active'));
assert.deepEqual(answer.data, [{ name: 'Two', is_active: false }, { name: 'Three', is_active: true }]);
assert.equal(answer.count, 2);

// select with filters and order
const js = () => supabase.from('channel_accounts').select('name').eq('organization_id', 'org-js');
const names = async (query) => done(await query).data.map((row) => row.name);
assert.deepEqual(await names(js().order('name')), ['One', 'Quiet', 'Three', 'Two']);
assert.deepEqual(await names(js().order('is_active', { ascending: false }).order('name', { ascending: false, nullsFirst: false })), ['Three', 'Two', 'Quiet', 'One']);
assert.deepEqual(await names(js().in('name', ['One', 'Two', 'a,b', 'c"d']).order('name')), ['One', 'Two']);
assert.deepEqual(await names(js().neq('name', 'One').gt('name', 'Q').lte('name', 'Three').order('name')), ['Quiet', 'Three']);
assert.deepEqual(await names(js().like('name', 'T%').order('name')), ['Three', 'Two']);
assert.deepEqual(await names(js().ilike('name', '%O%').order('name')), ['One', 'Two']);
assert.deepEqual(await names(js().likeAnyOf('name', ['O%', 'Q%']).order('name')), ['One', 'Quiet']);
assert.deepEqual(await names(js().is('display_name', null).is('is_active', true)), ['Three']);
assert.deepEqual(await names(js().not('name', 'in', '(One,Two)').order('name')), ['Quiet', 'Three']);
assert.deepEqual(await names(js().or('name.eq.One,and(is_active.is.true,name.eq.Three)').order('name')), ['One', 'Three']);
assert.deepEqual(await names(js().match({ name: 'One', is_active: false })), ['One']);
assert.deepEqual(await names(js().filter('name', 'eq', 'Two')), ['Two']);
assert.deepEqual(await names(js().contains('facts', { nothing: 1 })), []);
assert.deepEqual(await names(js().eq('settings->>mode', 'nothing')), []);
answer = done(await supabase.from('channel_accounts').select('id,called:name,told:settings->bot_token->set').eq('id', one.id));
assert.deepEqual(answer.data, [{ id: one.id, called: 'One', told: true }]);

// range, limit, count, head
answer = done(await supabase.from('channel_accounts').select('name', { count: 'exact' }).eq('organization_id', 'org-js').order('name').range(1, 2));
assert.deepEqual([answer.status, answer.count, answer.data.map((row) => row.name)], [206, 4, ['Quiet', 'Three']]);
answer = done(await supabase.from('channel_accounts').select('*', { count: 'exact', head: true }).eq('organization_id', 'org-js'));
assert.deepEqual([answer.count, answer.data], [4, null]);
assert.deepEqual(await names(js().order('name').limit(1)), ['One']);

// single, maybeSingle
assert.equal(done(await js().eq('name', 'Two').single()).data.name, 'Two');
assert.equal(done(await js().eq('name', 'Nobody').maybeSingle()).data, null);
answer = await js().eq('name', 'Nobody').single();
assert.deepEqual([answer.status, answer.error.code, answer.error.details], [406, 'PGRST116', 'The result contains 0 rows']);
answer = await js().maybeSingle();
assert.equal(answer.error.code, 'PGRST116');

// embedding
answer = done(await supabase.from('messages').select('id,state,conversation:conversations(kind,contact:contacts(name)),account(name)').eq('direction', 'inbound').single());
assert.deepEqual([answer.data.state, answer.data.conversation.kind, answer.data.account.name], ['received', 'direct', 'Help desk']);
answer = done(await supabase.from('conversations').select('id,messages!inner(content)').eq('messages.direction', 'inbound').order('id', { referencedTable: 'messages', ascending: false }).limit(1, { referencedTable: 'messages' }));
assert.equal(answer.data[0].messages[0].content[0].text, 'Hi');

// csv
answer = done(await supabase.from('channel_accounts').select('name,is_active').eq('organization_id', 'org-js').order('name').limit(2).csv());
assert.equal(answer.data, 'name,is_active\nOne,false\nQuiet,false\n');

// update, upsert
answer = done(await supabase.from('channel_accounts').update({ name: 'Uno' }).eq('id', one.id));
assert.deepEqual([answer.status, answer.data], [204, null]);
answer = done(await supabase.from('channel_accounts').update({ is_active: true }, { count: 'exact' }).eq('id', one.id).select('name,is_active'));
assert.deepEqual([answer.status, answer.count, answer.data], [200, 1, [{ name: 'Uno', is_active: true }]]);
answer = done(await supabase.from('channel_accounts').upsert({ id: one.id, ...make('Eins') }, { onConflict: 'id' }).select('name').single());
assert.deepEqual([answer.status, answer.data.name], [200, 'Eins']);
answer = done(await supabase.from('channel_accounts').upsert({ id: one.id, ...make('Ichi') }, { ignoreDuplicates: true }).select('name'));
assert.deepEqual(answer.data, []);
answer = await supabase.from('channel_accounts').update({ name: 'All' }).not('id', 'is', null).maxAffected(1);
assert.equal(answer.error.code, 'PGRST124');

// messages: sent, and read again
answer = done(await supabase.from('messages').insert({ channel_account_id: account, to: '70010001', content: { type: 'text', text: 'Hello' } }).select('id,to,direction').single());
assert.deepEqual([answer.status, answer.data.to, answer.data.direction], [201, '70010001', 'outbound']);

// errors
const codes = async (query) => {
  const { error, status } = await query;
  assert.deepEqual(Object.keys(error).filter((name) => ['code', 'details', 'hint', 'message'].includes(name)).length, 4);
  return [status, error.code];
};
assert.deepEqual(await codes(supabase.from('channel_accounts').select('colour')), [400, '42703']);
assert.deepEqual(await codes(supabase.from('channel_accounts').select().filter('name', 'foo', 'x')), [400, 'PGRST100']);
assert.deepEqual(await codes(supabase.from('channel_accounts').select().eq('type', 'FOO')), [400, '22P02']);
assert.deepEqual(await codes(supabase.from('houses').select()), [404, 'PGRST205']);
assert.deepEqual(await codes(supabase.from('channel_accounts').select('*,houses(*)')), [400, 'PGRST200']);
assert.deepEqual(await codes(supabase.from('channel_accounts').insert({ colour: 'red' })), [400, 'PGRST204']);
assert.deepEqual(await codes(supabase.from('channel_accounts').insert({ id: one.id, ...make('Again') })), [409, '23505']);
assert.deepEqual(await codes(supabase.from('channel_accounts').update({ name: 'All' })), [400, '21000']);
assert.deepEqual(await codes(supabase.from('channel_accounts').delete()), [400, '21000']);
assert.deepEqual(await codes(createClient(url, 'pb_wrong', { auth: { persistSession: false } }).from('channel_accounts').select()).then(([status]) => status), 401);

// delete
answer = done(await supabase.from('channel_accounts').delete({ count: 'exact' }).eq('organization_id', 'org-js').neq('name', 'Eins'));
assert.deepEqual([answer.status, answer.count], [204, 3]);
answer = done(await supabase.from('channel_accounts').delete().eq('id', one.id).select('name'));
assert.deepEqual(answer.data, [{ name: 'Eins' }]);

// postgrest-js alone, without a schema of its own
const rest = new PostgrestClient(`${url}/rest/v1`, { headers: { apikey: key, Authorization: `Bearer ${key}` } });
assert.deepEqual(done(await rest.from('channel_accounts').select('name').eq('organization_id', 'org-js')).data, []);
assert.equal(done(await rest.from('channel_types').select('type').eq('type', 'TELEGRAM').single()).data.type, 'TELEGRAM');
assert.equal(done(await rest.from('channel_account_stats').select('messages_received,name').eq('channel_account_id', account).gt('messages_received', 0)).data[0].name, 'Help desk');
console.log('all as expected');
