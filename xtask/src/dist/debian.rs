//! The Debian package, by dpkg-deb, from the metadata that cargo-deb reads as well.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::metadata::{Asset, Package};
use super::stage::files_of;
use super::{Release, copy, new_folder, run_for_output, write};

const NAME: &str = "dragoman";

/// The scripts that dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes the package. Returns its name.
pub(super) fn make(
    package: &Package,
    release: &Release,
    out: &Path,
    is_uncompressed: bool,
) -> Result<String, String> {
    let root = out.join("deb");
    new_folder(&root)?;
    let mut installed = Vec::new();
    for asset in package.assets(&out.join("stage"))? {
        for (from, to) in files(&asset)? {
            copy(&from, &root.join(&to), asset.mode)?;
            installed.push(to);
        }
    }
    let copyright = package.list("license-file")?.first().copied().unwrap_or_default();
    let to = format!("usr/share/doc/{NAME}/copyright");
    copy(&Path::new("host").join(copyright), &root.join(&to), 0o644)?;
    installed.push(to);

    let architecture = run_for_output(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let control = root.join("DEBIAN");
    std::fs::create_dir(&control).map_err(|error| format!("{}: {error}", control.display()))?;
    let size = size_of(&root, &installed)?;
    write(&control.join("control"), fields(package, architecture, size)?)?;
    let kept = package.list("conf-files")?.into_iter().map(|path| format!("{path}\n"));
    write(&control.join("conffiles"), kept.collect::<String>())?;
    installed.sort();
    let sums = run_for_output(Command::new("md5sum").args(&installed).current_dir(&root))?;
    write(&control.join("md5sums"), sums)?;
    for script in SCRIPTS {
        copy(&package.path("maintainer-scripts")?.join(script), &control.join(script), 0o755)?;
    }
    let name = format!("{NAME}_{}_{architecture}.deb", version(package));
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", if is_uncompressed { "-Znone" } else { "-Zxz" }]);
    dpkg.env("SOURCE_DATE_EPOCH", &release.epoch);
    run_for_output(dpkg.arg("--build").arg(&root).arg(out.join(&name)))?;
    Ok(name)
}

/// The first package of a version.
fn version(package: &Package) -> String {
    format!("{}-1", package.version)
}

/// The files of an asset, and where they go.
fn files(asset: &Asset) -> Result<Vec<(PathBuf, String)>, String> {
    let from = match asset.from.file_name() {
        Some(name) if name == "*" => files_of(asset.from.parent().unwrap_or(Path::new(".")))?,
        _ => vec![asset.from.clone()],
    };
    let to = |from: PathBuf| {
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = if asset.to.ends_with('/') { asset.to.clone() + &name } else { asset.to.clone() };
        (from, to)
    };
    Ok(from.into_iter().map(to).collect())
}

/// The size of the files in KiB, each rounded up.
fn size_of(root: &Path, installed: &[String]) -> Result<u64, String> {
    let size = |path: &String| {
        let metadata = root.join(path).metadata();
        let metadata = metadata.map_err(|error| format!("{path}: {error}"))?;
        Ok(metadata.len().div_ceil(1024))
    };
    installed.iter().map(size).sum()
}

/// The control file: deb-control(5).
fn fields(package: &Package, architecture: &str, size: u64) -> Result<String, String> {
    let depends = package.text("depends")?.replace("$auto", &libraries()?);
    let mut text = format!(
        "Package: {NAME}\nVersion: {}\nArchitecture: {architecture}\nMaintainer: {}\n\
         Installed-Size: {size}\nDepends: {depends}\nSection: {}\nPriority: {}\nDescription: {}\n",
        version(package),
        package.text("maintainer")?,
        package.text("section")?,
        package.text("priority")?,
        package.description.trim_end_matches('.'),
    );
    for line in package.text("extended-description")?.trim().lines() {
        let line = if line.is_empty() { "." } else { line };
        text += &format!(" {line}\n");
    }
    Ok(text)
}

/// What the program is linked with: the C library of this machine, or a later one.
fn libraries() -> Result<String, String> {
    let version = run_for_output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let version = version.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    Ok(format!("libc6 (>= {version}), libgcc-s1"))
}
