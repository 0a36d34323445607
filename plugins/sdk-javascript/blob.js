// Bytes that the gateway keeps: `new Blob(mimeType)`, then `size()`, `mimeType()`, `reference()`, `read(offset, max)`, `append(chunk)`.

export { Blob } from '#host';
