//! Paths of files, and systemd's credentials.

use std::path::{Path, PathBuf};

use figment::value::Value;

/// The path of a file; `credential:<name>` is one in the folder of systemd's credentials.
pub(super) fn path(value: &Value, credentials: Option<&Path>) -> Result<PathBuf, String> {
    let path = value.as_str().ok_or("expected a string")?;
    if path.is_empty() {
        return Err("expected the path of a file".into());
    }
    match path.strip_prefix(CREDENTIAL) {
        Some(name) => credential(name, credentials),
        None => Ok(path.into()),
    }
}

/// What the names of credentials begin with.
const CREDENTIAL: &str = "credential:";

/// Where systemd has the credentials of the packaged unit, for commands beside it.
const UNIT_CREDENTIALS: &str = "/run/credentials/dragoman.service";

/// The file of a credential (systemd.exec(5), `LoadCredential=`).
fn credential(name: &str, folder: Option<&Path>) -> Result<PathBuf, String> {
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err("expected the name of a credential after credential:, without a /".into());
    }
    let path = folder.unwrap_or(Path::new(UNIT_CREDENTIALS)).join(name);
    if folder.is_none() && !path.exists() {
        return Err(format!(
            "CREDENTIALS_DIRECTORY is not set, and there is no {}: systemd sets it for units with \
             LoadCredential={name}:…",
            path.display()
        ));
    }
    Ok(path)
}
