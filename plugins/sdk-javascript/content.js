// What messages hold: the contract's variants, made and asked.

/** A text as it stands, with link previews. */
export const text = (body) => ({ tag: 'text', val: { body, format: 'plain', previewLinks: true } });

/** `kind`: `image`, `video`, `audio`, `voice`, `document` or `animation`; where the file is: `url`, `providerRef` or `blobRef`. */
export function media(kind, { url, providerRef, blobRef, ...more }) {
  const source =
    url !== undefined ? { tag: 'url', val: url }
    : providerRef !== undefined ? { tag: 'provider-ref', val: providerRef }
    : { tag: 'blob-ref', val: blobRef };
  return { tag: 'media', val: { kind, source, extras: [], ...more } };
}

export const location = (latitude, longitude, { name, address } = {}) => ({ tag: 'location', val: { latitude, longitude, name, address } });

/** A kind that the manifest names, with its JSON. */
export const custom = (kind, json) => ({ tag: 'custom', val: { kind, json: JSON.stringify(json) } });
