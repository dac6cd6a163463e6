//! The files that are made for packages: the stripped program, its manual pages and completions, and
//! the configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Release, copy, new_folder, run_for_output, write};

/// Where the shipped configuration has its data, and where that of the package does.
const SHIPPED_PATH: &str = "path = \"data/dragoman.redb\"";
const PACKAGE_PATH: &str = "path = \"/var/lib/dragoman/dragoman.redb\"";

/// What only counts in the repository.
const SCHEMA_LINE: &str = "#:schema ./schemas/gateway.json\n";

/// The file of each shell's completions.
pub(super) const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "dragoman.bash"), ("zsh", "_dragoman"), ("fish", "dragoman.fish")];

/// Makes the folder `stage` in `out`. Returns its path.
pub(super) fn make(program: &Path, out: &Path) -> Result<PathBuf, String> {
    let stage = out.join("stage");
    new_folder(&stage)?;
    let stripped = stage.join("dragoman");
    run_for_output(Command::new("strip").arg("-o").arg(&stripped).arg(program))?;
    let own = || Command::new(std::path::absolute(&stripped).unwrap_or_else(|_| stripped.clone()));
    println!("{}", run_for_output(own().arg("--version"))?.trim());
    let completions = stage.join("completions");
    new_folder(&completions)?;
    for (shell, name) in COMPLETIONS {
        let script = run_for_output(own().args(["completions", shell]))?;
        write(&completions.join(name), script)?;
    }
    run_for_output(own().arg("man").arg(stage.join("man")))?;
    for page in files_of(&stage.join("man"))? {
        run_for_output(Command::new("gzip").args(["-9", "-n"]).arg(page))?;
    }
    let shipped = std::fs::read_to_string("gateway.toml")
        .map_err(|error| format!("cannot read gateway.toml: {error}"))?;
    write(&stage.join("gateway.toml"), configuration(&shipped)?)?;
    Ok(stage)
}

/// The shipped configuration, with the data where the package has it.
fn configuration(shipped: &str) -> Result<String, String> {
    let replaced = [(SCHEMA_LINE, ""), (SHIPPED_PATH, PACKAGE_PATH)];
    let mut text = shipped.to_owned();
    for (old, new) in replaced {
        match text.matches(old).count() {
            1 => text = text.replacen(old, new, 1),
            count => return Err(format!("gateway.toml has {old:?} {count} times, not once")),
        }
    }
    Ok(text)
}

/// Keeps the debug information of the program beside the packages. Returns its name.
pub(super) fn debug_information(
    release: &Release,
    program: &Path,
    out: &Path,
) -> Result<String, String> {
    let name = format!("{}.debug", release.name());
    let mut objcopy = Command::new("objcopy");
    objcopy.arg("--only-keep-debug").arg("--compress-debug-sections");
    run_for_output(objcopy.arg(program).arg(out.join(&name)))?;
    Ok(name)
}

/// The files of a folder, by name.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = || {
        let entries = std::fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
    };
    let mut files = read().map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort();
    Ok(files)
}

/// Copies what every archive has.
pub(super) fn copy_all(stage: &Path, to: &Path) -> Result<(), String> {
    copy(&stage.join("dragoman"), &to.join("dragoman"), 0o755)?;
    for folder in ["completions", "man"] {
        for file in files_of(&stage.join(folder))? {
            let name = file.file_name().unwrap_or_default();
            copy(&file, &to.join(folder).join(name), 0o644)?;
        }
    }
    for name in ["gateway.toml", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        copy(Path::new(name), &to.join(name), 0o644)?;
    }
    copy(Path::new("host/assets/redoc/LICENSE"), &to.join("LICENSE-redoc"), 0o644)?;
    let console = Path::new("host/assets/console/vendor/LICENSES.txt");
    copy(console, &to.join("LICENSES-console.txt"), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_the_package_has_its_data_in_the_state_folder() {
        let shipped = format!("{SCHEMA_LINE}[store]\n{SHIPPED_PATH}\n");
        assert_eq!(configuration(&shipped).unwrap(), format!("[store]\n{PACKAGE_PATH}\n"));
        assert!(configuration("[store]\n").is_err());
        assert!(configuration(&format!("{shipped}{SHIPPED_PATH}\n")).is_err());
    }
}
