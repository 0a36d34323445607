// The account's log. Bodies, tokens and addresses don't belong in it.

import * as host from '#host';

function write(level, message, fields) {
  host.log(level, String(message), Object.entries(fields ?? {}).map(([name, value]) => [name, String(value)]));
}

/** For whoever looks for a fault. */
export const debug = (message, fields) => write('debug', message, fields);
/** What happened, and is fine. */
export const info = (message, fields) => write('info', message, fields);
/** What somebody should look at some day. */
export const warn = (message, fields) => write('warn', message, fields);
/** What is broken. */
export const error = (message, fields) => write('error', message, fields);
