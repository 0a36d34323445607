// The JavaScript SDK for channel plugins. A plugin's entry file exports what these make: `export const channel = defineChannel({…})`,
// and `polling`, `mediaDownload`, `templates` and `preview` where it has them.

export { defineChannel, definePolling, defineMediaDownload, defineTemplates, definePreview, Call } from './hooks.js';
export { Failure, detail } from './failure.js';
export * as http from './http.js';
export * as log from './log.js';
export * as kv from './kv.js';
export * as crypto from './crypto.js';
export { Blob } from './blob.js';
export * as content from './content.js';
export * as event from './event.js';
export { field, value, header } from './fields.js';
