//! Files with secrets, a line each.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A secret file: far longer than a few secrets, so that a wrong path is noticed.
const BYTES_MAX: u64 = 4_096;

/// The only line of a file.
pub(crate) fn read_secret(path: &Path) -> Result<String, String> {
    let mut lines = read_secrets(path)?;
    match (lines.pop(), lines.is_empty()) {
        (Some(secret), true) => Ok(secret),
        _ => Err(format!("{} contains more than one line, or white space", path.display())),
    }
}

/// The lines of a file: at least one, none empty, without white space.
pub(super) fn read_secrets(path: &Path) -> Result<Vec<String>, String> {
    let shown = path.display();
    let text = read_file(path, BYTES_MAX, "secret")?;
    let text = String::from_utf8(text).map_err(|_| format!("{shown} is not text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(format!("{shown} is empty"));
    }
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_wrong = |line: &String| {
        line.is_empty() || line.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if lines.iter().any(is_wrong) {
        return Err(format!("{shown} contains an empty line, or white space"));
    }
    Ok(lines)
}

/// The content of a file that is named for something. `Err`: with the path.
pub(super) fn read_file(path: &Path, bytes_max: u64, what: &str) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let cannot_read = |error: std::io::Error| format!("cannot read {shown}: {error}");
    // Opening a pipe would wait for its other end.
    let metadata = path.metadata().map_err(cannot_read)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(cannot_read)?;
    file.take(bytes_max + 1).read_to_end(&mut content).map_err(cannot_read)?;
    if content.len() as u64 > bytes_max {
        return Err(format!("{shown} is longer than {bytes_max} bytes, so it is no {what}"));
    }
    Ok(content)
}
