//! `/.well-known/dragoman/<front end>/…`: where the documents are that describe a front end.

use crate::runtime::frontends::instance::FrontendHandle;

/// RFC 8615.
const PREFIX: &str = "/.well-known/dragoman/";

/// The name of the document of this front end at this path; empty for the list of documents.
pub(crate) fn document_name<'a>(frontend: &FrontendHandle, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(PREFIX)?.strip_prefix(frontend.name.as_str())?.strip_prefix('/')
}
