// Texts of strangers, made fit to be shown: what has no shape of its own, or changes the direction of what follows, is
// spelled out by its code.

// Joiners stay between letters and in emoji, where scripts need them; line ends and tabs where texts have lines.
const HIDDEN = new RegExp(
  "(?<![\\p{L}\\p{M}\\p{Extended_Pictographic}\\p{Emoji_Modifier}])[\\u200C\\u200D]"
  + "|[\\u200C\\u200D](?![\\p{L}\\p{M}\\p{Extended_Pictographic}])"
  + "|(?![\\u200C\\u200D])[\\p{Cf}\\p{Cc}\\p{Zl}\\p{Zp}\\p{Co}\\p{Cs}\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u2800\\u3164\\uFFA0]",
  "gu",
);

function code(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

// The first characters of a text, and whether there are more.
export function cut(value, max) {
  const text = String(value);
  if (text.length <= max) return [text, false];
  const characters = Array.from(text.slice(0, max * 2 + 2));
  return characters.length <= max ? [text, false] : [characters.slice(0, max).join(""), true];
}

// The parts of a text: strings as they are, and [code] for what is spelled out.
export function parts(text, hasLines) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (hasLines && "\n\t".includes(match[0])) continue;
    if (match.index > end) found.push(text.slice(end, match.index));
    found.push([code(match[0])]);
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push(text.slice(end));
  return found;
}

// The same as one string, for attributes and sentences.
export function plain(value, max) {
  const [text, isCut] = cut(value, max);
  return parts(text).map(part => typeof part === "string" ? part : `‹${part[0]}›`).join("") + (isCut ? "…" : "");
}
