// Is the token alive, and do webhooks still come here?

import { detail, field } from '../../../sdk-javascript/index.js';
import { me } from './provider.js';

export function health(call) {
  const workspace = me();
  const webhook = { name: 'webhook', ok: workspace.webhook_url === call.webhookUrl };
  if (!webhook.ok) {
    webhook.detail = detail('webhook_elsewhere', 'Acme Chat sends what comes in to another address: connect the account again');
  }
  return { checks: [{ name: 'token', ok: true }, webhook], facts: [field('plan', workspace.plan ?? '')] };
}
