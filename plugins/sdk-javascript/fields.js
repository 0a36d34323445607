// Headers, query and form fields, metadata: a name, a value, repeats allowed, order kept.

/** A field of that name and value. */
export function field(name, value) {
  return { name: String(name), value: String(value) };
}

/** Fields of an object, or the list that it is already. What is null or undefined is left out. */
export function fields(given) {
  if (Array.isArray(given)) return given;
  return Object.entries(given ?? {})
    .filter(([, value]) => value !== undefined && value !== null)
    .flatMap(([name, value]) => [value].flat().map((one) => field(name, one)));
}

/** The first value of that exact name. */
export function value(list, name) {
  return list.find((field) => field.name === name)?.value;
}

/** The first value of that header, in whatever case it was written. */
export function header(list, name) {
  return list.find((field) => field.name.toLowerCase() === name.toLowerCase())?.value;
}
