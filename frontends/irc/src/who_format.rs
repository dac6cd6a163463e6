//! The parameter of WHO that says which fields the replies have.

use crate::encode;

/// The longest token of an extended WHO.
const TOKEN_BYTES_MAX: usize = 3;

/// The form of the replies to a WHO.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhoFormat {
    /// The fields of an extended WHO: <https://ircv3.net/specs/extensions/whox>.
    pub(crate) fields: Option<String>,
    pub(crate) token: String,
}

impl WhoFormat {
    /// `%fields,token`; anything else before the `%` is a filter that nothing here needs.
    pub(crate) fn parse(text: &str) -> Self {
        let Some((_, extended)) = text.split_once('%') else { return Self::default() };
        let (fields, token) = extended.split_once(',').unwrap_or((extended, ""));
        let token = encode::cut_to(token, TOKEN_BYTES_MAX).to_owned();
        Self { fields: Some(fields.to_owned()), token }
    }
}
