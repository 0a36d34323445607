// Acme Chat's API: its answers, and what its refusals mean to the gateway.

import { Failure, http } from '../../../sdk-javascript/index.js';

/** Whose token it is: `{ id, name, plan, webhook_url }`. */
export function me() {
  return ask('GET', 'api', '/me');
}

/** Sends a request; the answer is a success that could be read, or a failure. */
export function ask(method, target, path, options) {
  const response = http.request(method, target, path, options);
  if (!response.ok) throw failure(response);
  return response.json();
}

/** Each of the provider's refusals in the words of the gateway: the kind says what happens next. */
export function failure(response) {
  // What a proxy answers is no JSON.
  const { code = String(response.status), message = '', field } = response.jsonOrNothing()?.error ?? {};
  if (response.status === 401) return Failure.unauthorized(code, `${message}: make a new token in the workspace's settings`);
  if (code === 'blocked' || code === 'unknown_recipient') return Failure.recipient(code, message);
  if (code === 'window_closed') return Failure.windowClosed(code, `${message}: the person has to write first`);
  if (response.status === 403) return Failure.forbidden(code, `${message}: give the token that right in the workspace's settings`);
  if (response.status === 429) return Failure.limited(response.retryAfterMs, code, message);
  if (response.status === 422 && field === 'to') return Failure.invalid('/to', message);
  // A whole answer, though of 5xx, is the server's word that it did nothing.
  if (response.status >= 500) return Failure.unavailable(code, message);
  return Failure.rejected(code, message);
}
