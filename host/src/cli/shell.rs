//! `dragoman completions` and `dragoman man`: what shells and man(1) know of the command line, made
//! from the same description as `--help`.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use clap_complete::Shell;

use super::{help, output};

#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell that reads the script
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct Man {
    /// The folder to write the pages into; it is made where it is missing
    #[arg(value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

pub(super) fn completions(completions: &Completions) -> Result<(), Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut help::command(), "dragoman", &mut script);
    Ok(output::raw(&script)?)
}

pub(super) fn man(man: &Man) -> Result<(), Box<dyn Error>> {
    write_pages(&man.folder)
        .map_err(|error| format!("cannot write to {}: {error}", man.folder.display()).into())
}

/// A page for the program, and one for each subcommand: `dragoman-user-link.1`.
fn write_pages(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(help::command(), folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Pages of other programs may be there.
        if entry.file_name().as_encoded_bytes().starts_with(b"dragoman") {
            let path = entry.path();
            let page = std::fs::read_to_string(&path)?;
            std::fs::write(path, page.replace(&untitled_examples(), ".SH EXAMPLES\n"))?;
        }
    }
    Ok(())
}

/// How clap_mangen heads the examples: man-pages(7) has a section for them.
fn untitled_examples() -> String {
    format!(".SH EXTRA\n{}\n", help::EXAMPLES_HEADING)
}

#[cfg(test)]
mod tests {
    use clap::{Command, ValueEnum as _};

    use super::*;

    /// The names of a command and all below it, as `dragoman-user-link`.
    fn names(command: &Command, before: &str) -> Vec<String> {
        let name = format!("{before}{}", command.get_name());
        let below = command.get_subcommands().filter(|one| !one.is_hide_set());
        let below = below.flat_map(|one| names(one, &format!("{name}-")));
        let below: Vec<String> = below.collect();
        std::iter::once(name).chain(below).collect()
    }

    #[test]
    fn each_subcommand_has_a_manual_page_that_names_its_options() {
        let folder = tempfile::tempdir().expect("a folder");
        let pages = folder.path().join("man1");
        write_pages(&pages).expect("it is writable");
        let expected = names(&help::command(), "");
        assert!(expected.contains(&"dragoman-user-link".to_owned()));
        for name in &expected {
            let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).expect(name);
            assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        }
        assert_eq!(pages.read_dir().expect("it is there").count(), expected.len());
        let page = std::fs::read_to_string(pages.join("dragoman-user-delete.1")).expect("a page");
        assert!(page.contains(r"\-\-messages"), "{page}");
        let page = std::fs::read_to_string(pages.join("dragoman.1")).expect("a page");
        assert!(page.contains("\n.SH EXAMPLES\n  dragoman check\n"), "{page}");
    }

    #[test]
    fn each_shell_completes_each_subcommand() {
        let words: Vec<String> = names(&help::command(), "");
        let words: Vec<&str> =
            words.iter().filter_map(|name| name.rsplit_once('-')).map(|(_, word)| word).collect();
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut help::command(), "dragoman", &mut script);
            let script = String::from_utf8(script).expect("it is text");
            for word in &words {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
