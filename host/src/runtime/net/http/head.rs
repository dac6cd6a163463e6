//! What hyper lets pass in the head of a request and HTTP does not.

use frontend_api::http::HttpError;
use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;

/// The head of an HTTP request. Enough for any cookie jar.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Of a header line without its name and value: `: ` and the end of the line.
const LINE_BYTES: usize = 4;

/// Of the first line without its method and target: `HTTP/1.1`, two spaces, and the end of the line.
const FIRST_LINE_BYTES: usize = 12;

/// Refuses a head that is too long, or from which readers would tell different ends of the body; and
/// has the host of an absolute target take the place of Host (RFC 9112, section 3.2.2).
pub(crate) fn check_head(parts: &mut Parts) -> Result<(), HttpError> {
    if head_bytes(parts) > HEAD_BYTES_MAX {
        let reason = "the head of the request has more than 64 KiB";
        return Err(HttpError::new(431, reason).with_header("connection", "close"));
    }
    check_encoding(&parts.headers)?;
    take_host_of_target(parts)
}

/// As far as the parts still show it.
fn head_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + LINE_BYTES
    };
    let lines: usize = parts.headers.iter().map(line).sum();
    FIRST_LINE_BYTES + parts.method.as_str().len() + target + lines
}

/// A body is chunked once and has no other coding (RFC 9112, section 6.1). Hyper looks at the last
/// coding only.
fn check_encoding(headers: &HeaderMap) -> Result<(), HttpError> {
    let values = headers.get_all(TRANSFER_ENCODING).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_none() && coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let reason = "the Transfer-Encoding of the request must be chunked, once";
    Err(HttpError::new(400, reason).with_header("connection", "close"))
}

fn take_host_of_target(parts: &mut Parts) -> Result<(), HttpError> {
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    // The target of CONNECT is an authority and nothing else; no front end has that method.
    if parts.method == Method::CONNECT {
        return Ok(());
    }
    // A request with several is refused for that.
    if parts.headers.get_all(HOST).iter().nth(1).is_some() {
        return Ok(());
    }
    let wrong = || HttpError::new(400, "the target of the request is not one of this server");
    let is_http = parts.uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https"));
    if !is_http || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
    parts.headers.insert(HOST, host);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = hyper::Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn refused(mut parts: Parts) -> Option<u16> {
        check_head(&mut parts).err().map(|error| error.status)
    }

    #[test]
    fn a_body_is_chunked_once_and_nothing_else() {
        for coding in ["chunked", "Chunked", " chunked "] {
            assert_eq!(refused(parts("/", &[("transfer-encoding", coding)])), None, "{coding}");
        }
        for coding in ["chunked, chunked", "gzip, chunked", ",chunked", "chunked,", "", "x"] {
            let status = refused(parts("/", &[("transfer-encoding", coding)]));
            assert_eq!(status, Some(400), "{coding}");
        }
        let twice = parts("/", &[("transfer-encoding", "chunked"); 2]);
        assert_eq!(refused(twice), Some(400));
    }

    #[test]
    fn a_head_has_64_kib() {
        let cookie = |len: usize| "x".repeat(len);
        let rest = head_bytes(&parts("/", &[("cookie", "")]));
        let longest = cookie(HEAD_BYTES_MAX - rest);
        assert_eq!(refused(parts("/", &[("cookie", &longest)])), None);
        let too_long = cookie(HEAD_BYTES_MAX - rest + 1);
        assert_eq!(refused(parts("/", &[("cookie", &too_long)])), Some(431));
    }

    #[test]
    fn the_host_of_an_absolute_target_counts() {
        let mut absolute = parts("http://evil.example:80/x", &[("host", "127.0.0.1")]);
        check_head(&mut absolute).unwrap();
        assert_eq!(absolute.headers[HOST], "evil.example:80");
        let mut without = parts("http://127.0.0.1/x", &[]);
        check_head(&mut without).unwrap();
        assert_eq!(without.headers[HOST], "127.0.0.1");
        let mut relative = parts("/x", &[("host", "127.0.0.1")]);
        check_head(&mut relative).unwrap();
        assert_eq!(relative.headers[HOST], "127.0.0.1");
        assert_eq!(refused(parts("http://ann@127.0.0.1/x", &[])), Some(400));
        assert_eq!(refused(parts("ftp://127.0.0.1/x", &[])), Some(400));
    }
}
