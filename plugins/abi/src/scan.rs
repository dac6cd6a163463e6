//! Reads JSON whose layout is known beforehand, as fast as bytes are compared. For the few things
//! that cross the border with every message; where this gives `None`, they are laid out otherwise,
//! and are read like any JSON.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// What is left to be read.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    pub const fn new(json: &'a str) -> Self {
        Self(json)
    }

    /// Exactly these bytes come next.
    #[inline]
    pub fn take(&mut self, bytes: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    /// Whether these bytes come next; if so, they are taken.
    #[inline]
    pub fn has(&mut self, bytes: &str) -> bool {
        self.take(bytes).is_some()
    }

    /// A whole number, not below 0.
    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        let (mut number, mut digits) = (0_u64, 0);
        for digit in self.0.bytes().map(|byte| byte.wrapping_sub(b'0')) {
            if digit > 9 {
                break;
            }
            number = match digits < DIGITS_SAFE {
                true => number * 10 + u64::from(digit),
                false => number.checked_mul(10)?.checked_add(digit.into())?,
            };
            digits += 1;
        }
        self.0 = &self.0[digits..];
        (digits > 0).then_some(number)
    }

    /// A string.
    #[inline]
    pub fn string(&mut self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// A string, as it stands there if it has no escapes.
    #[inline]
    pub fn text(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.0.strip_prefix('"')?;
        let plain = plain_len(rest.as_bytes());
        let (text, rest) = rest.split_at(plain);
        match rest.strip_prefix('"') {
            Some(rest) => {
                self.0 = rest;
                Some(Cow::Borrowed(text))
            }
            None => self.escaped(text, rest).map(Cow::Owned),
        }
    }

    /// The rest of a string that has escapes, of which `text` was read.
    #[cold]
    fn escaped(&mut self, text: &str, mut rest: &'a str) -> Option<String> {
        let mut text = String::from(text);
        loop {
            let escape = rest.strip_prefix('\\')?;
            let (escape, mut behind) = escape.split_at_checked(1)?;
            text.push(match escape {
                "\"" | "\\" | "/" => char::from(escape.as_bytes()[0]),
                "b" => '\u{8}',
                "f" => '\u{c}',
                "n" => '\n',
                "r" => '\r',
                "t" => '\t',
                "u" => {
                    let (digits, rest) = behind.split_at_checked(4)?;
                    behind = rest;
                    // Half of a pair is none.
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            });
            let (plain, next) = behind.split_at(plain_len(behind.as_bytes()));
            text.push_str(plain);
            match next.strip_prefix('"') {
                Some(next) => {
                    self.0 = next;
                    return Some(text);
                }
                None => rest = next,
            }
        }
    }

    /// A list of strings.
    pub fn strings(&mut self) -> Option<Vec<String>> {
        let mut strings = Vec::new();
        self.take("[")?;
        while !self.has("]") {
            if !strings.is_empty() {
                self.take(",")?;
            }
            strings.push(self.string()?);
        }
        Some(strings)
    }

    /// A value of any kind, as it stands there: a string, an object, a list, a word.
    pub fn value(&mut self) -> Option<&'a str> {
        let (mut depth, mut quoted, mut at) = (0_usize, false, 0);
        let bytes = self.0.as_bytes();
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => quoted = !quoted,
                b'\\' if quoted => at += 1,
                b'{' | b'[' if !quoted => depth += 1,
                b',' | b'}' | b']' if !quoted && depth == 0 => break,
                b'}' | b']' if !quoted => depth -= 1,
                _ => (),
            }
            at += 1;
        }
        let (value, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        Some(value)
    }

    /// Nothing is left.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// So many digits make no number that is too large.
const DIGITS_SAFE: usize = 19;

/// How long a string goes on without anything special: a quote, a backslash, a control character.
/// Many bytes at a time, which is what makes the whole fast: texts are most of what crosses.
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
        // Those of them that were looked at before are plain.
        Some(eight) => text.len() - 8 + first_special(*eight).unwrap_or(8),
        None => at + text[at..].iter().position(is_special).unwrap_or(text.len() - at),
    }
}

#[inline(always)]
fn is_special(byte: &u8) -> bool {
    (*byte < b' ') | (*byte == b'"') | (*byte == b'\\')
}

/// Never leaves a block early, so that the compiler looks at it as a whole.
#[inline(always)]
fn is_plain(block: &[u8; 16]) -> bool {
    !block.iter().fold(false, |found, byte| found | is_special(byte))
}

#[inline(always)]
fn first_special(eight: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_le_bytes(eight);
    // The high bit of each byte that is below the other; and perhaps of some after the first.
    let below = |word: u64, byte: u8| word.wrapping_sub(ONES * u64::from(byte)) & !word & HIGH;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let special = below(word, b' ') | is(b'"') | is(b'\\');
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_out_as_it_is_known_is_read() {
        let mut scan =
            Scan::new(r#"{"id":18446744073709551615,"to":["a","b"],"x":{"]":["}\""]},1"#);
        assert_eq!((scan.take("{\"id\":"), scan.number()), (Some(()), Some(u64::MAX)));
        assert!(!scan.has(",\"at\":") && scan.has(",\"to\":"));
        assert_eq!(scan.strings().unwrap(), ["a", "b"]);
        assert_eq!((scan.take(",\"x\":"), scan.value()), (Some(()), Some(r#"{"]":["}\""]}"#)));
        assert_eq!((scan.end(), scan.take(",1"), scan.end()), (None, Some(()), Some(())));
    }

    #[test]
    fn strings_are_unescaped() {
        let read = |json| {
            let mut scan = Scan::new(json);
            scan.string().filter(|_| scan.end().is_some())
        };
        assert_eq!(read(r#""""#).unwrap(), "");
        assert_eq!(read("\"\u{8336} \u{1f375}\"").unwrap(), "\u{8336} \u{1f375}");
        let escapes = r#""a\"b\\c\/d\b\f\n\r\t\u0000\u00e9""#;
        assert_eq!(read(escapes).unwrap(), "a\"b\\c/d\u{8}\u{c}\n\r\t\0\u{e9}");
        let others =
            ["", "\"", "\"a", "\"a\\", r#""\u00""#, r#""\ud83c\udf75""#, r#""\x""#, "\"\n\""];
        for other in others.into_iter().chain([r#""\u00é""#, r#""\é""#, "1"]) {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn numbers_and_lists_that_are_none_are_not_read() {
        for other in ["", "-1", "x", "18446744073709551616", "100000000000000000000"] {
            assert_eq!(Scan::new(other).number(), None, "{other}");
        }
        for other in ["", "[", "[1]", r#"["a""#, r#"["a" ,"b"]"#, r#"[,"a"]"#] {
            assert_eq!(Scan::new(other).strings(), None, "{other}");
        }
        for cut in ["\"\\", "{\"\\"] {
            assert_eq!(Scan::new(cut).value(), None, "{cut}");
        }
    }
}
