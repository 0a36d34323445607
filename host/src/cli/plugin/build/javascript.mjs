// From a JavaScript or TypeScript project to a component. Node reads it from its standard input, in the folder of the tools:
// entry, folder of the WIT package, output.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { componentize } from '@bytecodealliance/componentize-js';
import * as esbuild from 'esbuild';

const [entry, wit, output] = process.argv.slice(2);
const groups = { polling: 'polling', mediaDownload: 'media-download', templates: 'templates', preview: 'preview' };

const [, version] = (await readFile(join(wit, 'types.wit'), 'utf8')).match(/^package patchbay:channel@([^;]+);/m);

/** The contract's interfaces are the gateway's, in that version. */
const contract = {
  name: 'contract',
  setup(build) {
    build.onResolve({ filter: /^patchbay:channel\// }, ({ path }) => ({
      path: path.includes('@') ? path : `${path}@${version}`,
      external: true,
      sideEffects: false,
    }));
  },
};

let bundled;
try {
  bundled = await esbuild.build({
    entryPoints: [entry],
    outfile: `${output}.js`,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['patchbay-component', 'import'],
    target: 'es2022',
    keepNames: true,
    legalComments: 'none',
    metafile: true,
    plugins: [contract],
    logLevel: 'warning',
  });
} catch (error) {
  // esbuild has told already what is wrong and where.
  if (!error.errors) console.error(error);
  process.exit(1);
}
const { exports } = Object.values(bundled.metafile.outputs).find((made) => made.entryPoint);
if (!exports.includes('channel')) {
  console.error(`${entry} doesn't export \`channel\`: export const channel = defineChannel({…})`);
  process.exit(1);
}
const exported = Object.keys(groups).filter((name) => exports.includes(name));
await writeFile(
  join(wit, 'built.wit'),
  `package patchbay:channel@${version};\nworld built {\n  include plugin;\n${exported.map((name) => `  export ${groups[name]};\n`).join('')}}\n`,
);

try {
  const { component } = await componentize({
    sourcePath: `${output}.js`,
    witPath: wit,
    worldName: 'built',
    // Clocks, chance and output are the gateway's, by the contract: nothing of WASI is left.
    disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(String(error?.message ?? error));
  process.exit(1);
}
