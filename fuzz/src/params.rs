//! Parameters of HTTP requests: queries, forms and JSON bodies.

use frontend_api::Peer;
use frontend_api::http::{Charset, Digits, Loose, Params, TextOrNumber};
use serde::Deserialize;

/// A field of each type that the dialects use.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only reading the fields matters")]
struct Fields {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    number: Option<Digits>,
    #[serde(default)]
    text: Option<TextOrNumber>,
    #[serde(default)]
    list: Option<Loose<String>>,
    #[serde(default)]
    flag: Option<bool>,
}

pub fn http_params(data: &[u8]) {
    let Some(request) = crate::dialects::request(data) else { return };
    let peer = Peer::default();
    for charset in [Charset::Utf8, Charset::Gbk] {
        let Ok(params) = Params::in_charset(&peer, &request, charset) else { continue };
        let _ = params.read::<Fields>();
        let _ = params.read::<serde_json::Value>();
    }
}
