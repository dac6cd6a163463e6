//! The C and C++ compilers of this machine.

use std::path::Path;
use std::process::Command;

pub(crate) struct Compiler {
    program: String,
    standard: &'static str,
}

/// A compiler for each language of the header. A missing one is reported, and is a failure if `CI`
/// is set.
pub(crate) fn all() -> Vec<Compiler> {
    let wanted = [("CC", "cc", "-std=c11"), ("CXX", "c++", "-std=c++17")];
    wanted.into_iter().filter_map(|(key, usual, standard)| find(key, usual, standard)).collect()
}

fn find(key: &str, usual: &str, standard: &'static str) -> Option<Compiler> {
    let program = std::env::var(key).unwrap_or_else(|_| usual.to_owned());
    let there = Command::new(&program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "CI needs {program}, or {key} set");
    if !there {
        println!("skipped: there is no {program}");
    }
    there.then_some(Compiler { program, standard })
}

impl Compiler {
    /// Compiles the file. Refused: the compiler's output, if it has as much as a warning.
    pub(crate) fn check(&self, file: &Path, include: &Path) -> Result<(), String> {
        let language = if self.standard.contains("++") { "c++" } else { "c" };
        let output = Command::new(&self.program)
            .args([self.standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
            .arg("-I")
            .arg(include)
            .args(["-x", language])
            .arg(file)
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}
