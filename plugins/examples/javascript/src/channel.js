// Acme Chat: the hooks. `plugin build` takes the file that package.json calls `main`, and every file that it imports.

import { defineChannel } from '../../../sdk-javascript/index.js';
import { connect } from './connect.js';
import { health } from './health.js';
import { parseInbound } from './receive.js';
import { send } from './send.js';
import { configure } from './settings.js';

export const channel = defineChannel({ configure, connect, send, parseInbound, health });
