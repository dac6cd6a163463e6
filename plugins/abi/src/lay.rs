//! Writes JSON in the layout that [`scan`](crate::scan) reads, byte for byte as serde_json writes
//! it. For the few things that cross the border with every message.

use alloc::string::String;
use alloc::vec::Vec;

use crate::scan::plain_len;

/// JSON that grows.
#[derive(Debug)]
pub struct Lay<'a>(pub &'a mut Vec<u8>);

impl Lay<'_> {
    /// These bytes, which are JSON.
    #[inline]
    pub fn put(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A whole number.
    #[inline]
    pub fn number(&mut self, number: u64) {
        let (mut digits, mut at, mut left) = ([0; DIGITS_MAX], DIGITS_MAX, number);
        while left >= 10 {
            at -= 2;
            digits[at..at + 2].copy_from_slice(&PAIRS[(left % 100) as usize]);
            left /= 100;
        }
        if left > 0 || number == 0 {
            at -= 1;
            digits[at] = b'0' + left as u8;
        }
        self.0.extend_from_slice(&digits[at..]);
    }

    /// A string.
    #[inline]
    pub fn string(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        self.0.reserve(rest.len() + 2);
        self.0.push(b'"');
        loop {
            let (plain, special) = rest.split_at(plain_len(rest));
            self.0.extend_from_slice(plain);
            let Some((byte, behind)) = special.split_first() else { break };
            self.escape(*byte);
            rest = behind;
        }
        self.0.push(b'"');
    }

    #[cold]
    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0xc => b'f',
            b'\r' => b'r',
            _ => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                let escape = [b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)];
                return self.0.extend_from_slice(&escape);
            }
        };
        self.0.extend_from_slice(&[b'\\', short]);
    }

    /// A list of strings.
    pub fn strings(&mut self, strings: &[String]) {
        self.0.push(b'[');
        for (nth, string) in strings.iter().enumerate() {
            if nth > 0 {
                self.0.push(b',');
            }
            self.string(string);
        }
        self.0.push(b']');
    }
}

/// Of the largest number.
const DIGITS_MAX: usize = 20;

/// The digits of the numbers below 100.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[b'0'; 2]; 100], 0);
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::scan::Scan;

    fn laid(lay: impl FnOnce(&mut Lay<'_>)) -> String {
        let mut json = Vec::new();
        lay(&mut Lay(&mut json));
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn numbers_and_lists_are_laid_out_as_they_are_read() {
        for number in (0..2_000).chain([9_999, 10_000, 1_700_000_000_000, u64::MAX]) {
            let json = laid(|lay| lay.number(number));
            assert_eq!(json, alloc::format!("{number}"));
            assert_eq!(Scan::new(&json).number(), Some(number), "{json}");
        }
        for strings in [vec![], vec!["a".into()], vec!["a\"".into(), String::new()]] {
            let json = laid(|lay| lay.strings(&strings));
            assert_eq!(Scan::new(&json).strings(), Some(strings), "{json}");
        }
    }

    #[test]
    fn strings_are_escaped_wherever_it_is_needed_and_nowhere_else() {
        let every = (0..=0x7f).map(char::from).chain("\u{e9}\u{8336}\u{1f375}".chars());
        for special in every {
            for before in 0..40 {
                let text: String = ("x".repeat(before).chars())
                    .chain([special, special])
                    .chain("\u{e9}yyyyyyyyy".chars())
                    .collect();
                let json = laid(|lay| lay.string(&text));
                assert_eq!(Scan::new(&json).string().as_ref(), Some(&text), "{json}");
                let plain = special >= ' ' && special != '"' && special != '\\';
                assert_eq!(json.contains('\\'), !plain, "{json}");
            }
        }
        assert_eq!(laid(|lay| lay.string("\"\\\u{8}\t\n\u{c}\r")), r#""\"\\\b\t\n\f\r""#);
        assert_eq!(laid(|lay| lay.string("\0\u{1f}\u{7f}/")), "\"\\u0000\\u001f\u{7f}/\"");
    }
}
