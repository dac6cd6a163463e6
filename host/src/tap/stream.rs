//! A byte stream cut into the frames of a layout. A tap may begin within a frame, so a stream is
//! shown only once it is known where its frames begin.

use super::shown::{Direction, Masker, Shown};

/// What is kept of an unfinished frame.
const UNFINISHED_BYTES_MAX: usize = 1 << 20;

/// One direction of one connection.
#[derive(Debug, Default)]
pub struct Reassembly {
    unfinished: Vec<u8>,
    /// Whether `unfinished` begins with a frame.
    is_aligned: bool,
}

impl Reassembly {
    /// Of a stream whose beginning is seen.
    pub fn from_the_start() -> Self {
        Self { unfinished: Vec::new(), is_aligned: true }
    }

    /// Takes bytes, and returns what they complete.
    pub fn push(&mut self, masker: &Masker, direction: Direction, bytes: &[u8]) -> Vec<Shown> {
        if !self.is_aligned {
            // Bytes that are whole frames without a fault are hardly anything else.
            self.unfinished.clear();
            let mut shown = Vec::new();
            let taken = masker.frames(direction, bytes, &mut shown);
            if taken != Some(bytes.len()) || shown.iter().any(|frame| frame.is_malformed()) {
                return vec![Shown::hidden(direction, bytes.len())];
            }
            self.is_aligned = true;
            return shown;
        }
        self.unfinished.extend_from_slice(bytes);
        let mut shown = Vec::new();
        match masker.frames(direction, &self.unfinished, &mut shown) {
            Some(taken) => {
                self.unfinished.drain(..taken);
                self.is_aligned = self.unfinished.len() <= UNFINISHED_BYTES_MAX;
            }
            None => {
                shown.push(Shown::hidden(direction, bytes.len()));
                self.is_aligned = false;
            }
        }
        shown
    }
}
