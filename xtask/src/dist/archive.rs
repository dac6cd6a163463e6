//! The archive for any Linux.

use std::path::Path;
use std::process::Command;

use super::{Release, copy, new_folder, run_for_output, stage};

/// Makes the archive; `more` are further files, with their names in it. Returns its name.
pub(super) fn make(
    release: &Release,
    staged: &Path,
    out: &Path,
    more: &[(&str, &str)],
) -> Result<String, String> {
    let name = release.name();
    let folder = out.join(&name);
    new_folder(&folder)?;
    stage::copy_all(staged, &folder)?;
    for (from, to) in more {
        copy(Path::new(from), &folder.join(to), 0o644)?;
    }
    let archive = format!("{name}.tar.gz");
    // The same files make the same bytes.
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{}", release.epoch)).arg("--directory").arg(out);
    tar.arg("--use-compress-program=gzip -9 -n").arg("--create").arg("--file");
    run_for_output(tar.arg(out.join(&archive)).arg(&name))?;
    Ok(archive)
}
