// What an account can set. The schema has been checked by the gateway; here is what a schema can't say.

import { Failure } from '../../../sdk-javascript/index.js';

export function configure(settings) {
  const signature = settings.signature?.trim();
  if (signature === '') throw Failure.invalid('/signature', 'is blank: write something, or leave it out');
  return { ...settings, signature };
}
