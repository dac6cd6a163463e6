//! `cargo xtask walk PAGE`: does what a page of the documentation says, in a copy of the repository.
//!
//! The first line of a fenced block says what to do with it: `file=PATH` writes the block,
//! `after=PATH` inserts it below its own first line, and `run` hands it to bash. Other blocks are
//! for readers only.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::git;

/// The copy, and cargo's target folder for it: kept, so that a further walk builds less. They share
/// no target folder with the repository: cargo would take the one's crates for the other's.
const COPY: &str = "target/walk/copy";
const TARGET: &str = "target/walk/target";

/// Without debug information a walk in a new folder takes two thirds of the time.
const SETTINGS: [(&str, &str); 2] = [("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")];

/// A step of a page.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    Write { path: &'a str, text: &'a str },
    Insert { path: &'a str, after: &'a str, text: &'a str },
    Run { script: &'a str },
}

pub(crate) fn run(page: &str) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(page).map_err(|error| format!("{page}: {error}"))?;
    let steps = steps(&text)?;
    if !steps.iter().any(|step| matches!(step, Step::Run { .. })) {
        return Err(format!("{page} has no block to run"));
    }
    let mut files = copies(Path::new(COPY))?;
    // All files first. A reader runs the commands in between, with fewer files.
    for step in &steps {
        if let Step::Write { path, text } = step {
            files.push(((*path).into(), format!("{text}\n").into_bytes()));
        }
        if let Step::Insert { path, after, text } = step {
            let wanted = Path::new(path);
            let file = files.iter_mut().find(|(path, _)| path == wanted);
            let (_, bytes) = file.ok_or_else(|| format!("{path} is not in the repository"))?;
            *bytes = insert(path, std::mem::take(bytes), after, text)?;
        }
    }
    write(Path::new(COPY), &files)?;
    // Tools that ask git for the files must find those of the copy.
    bash("[ -d .git ] || git init --quiet")?;
    let start = Instant::now();
    for step in &steps {
        if let Step::Run { script } = step {
            println!("{script}");
            bash(script)?;
        }
    }
    println!("{page}: {} steps, {} s", steps.len(), start.elapsed().as_secs());
    Ok(ExitCode::SUCCESS)
}

fn steps(page: &str) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (head, after) = after.split_once('\n').ok_or("a block has no end")?;
        let (text, after) = match after.strip_prefix("```") {
            Some(after) => ("", after),
            None => after.split_once("\n```").ok_or_else(|| format!("`{head}` has no end"))?,
        };
        rest = after;
        let role = head.split_once(' ').map_or("", |(_, role)| role);
        if role == "run" {
            steps.push(Step::Run { script: text });
        } else if let Some(path) = role.strip_prefix("file=") {
            steps.push(Step::Write { path, text });
        } else if let Some(path) = role.strip_prefix("after=") {
            let (after, text) = text.split_once('\n').ok_or("nothing to insert")?;
            steps.push(Step::Insert { path, after, text });
        }
    }
    Ok(steps)
}

/// The files of the repository with their contents.
fn copies(copy: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let listed = git::git(&["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let paths: Vec<PathBuf> =
        listed.lines().map(PathBuf::from).filter(|path| path.is_file()).collect();
    // What an earlier walk has written, or the repository no longer has, must not stay.
    for folder in ["frontends", "plugins", "tests", "core", "host", "docs"] {
        remove_others(&copy.join(folder), copy, &paths)?;
    }
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((path, bytes))
    };
    paths.into_iter().map(read).collect()
}

fn remove_others(folder: &Path, copy: &Path, paths: &[PathBuf]) -> Result<(), String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        let own = path.strip_prefix(copy).unwrap_or(&path).to_owned();
        if path.is_dir() {
            remove_others(&path, copy, paths)?;
            // Fails, as it should, unless the folder is empty.
            drop(std::fs::remove_dir(&path));
        } else if !paths.contains(&own) {
            std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// Inserts a text below the only line that is `after`.
fn insert(path: &str, bytes: Vec<u8>, after: &str, text: &str) -> Result<Vec<u8>, String> {
    let old = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))?;
    let line = format!("\n{after}\n");
    match old.matches(&line).count() {
        1 => Ok(old.replacen(&line, &format!("{line}{text}\n"), 1).into_bytes()),
        count => Err(format!("{path} has the line `{after}` {count} times, not once")),
    }
}

/// Writes what has changed, so that cargo builds no more than it must.
fn write(copy: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    for (path, bytes) in files {
        let path = copy.join(path);
        let write = || {
            if std::fs::read(&path).is_ok_and(|old| old == *bytes) {
                return Ok(());
            }
            std::fs::create_dir_all(path.parent().unwrap_or(copy))?;
            std::fs::write(&path, bytes)
        };
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn bash(script: &str) -> Result<(), String> {
    let target = std::env::current_dir().map_err(|error| error.to_string())?.join(TARGET);
    let mut bash = Command::new("bash");
    bash.args(["-euc", script]).current_dir(COPY).env("CARGO_TARGET_DIR", target);
    for (name, _) in std::env::vars() {
        // Cargo's, from the run of this program.
        if name.starts_with("CARGO_")
            && !["CARGO_TARGET_DIR", "CARGO_HOME"].contains(&name.as_str())
        {
            bash.env_remove(name);
        }
    }
    bash.envs(SETTINGS);
    let status =
        bash.env_remove("CI").status().map_err(|error| format!("cannot run bash: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{status}:\n{script}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_written_inserted_and_run_in_order() {
        let page = "# Page\n\n```rust file=a.rs\na\n```\n\n```toml after=b.toml\nx\ny\nz\n```\n\n```sh\nno\n```\n\
            \n```sh run\ntrue\n```\n";
        assert_eq!(
            steps(page).unwrap(),
            [
                Step::Write { path: "a.rs", text: "a" },
                Step::Insert { path: "b.toml", after: "x", text: "y\nz" },
                Step::Run { script: "true" },
            ]
        );
        assert!(steps("\n```sh run\ntrue\n").is_err());
    }

    #[test]
    fn a_line_to_insert_after_must_be_there_once() {
        let inserted = insert("f", b"a\nb\nc\n".to_vec(), "b", "x\ny");
        assert_eq!(inserted.unwrap(), b"a\nb\nx\ny\nc\n");
        assert!(insert("f", b"a\nb\nb\n".to_vec(), "c", "x").is_err());
        assert!(insert("f", b"a\nb\nc\nb\n".to_vec(), "b", "x").is_err());
    }
}
