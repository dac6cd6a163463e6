//! Reads JSON whose layout is known beforehand, by comparing bytes.
//!
//! A method returns `None` if the JSON is laid out otherwise; the caller then parses the whole
//! document with serde_json.

use std::borrow::Cow;

use crate::text::plain_len;

/// The JSON that is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonReader<'a>(&'a str);

impl<'a> JsonReader<'a> {
    pub(crate) const fn new(json: &'a str) -> Self {
        Self(json)
    }

    /// Reads exactly these bytes.
    #[inline]
    pub(crate) fn literal(&mut self, bytes: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    /// Reads these bytes if they come next, and returns whether they did.
    #[inline]
    pub(crate) fn accept(&mut self, bytes: &str) -> bool {
        self.literal(bytes).is_some()
    }

    /// Reads a number without sign, fraction or exponent.
    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        let mut digits = 0;
        for digit in self.0.bytes().map(|byte| byte.wrapping_sub(b'0')) {
            if digit > 9 {
                break;
            }
            number = if digits < DIGITS_SAFE {
                number * 10 + u64::from(digit)
            } else {
                number.checked_mul(10)?.checked_add(digit.into())?
            };
            digits += 1;
        }
        let has_leading_zero = digits > 1 && self.0.starts_with('0');
        self.0 = &self.0[digits..];
        (digits > 0 && !has_leading_zero).then_some(number)
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// Reads a string; borrows it if it has no escapes.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<Cow<'a, str>> {
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

    /// Reads the rest of a string that has escapes, after its plain start `text`.
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
                    // `from_str_radix` takes a sign too.
                    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        return None;
                    }
                    // `from_u32` refuses surrogates: pairs are left to serde_json.
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

    /// Reads a list of strings.
    pub(crate) fn strings(&mut self) -> Option<Vec<String>> {
        let mut strings = Vec::new();
        self.literal("[")?;
        while !self.accept("]") {
            if !strings.is_empty() {
                self.literal(",")?;
            }
            strings.push(self.string()?);
        }
        Some(strings)
    }

    /// Reads a value of any kind and returns its JSON, without checking that it is valid.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let mut depth = 0_usize;
        let mut quoted = false;
        let mut at = 0;
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

    /// `Some` if nothing is left to read.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A number of so many digits fits into 64 bits.
const DIGITS_SAFE: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_the_expected_layout_is_read() {
        let mut reader =
            JsonReader::new(r#"{"id":18446744073709551615,"to":["a","b"],"x":{"]":["}\""]},1"#);
        assert_eq!((reader.literal("{\"id\":"), reader.number()), (Some(()), Some(u64::MAX)));
        assert!(!reader.accept(",\"at\":") && reader.accept(",\"to\":"));
        assert_eq!(reader.strings().unwrap(), ["a", "b"]);
        assert_eq!(
            (reader.literal(",\"x\":"), reader.value()),
            (Some(()), Some(r#"{"]":["}\""]}"#))
        );
        assert_eq!((reader.end(), reader.literal(",1"), reader.end()), (None, Some(()), Some(())));
    }

    #[test]
    fn strings_are_unescaped() {
        let read = |json| {
            let mut reader = JsonReader::new(json);
            reader.string().filter(|_| reader.end().is_some())
        };
        assert_eq!(read(r#""""#).unwrap(), "");
        assert_eq!(read("\"\u{8336} \u{1f375}\"").unwrap(), "\u{8336} \u{1f375}");
        let escapes = r#""a\"b\\c\/d\b\f\n\r\t\u0000\u00e9""#;
        assert_eq!(read(escapes).unwrap(), "a\"b\\c/d\u{8}\u{c}\n\r\t\0\u{e9}");
        let others =
            ["", "\"", "\"a", "\"a\\", r#""\u00""#, r#""\ud83c\udf75""#, r#""\x""#, "\"\n\""];
        for other in others.into_iter().chain([r#""\u+007""#, r#""\u00é""#, r#""\é""#, "1"]) {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn malformed_numbers_and_lists_are_refused() {
        for other in ["", "-1", "x", "00", "01", "18446744073709551616", "100000000000000000000"] {
            assert_eq!(JsonReader::new(other).number(), None, "{other}");
        }
        for other in ["", "[", "[1]", r#"["a""#, r#"["a" ,"b"]"#, r#"[,"a"]"#] {
            assert_eq!(JsonReader::new(other).strings(), None, "{other}");
        }
        for cut in ["\"\\", "{\"\\"] {
            assert_eq!(JsonReader::new(cut).value(), None, "{cut}");
        }
    }
}
