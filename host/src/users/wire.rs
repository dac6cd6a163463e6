//! What `dragoman user` and the admin listener of a gateway that runs say to each other, in JSON.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// GET with the query `who=<user>`.
pub const SHOW_PATH: &str = "/users";

/// POST with a [`Change`].
pub const LINK_PATH: &str = "/users/link";

/// POST with a [`Change`].
pub const UNLINK_PATH: &str = "/users/unlink";

/// POST with a [`NewPassword`].
pub const PASSWORD_PATH: &str = "/users/password";

/// A header that every request carries, whatever its value. A web page of another origin may not
/// send it without a preflight, and none is answered.
pub const ADMIN_HEADER: &str = "x-dragoman-admin";

/// A header that may say, by its [`store_mark`], which store is meant.
pub const STORE_HEADER: &str = "x-dragoman-store";

/// The body of a request to link or unlink. Both are written as on the command line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub who: String,
    pub identity: String,
}

/// The body of a request for another password.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub who: String,
    /// Its argon2id hash, as a PHC string.
    pub hash: String,
}

/// The body of an answer that is not 200; where it is, that is an [`Account`](super::Account).
#[derive(Debug, Deserialize, Serialize)]
pub struct Refused {
    /// A sentence for the operator.
    pub error: String,
}

/// Which file a store is, by whatever path it is reached.
pub fn store_mark(path: &Path) -> io::Result<String> {
    let metadata = path.metadata()?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}
