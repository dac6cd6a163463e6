//! Files that a command reads or makes, and what is wrong with them in words for the operator.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use core_engine::{BackupError, special_file};

/// Opens a regular file to read it. A pipe, a device and the like are refused: reading one may wait or
/// last forever. `Err`: what is wrong, as the end of a sentence about the file.
pub(super) fn open_regular(path: &Path) -> Result<File, String> {
    let regular = |metadata: io::Result<std::fs::Metadata>| {
        let metadata = metadata.map_err(|error| of_reading(path, &error))?;
        match special_file(metadata.file_type()) {
            Some(kind) => Err(format!("this is {kind}, not a regular file")),
            None => Ok(()),
        }
    };
    regular(path.metadata())?;
    // The path may name a pipe by now, and opening one must not wait either.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(no_wait).open(path);
    let file = file.map_err(|error| of_reading(path, &error))?;
    regular(file.metadata())?;
    Ok(file)
}

fn of_reading(path: &Path, error: &io::Error) -> String {
    match (error.kind(), path.read_link()) {
        (ErrorKind::NotFound, Ok(target)) => {
            format!("this is a symbolic link to {}, which does not exist", target.display())
        }
        (ErrorKind::NotFound, Err(_)) => "there is no such file".into(),
        (ErrorKind::PermissionDenied, _) => "this user may not read it".into(),
        _ => words(error),
    }
}

/// The error behind a failure to make a file, where it is the file system's.
pub(super) fn of_writing(error: &(dyn Error + 'static)) -> Option<String> {
    let io = match error.downcast_ref::<BackupError>() {
        Some(BackupError::Io(io)) => Some(io),
        _ => error.downcast_ref::<io::Error>(),
    };
    let io = io?;
    let what = match io.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "there is no such folder".into(),
        ErrorKind::PermissionDenied => "this user may not make files there".into(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        ErrorKind::StorageFull => "the file system is full".into(),
        ErrorKind::QuotaExceeded => "the quota of this user is used up".into(),
        ErrorKind::AlreadyExists => "there is such a file already".into(),
        _ => return None,
    };
    Some(what)
}

/// What to say of a file that could not be made.
pub(super) fn cannot_write(path: &Path, error: &(dyn Error + 'static)) -> String {
    let path = path.display();
    match of_writing(error) {
        Some(why) => format!("cannot write {path}: {why}; name another file"),
        None => format!("cannot write {path}: {}", without_number(&error.to_string())),
    }
}

/// An error of the operating system without its number.
pub(super) fn words(error: &io::Error) -> String {
    without_number(&error.to_string())
}

fn without_number(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" (os error ") else { return text.to_owned() };
    let after = rest.split_once(')').map_or("", |(_, after)| after);
    format!("{before}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_said_without_its_number() {
        let error = io::Error::from_raw_os_error(5);
        assert_eq!(words(&error), "Input/output error");
        let full: Box<dyn Error> = BackupError::Io(io::Error::from_raw_os_error(28)).into();
        let said = cannot_write(Path::new("b"), &*full);
        assert_eq!(said, "cannot write b: the file system is full; name another file");
        let other: Box<dyn Error> = "it does not answer".into();
        assert_eq!(cannot_write(Path::new("b"), &*other), "cannot write b: it does not answer");
    }
}
