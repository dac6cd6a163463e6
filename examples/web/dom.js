// Elements. What users wrote is only ever a text node, isolated from the direction of what is around it.

/** An element with attributes and children. A function is a listener: `{click: …}`. Null is left out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Characters that show nothing: of formats, of spaces, and marks without a letter. */
const UNSEEN = /^[\p{Cf}\p{Cc}\p{Z}\p{Mn}\u115f\u1160\u2800\u3164\uffa0]*$/u;

/** A text that users wrote; an invisible one as the numbers of its characters. */
export function shown(text) {
  if (!UNSEEN.test(text)) return text;
  const numbers = Array.from(text.slice(0, 64), (one) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
  return numbers.join(" ");
}

export function bdi(text, attributes = {}) {
  return h("bdi", attributes, shown(text));
}

/** A name within a text that is no markup, such as that of a label. */
export function isolated(text) {
  return `\u2068${shown(text)}\u2069`;
}

/** The parts of a text, with elements in the places of the values. `say`: the text with these values. */
export function phrase(say, values) {
  const keys = Object.keys(values);
  const marks = Object.fromEntries(keys.map((key, at) => [key, `\u0000${at}\u0000`]));
  return say(marks)
    .split("\u0000")
    .map((part, nth) => (nth % 2 ? values[keys[Number(part)]] : part));
}

/** Makes these the children, in this order, without touching those that are in their place. */
export function sync(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const child of wanted) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** One of eight colors, the same for the same name. */
export function color(name) {
  let sum = 0;
  for (const one of name) sum = (sum * 31 + one.codePointAt(0)) % 65521;
  return `c${sum % 8}`;
}
