//! Writes the parts of a JSON document whose layout is fixed.

use serde::Serialize;

use crate::text::append_string;

/// Appends JSON, byte for byte as serde_json writes it.
#[derive(Debug)]
pub(crate) struct JsonWriter<'a>(pub(crate) &'a mut Vec<u8>);

impl JsonWriter<'_> {
    /// Appends bytes that are JSON already.
    #[inline]
    pub(crate) fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    #[inline]
    pub(crate) fn string(&mut self, text: &str) {
        append_string(text, self.0);
    }

    pub(crate) fn strings(&mut self, strings: &[String]) {
        self.0.push(b'[');
        for (nth, string) in strings.iter().enumerate() {
            if nth > 0 {
                self.0.push(b',');
            }
            self.string(string);
        }
        self.0.push(b']');
    }

    /// Appends a value of the model, which always serializes.
    pub(crate) fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        crate::append(value, self.0).expect("the model has only string keys");
    }
}
