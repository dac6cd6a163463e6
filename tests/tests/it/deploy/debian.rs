//! The Debian package that `cargo xtask dist` makes, here of the program of the tests.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_tests::{foreign, program};
use tempfile::TempDir;

/// Makes the packages in a folder. `None`: a program for that is missing.
fn made() -> Option<(TempDir, PathBuf)> {
    foreign::command("dpkg-deb")?;
    foreign::command("strip")?;
    let out = tempfile::tempdir().expect("a folder");
    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "dist", "--uncompressed"]);
    xtask.arg("--binary").arg(program::path()).arg("--out").arg(out.path());
    foreign::run(xtask.current_dir(program::workspace()));
    let package = fs::read_dir(out.path()).expect("it is there").find_map(|entry| {
        let path = entry.expect("it is readable").path();
        path.extension().is_some_and(|end| end == "deb").then_some(path)
    });
    Some((out, package.expect("a package")))
}

fn dpkg_deb(option: &str, package: &Path) -> String {
    foreign::run(Command::new("dpkg-deb").arg(option).arg(package))
}

#[test]
fn the_package_has_what_a_service_needs_and_is_installed_and_removed() {
    let Some((out, package)) = made() else { return };
    has_what_a_service_needs(&package);
    its_program_runs(out.path(), &package);
    the_archives_are_whole(out.path());
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root may install a package");
    }
    if foreign::command("systemd-sysusers").is_some() {
        is_installed_and_removed(out.path(), &package);
    }
}

fn has_what_a_service_needs(package: &Path) {
    let fields = dpkg_deb("--info", package);
    for field in [" Package: dragoman\n", " Architecture: ", " Depends: libc6 (>= 2.", " conffiles"]
    {
        assert!(fields.contains(field), "{fields}");
    }
    let contents = dpkg_deb("--contents", package);
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/dragoman"),
        ("-rw-r----- root/root", "./etc/dragoman/gateway.toml"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/dragoman.service"),
        ("-rw-r--r-- root/root", "./usr/lib/sysusers.d/dragoman.conf"),
        ("-rw-r--r-- root/root", "./usr/share/man/man1/dragoman.1.gz"),
        ("-rw-r--r-- root/root", "./usr/share/man/man1/dragoman-user-link.1.gz"),
        ("-rw-r--r-- root/root", "./usr/share/bash-completion/completions/dragoman"),
        ("-rw-r--r-- root/root", "./usr/share/zsh/vendor-completions/_dragoman"),
        ("-rw-r--r-- root/root", "./usr/share/fish/vendor_completions.d/dragoman.fish"),
        ("-rw-r--r-- root/root", "./usr/share/doc/dragoman/copyright"),
    ] {
        let is_it = |line: &&str| line.starts_with(mode) && line.ends_with(path);
        assert!(contents.lines().any(|line| is_it(&line)), "{mode} {path} in\n{contents}");
    }
}

fn its_program_runs(out: &Path, package: &Path) {
    let root = out.join("unpacked");
    foreign::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&root));
    let installed = || Command::new(root.join("usr/bin/dragoman"));
    let said = foreign::run(installed().arg("--version"));
    assert!(said.starts_with(concat!("dragoman ", env!("CARGO_PKG_VERSION"), " (")), "{said}");
    let config = root.join("etc/dragoman/gateway.toml");
    let dialects = foreign::run(installed().arg("dialects").arg("--config").arg(&config));
    assert!(dialects.contains("token     on "), "{dialects}");
    let text = fs::read_to_string(&config).expect("it is installed");
    assert!(text.contains("path = \"/var/lib/dragoman/dragoman.redb\""), "{text}");
    foreign::run(Command::new("gzip").arg("-t").arg(root.join("usr/share/man/man1/dragoman.1.gz")));
    foreign::run(
        Command::new("bash")
            .arg("-n")
            .arg(root.join("usr/share/bash-completion/completions/dragoman")),
    );
}

fn the_archives_are_whole(out: &Path) {
    let sums = out.join("SHA256SUMS");
    let mut check = Command::new("sha256sum");
    foreign::run(check.args(["--check", "--quiet"]).arg(sums).current_dir(out));
    let archives = foreign::run(Command::new("ls").arg(out));
    let archive = archives.lines().find(|name| name.ends_with(".tar.gz")).expect("an archive");
    let listed = foreign::run(Command::new("tar").arg("-tf").arg(out.join(archive)));
    let folder = archive.trim_end_matches(".tar.gz");
    for file in ["dragoman", "man/dragoman.1.gz", "completions/_dragoman", "LICENSE-MIT"] {
        assert!(listed.lines().any(|line| line == format!("{folder}/{file}")), "{listed}");
    }
}

/// dpkg runs the scripts of the package, in a folder that is not the root of this machine.
fn is_installed_and_removed(out: &Path, package: &Path) {
    let root = out.join("root");
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"] {
        fs::create_dir_all(root.join(folder)).expect("it is writable");
    }
    fs::write(root.join("var/lib/dpkg/status"), "").expect("it is writable");
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", root.display()));
        // What the package depends on is not installed in the folder.
        dpkg.args(["--force-script-chrootless", "--force-depends"]).args(arguments);
        foreign::run(&mut dpkg)
    };
    dpkg(&["--install", package.to_str().expect("it is text")]);
    let users = fs::read_to_string(root.join("etc/passwd")).expect("a user was made");
    assert!(users.lines().any(|line| line.starts_with("dragoman:")), "{users}");
    let group = fs::read_to_string(root.join("etc/group")).expect("a group was made");
    let group = group.lines().find_map(|line| line.strip_prefix("dragoman:")).expect("it is there");
    let number: u32 = group.split(':').nth(1).and_then(|it| it.parse().ok()).expect("a number");
    let config = root.join("etc/dragoman/gateway.toml");
    let metadata = config.metadata().expect("it is installed");
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (0, number, 0o640));
    let wanted = root.join("etc/systemd/system/multi-user.target.wants/dragoman.service");
    assert!(wanted.is_symlink(), "the service is enabled");

    let data = root.join("var/lib/dragoman/dragoman.redb");
    fs::create_dir_all(data.parent().expect("a folder")).expect("it is writable");
    fs::write(&data, "messages").expect("it is writable");
    // An upgrade keeps what an administrator changed.
    fs::write(&config, "# mine\n").expect("it is writable");
    dpkg(&["--force-confold", "--install", package.to_str().expect("it is text")]);
    assert_eq!(fs::read_to_string(&config).expect("it is there"), "# mine\n");
    dpkg(&["--remove", "dragoman"]);
    assert!(config.exists() && !root.join("usr/bin/dragoman").exists());
    let said = dpkg(&["--purge", "dragoman"]);
    assert!(said.contains("/var/lib/dragoman is kept"), "{said}");
    assert!(!config.exists() && data.exists() && !wanted.is_symlink());
}
