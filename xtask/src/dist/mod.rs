//! `cargo xtask dist`: everything that a release consists of, in target/dist.
//!
//! | file | |
//! |---|---|
//! | `dragoman_<version>_<architecture>.deb` | the Debian package |
//! | `dragoman-<version>-<target>.tar.gz` | the program with manual pages and completions |
//! | `dragoman-<version>-<target>.debug` | its debug information, for gdb |
//! | `dragoman-<version>-<architecture>-unknown-linux-musl.tar.gz` | a static program, without plugins |
//! | `SHA256SUMS` | |

mod archive;
mod debian;
mod metadata;
mod stage;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use metadata::Package;

/// What is to be made.
pub(crate) struct Options {
    out: PathBuf,
    /// A program that was built before.
    binary: Option<PathBuf>,
    /// Whether the Debian package is stored as it is, for tests.
    is_uncompressed: bool,
}

/// What a release is of.
struct Release {
    version: String,
    /// The first digits, and `-dirty` if files differ from it.
    commit: Option<String>,
    /// The time of the commit, in seconds of Unix time; all files of the archives have it.
    epoch: String,
    /// The target triple.
    target: String,
}

impl Options {
    /// `--out DIR`, `--binary FILE`, `--uncompressed`. `None`: something else.
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let out = Path::new(&target).join("dist");
        let mut options = Self { out, binary: None, is_uncompressed: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--out" => options.out = rest.next()?.into(),
                "--binary" => options.binary = Some(rest.next()?.into()),
                "--uncompressed" => options.is_uncompressed = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, String> {
    let package = Package::read()?;
    let release = Release::of_sources(&package)?;
    let program = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(&release, None)?,
    };
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut made = Vec::new();
    if options.binary.is_none() {
        made.push(stage::debug_information(&release, &program, out)?);
    }
    let stage = stage::make(&program, out)?;
    made.push(debian::make(&package, &release, out, options.is_uncompressed)?);
    made.push(archive::make(&release, &stage, out, &[])?);
    if options.binary.is_none() {
        made.extend(musl(&release, out)?);
    }
    sums(out, &made)?;
    for name in made.iter().map(String::as_str).chain(["SHA256SUMS"]) {
        println!("{}", out.join(name).display());
    }
    Ok(ExitCode::SUCCESS)
}

impl Release {
    fn of_sources(package: &Package) -> Result<Self, String> {
        // Sources without a repository are those of an archive, which states its commit.
        let commit = commit();
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
        let committed = || crate::git::git(&["log", "-1", "--format=%ct"]).ok();
        let epoch = epoch.or_else(committed).map(|text| text.trim().to_owned());
        let host = run_for_output(Command::new("rustc").arg("-vV"))?;
        let target = host.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self {
            version: package.version.clone(),
            commit,
            epoch: epoch.unwrap_or_else(|| "0".into()),
            target: target.ok_or("rustc names no host")?.to_owned(),
        })
    }

    /// `dragoman-0.1.0-x86_64-unknown-linux-gnu`
    fn name(&self) -> String {
        format!("dragoman-{}-{}", self.version, self.target)
    }
}

fn commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let described =
        crate::git::git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    described.ok().map(|text| text.trim().to_owned())
}

/// Builds the program; for another target if one is named. Returns its path.
fn build(release: &Release, target: Option<&str>) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--package", "dragoman", "--bin", "dragoman"]);
    cargo.args(target.map(|target| format!("--target={target}")));
    if let Some(commit) = &release.commit {
        cargo.env("DRAGOMAN_COMMIT", commit);
    }
    let status = cargo.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build failed: {status}"));
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(Path::new(&folder).join(target.unwrap_or_default()).join("release/dragoman"))
}

/// The archive with a static program, or a line that says why there is none.
fn musl(release: &Release, out: &Path) -> Result<Option<String>, String> {
    let machine = release.target.split('-').next().unwrap_or_default();
    let target = format!("{machine}-unknown-linux-musl");
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", &target]);
    let libraries = run_for_output(&mut rustc)?;
    if !Path::new(libraries.trim()).is_dir() {
        println!("no static archive: the target is not installed (rustup target add {target})");
        return Ok(None);
    }
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        println!("no static archive: musl-gcc is not installed (apt-get install musl-tools)");
        return Ok(None);
    }
    let program = build(release, Some(&target))?;
    let release = Release {
        target,
        version: release.version.clone(),
        commit: release.commit.clone(),
        epoch: release.epoch.clone(),
    };
    let stage = stage::make(&program, &out.join("musl"))?;
    archive::make(&release, &stage, out, &[("packaging/static.md", "PLUGINS.md")]).map(Some)
}

fn sums(out: &Path, names: &[String]) -> Result<(), String> {
    let text = run_for_output(Command::new("sha256sum").args(names).current_dir(out))?;
    write(&out.join("SHA256SUMS"), text)
}

/// What a program prints, if it succeeds.
fn run_for_output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} failed ({}): {}", output.status, why.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} prints what is not UTF-8"))
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Copies a file with the permissions `mode`; the folder is made where it is missing.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let copied = || {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::copy(from, to)?;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode))
    };
    copied().map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}

/// Makes a folder, in place of one with what an earlier run left.
fn new_folder(path: &Path) -> Result<(), String> {
    let make = || {
        if path.exists() {
            std::fs::remove_dir_all(path)?;
        }
        std::fs::create_dir_all(path)
    };
    make().map_err(|error| format!("cannot make {}: {error}", path.display()))
}
