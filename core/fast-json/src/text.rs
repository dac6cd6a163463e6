//! JSON strings: finding and writing the bytes that need an escape.

/// Appends the text in quotes.
#[inline]
pub(crate) fn append_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if is_all_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        append_escaped(bytes, out);
    }
    out.push(b'"');
}

#[cold]
fn append_escaped(mut rest: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        append_escape(byte, out);
        rest = after;
    }
}

/// Appends the escape of a byte that JSON does not allow in a string.
fn append_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            let escape = [b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)];
            return out.extend_from_slice(&escape);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Quotes, backslashes and control characters.
#[inline(always)]
pub(crate) fn needs_escape(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

/// The number of bytes before the first that needs an escape.
///
/// Texts are most of what a gateway writes and hardly ever need an escape, so this looks at
/// blocks of bytes at once.
#[inline]
pub(crate) fn plain_len(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<16>();
    let mut at = 16 * blocks.iter().take_while(|block| is_plain(block)).count();
    while let Some(eight) = text[at..].first_chunk::<8>() {
        match first_special(*eight) {
            Some(special) => return at + special,
            None => at += 8,
        }
    }
    match text.last_chunk::<8>() {
        // The block may overlap bytes already known to be plain.
        Some(eight) => text.len() - 8 + first_special(*eight).unwrap_or(8),
        None => {
            let rest = &text[at..];
            at + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
        }
    }
}

/// Whether no byte needs an escape: the question that a writer asks of every text, and cheaper than
/// where the first such byte is. Blocks may overlap.
#[inline]
fn is_all_plain(text: &[u8]) -> bool {
    if let Some(tail) = text.last_chunk::<32>() {
        return text.as_chunks::<32>().0.iter().all(is_plain) && is_plain(tail);
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        return is_plain(head) & is_plain(tail);
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return is_plain(head) & is_plain(tail);
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        return is_plain(head) & is_plain(tail);
    }
    text.iter().all(|byte| !needs_escape(*byte))
}

/// Looks at every byte even after a match, so that the compiler vectorizes the loop.
#[inline(always)]
fn is_plain<const N: usize>(block: &[u8; N]) -> bool {
    !block.iter().fold(false, |found, byte| found | needs_escape(*byte))
}

/// The index of the first byte that needs an escape.
#[inline(always)]
fn first_special(eight: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_le_bytes(eight);
    // Sets the high bit of each byte below `byte`. Bytes after the first match may be set falsely.
    let below = |word: u64, byte: u8| word.wrapping_sub(ONES * u64::from(byte)) & !word & HIGH;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let special = below(word, b' ') | is(b'"') | is(b'\\');
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character at every offset within and across blocks.
    #[test]
    fn plain_len_finds_the_first_special_byte_at_every_offset() {
        let all = (0..0x80).map(char::from).chain("\u{e9}\u{8336}\u{1f375}".chars());
        for special in all {
            for before in 0..50 {
                let text = format!("{}{special}{}", "x".repeat(before), "\u{e9}y\"".repeat(9));
                let expected = text.bytes().position(needs_escape).unwrap();
                assert_eq!(plain_len(text.as_bytes()), expected, "{text:?}");
                let (plain, _) = text.split_at(expected);
                assert_eq!(plain_len(plain.as_bytes()), expected, "{plain:?}");
                let is_plain = text.len() == expected;
                assert_eq!(is_all_plain(text.as_bytes()), is_plain, "{text:?}");
                for end in expected..text.len().min(expected + 70) {
                    let cut = &text.as_bytes()[..=end];
                    assert_eq!(is_all_plain(cut), !cut.iter().copied().any(needs_escape));
                }
                assert!(is_all_plain(plain.as_bytes()), "{plain:?}");
            }
        }
    }

    #[test]
    fn only_bytes_that_json_forbids_are_escaped() {
        let written = |text| {
            let mut out = Vec::new();
            append_string(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("\"\\\u{8}\t\n\u{c}\r"), r#""\"\\\b\t\n\f\r""#);
        assert_eq!(written("\0\u{1f}\u{7f}/"), "\"\\u0000\\u001f\u{7f}/\"");
        assert_eq!(written("\u{e9}\u{2028}\u{1f375}"), "\"\u{e9}\u{2028}\u{1f375}\"");
    }
}
