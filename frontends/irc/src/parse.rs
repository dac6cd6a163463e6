//! Lines to protocol messages, and the parsing of their parameters.

use data_encoding::BASE64;

/// The most bytes of a line without its tags and its end: RFC 1459, section 2.3.
const LINE_BYTES_MAX: usize = 510;

/// The most bytes of a client's tags, with the `@` and the space: IRCv3 message tags.
const TAGS_BYTES_MAX: usize = 4096;

/// What ends a line, and so is within none.
const BREAKS: [char; 2] = ['\r', '\0'];

/// The tag with the client's own id of a message, which is then posted once.
pub(crate) const CLIENT_ID: &str = "+draft/client-msgid";

/// The tag of a line that continues the one before it: IRCv3 draft/multiline.
pub(crate) const CONCAT: &str = "draft/multiline-concat";

/// A line from the client.
pub(crate) enum Line<'a> {
    Message(Message<'a>),
    /// A line without a command.
    Empty,
    /// Also the label of the line, if it has one that can be read.
    Refused(LineFault, Option<&'a str>),
}

/// Why a line is refused as a whole, whatever its command: a part of it would be another message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LineFault {
    TooLong,
    /// It has a NUL, or a CR that is not at its end: RFC 2812, section 2.3.1.
    Broken,
}

/// A command with its parameters. The source and all tags but these are ignored.
pub(crate) struct Message<'a> {
    /// In upper case.
    pub(crate) verb: String,
    /// The tag `label` of IRCv3 labeled-response, still escaped.
    pub(crate) label: Option<&'a str>,
    /// The tag [`CLIENT_ID`], still escaped.
    pub(crate) client_id: Option<&'a str>,
    /// The other client-only tags, still escaped: IRCv3 message tags.
    pub(crate) client_tags: String,
    /// The batch that it is a line of.
    pub(crate) batch: Option<&'a str>,
    /// Whether it continues the line before it in its batch.
    pub(crate) continues: bool,
    params: Vec<&'a str>,
}

pub(crate) fn line(text: &str) -> Line<'_> {
    let text = text.trim_end_matches('\r');
    let (tags, rest) =
        if text.starts_with('@') { text.split_once(' ').unwrap_or((text, "")) } else { ("", text) };
    let value = |key| {
        let mut pairs = tags.strip_prefix('@')?.split(';').filter_map(|tag| tag.split_once('='));
        pairs.find(|(found, _)| *found == key).map(|(_, value)| value)
    };
    let (label, batch) = (value("label"), value("batch"));
    if text.contains(BREAKS) {
        let label = label.filter(|label| !label.contains(BREAKS));
        return Line::Refused(LineFault::Broken, label);
    }
    let text = rest;
    if tags.len() >= TAGS_BYTES_MAX || text.len() > LINE_BYTES_MAX {
        return Line::Refused(LineFault::TooLong, label);
    }
    let text = text.trim_start_matches(' ');
    let text =
        if text.starts_with(':') { text.split_once(' ').unwrap_or_default().1 } else { text };
    let (middle, trailing) = match text.split_once(" :") {
        Some((middle, trailing)) => (middle, Some(trailing)),
        None => (text, None),
    };
    let mut words = middle.split(' ').filter(|word| !word.is_empty());
    let Some(verb) = words.next() else { return Line::Empty };
    let params = words.chain(trailing).collect();
    let tags = tags.strip_prefix('@').unwrap_or_default();
    // A tag without a value has an empty one.
    let has_bare_id = || tags.split(';').any(|tag| tag == CLIENT_ID);
    let client_id = value(CLIENT_ID).or_else(|| has_bare_id().then_some(""));
    let continues = tags.split(';').any(|tag| tag.trim_end_matches('=') == CONCAT);
    let client_tags =
        tags.split(';').filter(|tag| is_client_tag(tag)).collect::<Vec<_>>().join(";");
    let verb = verb.to_ascii_uppercase();
    Line::Message(Message { verb, label, client_id, client_tags, batch, continues, params })
}

/// Whether a tag is one that clients show each other, but for [`CLIENT_ID`].
fn is_client_tag(tag: &str) -> bool {
    let key = tag.split('=').next().unwrap_or_default();
    let in_key = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '/');
    let name = key.strip_prefix('+').unwrap_or_default();
    !name.is_empty() && name.chars().all(in_key) && key != CLIENT_ID
}

impl<'a> Message<'a> {
    /// The number of parameters, without empty ones at the end.
    pub(crate) fn given(&self) -> usize {
        self.params.iter().rposition(|param| !param.is_empty()).map_or(0, |last| last + 1)
    }

    /// A parameter, or "".
    pub(crate) fn param(&self, at: usize) -> &'a str {
        self.params.get(at).copied().unwrap_or_default()
    }

    /// A parameter, or `None` where it is absent rather than empty.
    pub(crate) fn optional(&self, at: usize) -> Option<&'a str> {
        self.params.get(at).copied()
    }

    /// All parameters joined, for values that clients send with spaces but without the colon.
    pub(crate) fn words(&self) -> String {
        self.params.join(" ")
    }

    pub(crate) fn last(&self) -> &'a str {
        self.params.last().copied().unwrap_or_default()
    }

    /// The non-empty parts of a comma-separated parameter.
    pub(crate) fn list(&self, at: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        self.param(at).split(',').filter(|part| !part.is_empty())
    }
}

/// The credentials of SASL PLAIN: RFC 4616.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Plain {
    pub(crate) handle: String,
    pub(crate) password: String,
}

/// `None` for anything but base64 of `authzid NUL authcid NUL passwd` with an authzid that is empty
/// or equals the authcid.
pub(crate) fn plain(base64: &str) -> Option<Plain> {
    let text = String::from_utf8(BASE64.decode(base64.as_bytes()).ok()?).ok()?;
    let mut parts = text.split('\0');
    let acting = parts.next()?;
    let handle = parts.next()?;
    let password = parts.next()?;
    let whole = parts.next().is_none() && (acting.is_empty() || acting == handle);
    whole.then(|| Plain { handle: handle.into(), password: password.into() })
}

/// The credentials of SASL OAUTHBEARER: RFC 7628, section 3.1.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Bearer {
    /// The handle to act as; "" for the token's own user.
    pub(crate) handle: String,
    pub(crate) token: String,
}

/// `None` for anything but base64 of a GS2 header without channel binding (`n,a=ann,`) and fields
/// that end with U+0001, `auth=Bearer <token>` among them.
pub(crate) fn bearer(base64: &str) -> Option<Bearer> {
    let text = String::from_utf8(BASE64.decode(base64.as_bytes()).ok()?).ok()?;
    let (header, fields) = text.split_once('\u{1}')?;
    let acting = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"))?;
    let acting = acting.strip_suffix(',')?;
    let handle = match acting.strip_prefix("a=") {
        Some(name) => name.replace("=2C", ",").replace("=3D", "="),
        None if acting.is_empty() => String::new(),
        None => return None,
    };
    let fields = fields.strip_suffix("\u{1}\u{1}")?;
    let shown = fields.split('\u{1}').find_map(|field| field.strip_prefix("auth="))?;
    let (scheme, token) = shown.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Bearer { handle, token: token.trim().into() })
}

/// What SASL EXTERNAL says: the handle to act as, "" for the certificate's own user. `None` for what
/// is not base64 of a text.
pub(crate) fn external(base64: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(base64.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        match line(text) {
            Line::Message(message) => {
                let params = message.params.iter().map(|param| (*param).to_owned());
                std::iter::once(message.verb).chain(params).collect()
            }
            Line::Empty => vec!["empty".into()],
            Line::Refused(LineFault::TooLong, _) => vec!["too long".into()],
            Line::Refused(LineFault::Broken, _) => vec!["broken".into()],
        }
    }

    #[test]
    fn only_the_last_parameter_of_a_line_may_have_spaces() {
        assert_eq!(parts("privmsg #tea :hi there"), ["PRIVMSG", "#tea", "hi there"]);
        assert_eq!(parts("  JOIN   #a  #b  "), ["JOIN", "#a", "#b"]);
        assert_eq!(parts("TOPIC #a :"), ["TOPIC", "#a", ""]);
        assert_eq!(parts("PRIVMSG #a ::) :-)"), ["PRIVMSG", "#a", ":) :-)"]);
        assert_eq!(parts("MODE a:b"), ["MODE", "a:b"]);
    }

    #[test]
    fn a_line_with_a_nul_or_a_cr_within_is_refused_whole() {
        for line in ["AWAY\r JOIN #a", "PRIVMSG #a :pay bob\0 not 100", "\0", "@a=\0 PING 1"] {
            assert_eq!(parts(line), ["broken"], "{line:?}");
        }
        assert_eq!(parts("PING 1\r\r"), ["PING", "1"]);
    }

    #[test]
    fn tags_and_sources_are_ignored() {
        assert_eq!(parts("@+typing=active;x :ann!a@b PING  1"), ["PING", "1"]);
        for nothing in ["@a=b", "@a=b ", ":ann", ":ann ", " "] {
            assert_eq!(parts(nothing), ["empty"], "{nothing}");
        }
    }

    #[test]
    fn a_line_over_the_limit_of_the_protocol_is_too_long() {
        let padded = |bytes: usize| format!("PING {}", "x".repeat(bytes - 5));
        assert_eq!(parts(&padded(510))[0], "PING");
        assert_eq!(parts(&padded(511)), ["too long"]);
        let tagged = |bytes: usize| format!("@{} {}", "x".repeat(bytes - 2), padded(510));
        assert_eq!(parts(&tagged(4096))[0], "PING");
        assert_eq!(parts(&tagged(4097)), ["too long"]);
    }

    #[test]
    fn a_bearer_response_has_a_header_and_a_token() {
        let bearer = |text: &str| bearer(&BASE64.encode(text.as_bytes()));
        let of = |handle: &str| Some(Bearer { handle: handle.into(), token: "a.b.c".into() });
        assert_eq!(bearer("n,,\u{1}auth=Bearer a.b.c\u{1}\u{1}"), of(""));
        assert_eq!(bearer("y,a=ann,\u{1}auth=bearer a.b.c\u{1}\u{1}"), of("ann"));
        let full = "n,a=a=2Cb,\u{1}host=irc.example\u{1}auth=Bearer a.b.c\u{1}port=6697\u{1}\u{1}";
        assert_eq!(bearer(full), of("a,b"));
        for wrong in [
            "",
            "n,,\u{1}\u{1}",
            "n,,\u{1}auth=Bearer a.b.c\u{1}",
            "p=tls-unique,,\u{1}auth=Bearer a.b.c\u{1}\u{1}",
            "n,x=1,\u{1}auth=Bearer a.b.c\u{1}\u{1}",
            "n,,\u{1}auth=Basic a.b.c\u{1}\u{1}",
            "n,,\u{1}host=irc.example\u{1}\u{1}",
        ] {
            assert_eq!(bearer(wrong), None, "{wrong:?}");
        }
        assert_eq!(super::bearer("%"), None);
    }

    #[test]
    fn a_plain_response_has_three_parts_and_one_identity() {
        let plain = |text: &str| plain(&BASE64.encode(text.as_bytes()));
        let ann = || Some(Plain { handle: "ann".into(), password: "tea: two".into() });
        assert_eq!(plain("\0ann\0tea: two"), ann());
        assert_eq!(plain("ann\0ann\0tea: two"), ann());
        for wrong in ["bob\0ann\0x", "ann\0x", "\0ann\0x\0", ""] {
            assert_eq!(plain(wrong), None, "{wrong:?}");
        }
        assert_eq!(super::plain("%"), None);
        assert_eq!(super::plain("//8A"), None);
    }
}
