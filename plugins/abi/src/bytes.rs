//! Borrowed bytes, on the Rust side.

use crate::GwBytes;

impl GwBytes {
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    pub const fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// Whether a slice can be made of it at all: a length comes with a pointer, and is one that a
    /// slice can have.
    pub const fn is_sound(self) -> bool {
        self.len == 0 || (!self.ptr.is_null() && self.len <= isize::MAX as usize)
    }

    /// # Safety
    /// `len` is 0, or `ptr` points to `len` bytes that nothing writes to during `'a`.
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the caller's promise, above.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}
