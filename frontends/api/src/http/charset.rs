//! The character encodings that clients send.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{Encoding, GB18030, GBK, UTF_8};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A character encoding, decoded strictly: every text has exactly one spelling in bytes, so two
/// inputs are equal as text only if they are equal as bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Charset {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// GBK, which the Chinese editions of Windows call code page 936.
    #[serde(rename = "gbk")]
    Gbk,
}

impl Charset {
    /// The text of these bytes; None if they are not text in this charset.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Gbk => {
                let text = GBK.decode_without_bom_handling_and_without_replacement(bytes)?;
                // The decoder also takes GB18030 and second spellings of some characters.
                let (again, _, unmappable) = GBK.encode(&text);
                (!unmappable && *again == *bytes).then_some(text)
            }
        }
    }

    /// The charset among the parameters of a content type, if it is one of these.
    pub(super) fn in_parameters(parameters: &str) -> Option<Self> {
        if parameters.is_empty() {
            return None;
        }
        let named = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        })?;
        let encoding = Encoding::for_label(named.as_bytes())?;
        if encoding == UTF_8 {
            return Some(Self::Utf8);
        }
        (encoding == GBK || encoding == GB18030).then_some(Self::Gbk)
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Gbk => "GBK",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gbk_is_strict_both_ways() {
        let decode = |bytes: &[u8]| Charset::Gbk.decode(bytes).map(Cow::into_owned);
        assert_eq!(decode(b"\xD6\xD0\xCE\xC4 abc").as_deref(), Some("中文 abc"));
        assert_eq!(decode(b"\x80").as_deref(), Some("€"));
        // Another spelling of the euro sign, half a character, a lead byte alone, GB18030.
        for wrong in [&b"\xA2\xE3"[..], b"\xD6", b"\xFF\xFE", b"\x81\x30\x81\x30"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_content_type_may_name_a_charset() {
        for (parameters, charset) in [
            ("", None),
            (" charset=utf-8", Some(Charset::Utf8)),
            (" boundary=x; Charset=\"GBK\"", Some(Charset::Gbk)),
            ("charset=gb18030", Some(Charset::Gbk)),
            ("charset=iso-8859-1", None),
            ("charset=nonsense", None),
        ] {
            assert_eq!(Charset::in_parameters(parameters), charset, "{parameters}");
        }
    }
}
