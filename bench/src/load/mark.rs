//! What a message's text begins with: `~`, the speaker and the number, eight hex digits each.

/// Bytes of a mark.
pub(super) const LEN: usize = 17;

/// Placeholder for a mark.
pub(super) const BLANK: &str = "~0000000000000000";

const SIGN: u8 = b'~';
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A text of `bytes` bytes, at least as long as a mark, that begins with a blank one.
pub(super) fn text(bytes: usize) -> String {
    format!("{BLANK}{}", "x".repeat(bytes.saturating_sub(LEN)))
}

/// The position of the blank mark.
pub(super) fn position(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, BLANK.as_bytes())
}

/// Overwrites a mark.
pub(super) fn write(into: &mut [u8], speaker: u32, number: u32) {
    let value = u64::from(speaker) << 32 | u64::from(number);
    for (at, digit) in into[1..LEN].iter_mut().enumerate() {
        *digit = DIGITS[(value >> (60 - 4 * at)) as usize & 15];
    }
}

/// The speaker and the number of the first mark in a payload. Before it there may be signs that
/// begin none: the id of a message in binary, for one.
pub(super) fn find(payload: &[u8]) -> Option<(u32, u32)> {
    memchr::memchr_iter(SIGN, payload).find_map(|at| read(payload, at))
}

fn read(payload: &[u8], at: usize) -> Option<(u32, u32)> {
    let digits = payload.get(at + 1..at + LEN)?;
    let mut value = 0u64;
    for digit in digits {
        let four = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(four);
    }
    Some(((value >> 32) as u32, value as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_wherever_it_stands() {
        let mut bytes = format!("{{\"msg\":\"{}\"}}", text(120)).into_bytes();
        let at = position(&bytes).unwrap();
        for (speaker, number) in [(0, 0), (1, 2), (0xdead_beef, u32::MAX)] {
            write(&mut bytes[at..], speaker, number);
            assert_eq!(find(&bytes), Some((speaker, number)));
        }
    }

    #[test]
    fn a_sign_that_begins_no_mark_hides_none() {
        let bytes = [b"\0\x7e\0~12".as_slice(), text(20).as_bytes()].concat();
        assert_eq!(find(&bytes), Some((0, 0)));
    }

    #[test]
    fn what_is_no_mark_is_none() {
        for payload in ["", "hello", "~", "~000000000000000", "~000000000000000g", "x~y"] {
            assert_eq!(find(payload.as_bytes()), None, "{payload}");
        }
    }
}
