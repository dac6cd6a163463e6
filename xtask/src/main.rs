//! Tools of the repository: `cargo xtask schema-diff [REV]`, `tidy [PATH…]`, `walk PAGE`, `dist`.

mod changelog;
mod diff;
mod dist;
mod git;
mod tidy;
mod walk;

use std::collections::BTreeMap;
use std::process::ExitCode;

use diff::Break;

const USAGE: &str = "\
cargo xtask schema-diff [REV]

Compares the schemas of the repository with those of an earlier revision, by default of the last release (the last
tag v*), and says of each file whether it is compatible. Fails where something breaks clients that CHANGELOG.md does
not mention: under `### Breaking` of Unreleased, with the dialect and the definition between backticks.

cargo xtask tidy [PATH...]

Checks what neither the compiler nor clippy does: no import cycles, the floors of the host, no clock, socket or file
in front ends and engine, the length of functions, files, Markdown lines and subjects of commits, the wording, and
the constants that docs/limits.md names.
With paths, reports only files that begin with one of them: `cargo xtask tidy core docs/plugins.md`.

cargo xtask walk PAGE

Copies the repository to target/walk, writes the files of the page there and runs its commands.

cargo xtask dist [--out DIR] [--binary FILE] [--uncompressed]

Makes a release in target/dist, or in DIR: the Debian package, archives with the program, its manual pages and
completions, and their checksums. With a program that was built before, makes the packages of it only.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["schema-diff"] => schema_diff(None),
        ["schema-diff", revision] if !revision.starts_with('-') => schema_diff(Some(revision)),
        ["tidy", paths @ ..] if !paths.iter().any(|path| path.starts_with('-')) => tidy::run(paths),
        ["walk", page] => walk::run(page),
        ["dist", rest @ ..] => match dist::Options::parse(rest) {
            Some(options) => dist::run(&options),
            None => return usage(),
        },
        _ => return usage(),
    };
    outcome.unwrap_or_else(|why| {
        eprintln!("{why}");
        ExitCode::FAILURE
    })
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

fn schema_diff(revision: Option<&str>) -> Result<ExitCode, String> {
    let release = match revision {
        Some(_) => None,
        None => git::last_release()?,
    };
    let Some(revision) = revision.map(str::to_owned).or(release) else {
        println!("there is no release yet (no tag v*), and so nothing that could break");
        return Ok(ExitCode::SUCCESS);
    };
    let former = git::schemas_of(&revision)?;
    if former.is_empty() {
        println!("{revision} has no schemas");
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string("CHANGELOG.md")
        .map_err(|error| format!("cannot read CHANGELOG.md: {error}"))?;
    let mentioned = changelog::breaking(&text);
    println!("since {revision}:");
    let mut unmentioned = 0;
    for (path, broken) in diff::all(&former, &git::schemas_here()?)? {
        unmentioned += report(&path, &broken, &mentioned);
    }
    if unmentioned > 0 {
        println!("{unmentioned} of these break clients, and CHANGELOG.md does not mention them");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the result for one file. Returns how many breaks CHANGELOG.md does not mention.
fn report(path: &str, broken: &[Break], mentioned: &[String]) -> usize {
    if broken.is_empty() {
        println!("  compatible  {path}");
        return 0;
    }
    let dialect = path.split('/').next().unwrap_or(path).trim_end_matches(".json");
    let mut unmentioned = 0;
    for Break { name, place, what } in broken {
        let is_mentioned = changelog::mentions(mentioned, dialect, name);
        unmentioned += usize::from(!is_mentioned);
        let mark = if is_mentioned { "(in CHANGELOG.md) " } else { "" };
        println!("  breaking    {path}: {mark}{name}{place}: {what}");
    }
    unmentioned
}

/// The texts of files, by their paths below `schemas/`.
type Files = BTreeMap<String, String>;
