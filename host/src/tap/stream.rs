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

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use frontend_api::schema::Document;

    use super::*;

    fn token() -> Masker {
        let document = Document {
            name: "token.ksy".into(),
            media_type: String::new(),
            text: include_str!("../../../schemas/token/token.ksy").into(),
        };
        Masker::new("token", &[document])
    }

    /// `apply for token`, answered with the token 1.
    const ISSUED: &[u8] = &[0, 0, 0, 16, 0x80, 8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    #[test]
    fn a_frame_has_its_bytes_but_for_the_secret_ones() {
        let masker = token();
        let shown = Reassembly::from_the_start().push(&masker, Direction::Out, ISSUED);
        assert_eq!(shown.len(), 1);
        assert!(shown[0].masked);
        let bytes = BASE64.decode(shown[0].base64.as_ref().unwrap().as_bytes()).unwrap();
        assert_eq!(bytes[..12], ISSUED[..12]);
        assert_eq!(&bytes[12..], b"********");
    }

    #[test]
    fn cutting_a_stream_anywhere_shows_the_same_frames() {
        let masker = token();
        let stream = [ISSUED, ISSUED].concat();
        for cut in 0..stream.len() {
            let mut reassembly = Reassembly::from_the_start();
            let mut shown = reassembly.push(&masker, Direction::Out, &stream[..cut]);
            shown.extend(reassembly.push(&masker, Direction::Out, &stream[cut..]));
            assert_eq!(shown.len(), 2, "{cut}");
        }
    }

    #[test]
    fn a_tap_that_begins_within_a_frame_shows_nothing_of_it() {
        let masker = token();
        let mut reassembly = Reassembly::default();
        let shown = reassembly.push(&masker, Direction::Out, &ISSUED[9..]);
        assert_eq!(shown, [Shown::hidden(Direction::Out, 11)]);
        let shown = reassembly.push(&masker, Direction::Out, ISSUED);
        assert!(shown[0].base64.is_some(), "the next frame is whole");
    }
}
