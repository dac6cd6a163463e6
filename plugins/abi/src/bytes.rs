//! Borrowed bytes, on the Rust side.

use core::str::Utf8Error;

use crate::GwBytes;

/// As [`core::str::from_utf8`]. Most of what crosses is ASCII, which is known in a fraction of the
/// time.
#[inline]
pub fn utf8(bytes: &[u8]) -> Result<&str, Utf8Error> {
    match is_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        true => Ok(unsafe { core::str::from_utf8_unchecked(bytes) }),
        false => core::str::from_utf8(bytes),
    }
}

/// Never leaves a block early, so that the compiler looks at it as a whole.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let is_plain = |block: &[u8; 32]| block.iter().fold(0, |all, byte| all | byte) < 0x80;
    match bytes.last_chunk() {
        // The last block may overlap the one before.
        Some(last) => bytes.as_chunks().0.iter().all(is_plain) && is_plain(last),
        None => bytes.is_ascii(),
    }
}

impl GwBytes {
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    pub const fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// # Safety
    /// `ptr` points to `len` bytes that nobody writes to while `'a` lasts, or `len` is 0.
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the caller's promise, above.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_utf8_and_what_is_not_is_as_the_standard_library_has_it() {
        let long = [b'a'; 100];
        for bytes in
            [&b""[..], b"tea", "\u{8336}".as_bytes(), &long, b"\xff", b"tea\x80", b"\xe8\x8c"]
        {
            assert_eq!(utf8(bytes), core::str::from_utf8(bytes));
        }
        for at in 0..long.len() {
            let mut cut = long;
            cut[at] = 0xe8;
            assert!(utf8(&cut).is_err(), "{at}");
        }
    }
}
