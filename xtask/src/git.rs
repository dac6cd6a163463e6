//! What the repository had in it.

use std::path::Path;
use std::process::Command;

use crate::Files;

const FOLDER: &str = "schemas/";

/// The last tag of a release before here, if there is one.
pub(crate) fn last_release() -> Result<Option<String>, String> {
    let tags = git(&["tag", "--list", "v*", "--merged", "HEAD", "--sort=-version:refname"])?;
    Ok(tags.lines().next().map(str::to_owned))
}

/// The schemas of a revision.
pub(crate) fn schemas_of(revision: &str) -> Result<Files, String> {
    let listed = git(&["ls-tree", "-r", "--name-only", revision, FOLDER])?;
    let read = |path: &str| {
        let text = git(&["show", &format!("{revision}:{path}")])?;
        Ok((path[FOLDER.len()..].to_owned(), text))
    };
    listed.lines().map(read).collect()
}

/// Those of the working tree.
pub(crate) fn schemas_here() -> Result<Files, String> {
    let mut files = Files::new();
    collect(Path::new(FOLDER), &mut files)
        .map_err(|error| format!("cannot read {FOLDER}: {error}"))?;
    Ok(files)
}

fn collect(folder: &Path, files: &mut Files) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let name = path.to_string_lossy()[FOLDER.len()..].to_owned();
            files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The output of a git command.
pub(crate) fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(arguments).output();
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|_| "git says what is not UTF-8".into());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("git {}: {}", arguments.join(" "), why.trim()))
}
