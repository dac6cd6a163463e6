//! The JSON protocol between `dragoman user` and the admin listener of a running gateway.

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

/// GET with the query `room=<name>`.
pub const ROOM_PATH: &str = "/rooms";

/// POST with a [`RoomOwner`].
pub const ROOM_OWNER_PATH: &str = "/rooms/owner";

/// A header that every request must have, with any value. A web page of another origin cannot send
/// it without a preflight, which the gateway never answers.
pub const ADMIN_HEADER: &str = "x-dragoman-admin";

/// An optional header with the [`store_mark`] of the store that the client means.
pub const STORE_HEADER: &str = "x-dragoman-store";

/// The body of a request to link or unlink, in the notation of the command line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub who: String,
    pub identity: String,
}

/// The body of a request to set a password.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub who: String,
    /// The argon2id hash, as a PHC string.
    pub hash: String,
}

/// The body of a request to give a room to a user, or to none.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoomOwner {
    pub room: String,
    /// In the notation of the command line.
    pub owner: Option<String>,
}

/// The body of a response other than 200. The body of a 200 is an [`Account`](super::Account).
#[derive(Debug, Deserialize, Serialize)]
pub struct Refused {
    /// A sentence for the operator.
    pub error: String,
}

/// Identifies a store file independently of the path it is opened by.
pub fn store_mark(path: &Path) -> io::Result<String> {
    let metadata = path.metadata()?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}
