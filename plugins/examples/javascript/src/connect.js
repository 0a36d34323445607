// Bringing an account into service: whose token is it, and where do webhooks go?

import { field } from '../../../sdk-javascript/index.js';
import { ask, me } from './provider.js';

export function connect(call, { step, webhookUrl }) {
  if (step.tag === 'disconnect') {
    ask('DELETE', 'webhook', '/webhook', { repeatable: true });
    return { connected: { externalId: call.account.externalId ?? '', displayName: '' } };
  }
  const workspace = me();
  // Setting it twice is the same as setting it once. The gateway adds the secret on the way.
  ask('PUT', 'webhook', '/webhook', { json: { url: webhookUrl }, repeatable: true });
  return { connected: { externalId: workspace.id, displayName: workspace.name, facts: [field('plan', workspace.plan ?? '')] } };
}
