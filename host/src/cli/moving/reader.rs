//! Reads the lines of an export.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use core_model::{ExportRecord, FieldFault};

use super::super::files;

/// The longest line, in bytes: a text of a mebibyte, each of whose bytes takes six.
const LINE_BYTES_MAX: u64 = 8 << 20;

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineFault {
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Json(String),
    #[error("{kind}.{fault}")]
    Field { kind: &'static str, fault: FieldFault },
    #[error("{0}")]
    Order(&'static str),
    #[error("the file was cut: it ends without `end`")]
    Cut,
    #[error("end.records: is {said}, and {found} records are before it")]
    Count { said: u64, found: u64 },
}

/// The records of a file, checked as far as each can be checked by itself.
pub(super) struct Reader {
    file: BufReader<File>,
    /// The number of the last line that was read, from 1.
    pub(super) line: u64,
    /// Bytes of the lines so far.
    pub(super) bytes: u64,
    buffer: Vec<u8>,
    has_ended: bool,
}

impl Reader {
    /// Also returns its bytes. `Err`: what is wrong, as the end of a sentence about the file.
    pub(super) fn open(path: &Path) -> Result<(Self, u64), String> {
        let file = files::open_regular(path)?;
        let total = file.metadata().map_err(|error| files::words(&error))?.len();
        let file = BufReader::with_capacity(1 << 20, file);
        let reader = Self { file, line: 0, bytes: 0, buffer: Vec::new(), has_ended: false };
        Ok((reader, total))
    }

    /// The next record; none after the last one.
    pub(super) fn record(&mut self) -> Result<Option<ExportRecord>, LineFault> {
        self.buffer.clear();
        let mut limited = self.file.by_ref().take(LINE_BYTES_MAX + 1);
        let read = limited.read_until(b'\n', &mut self.buffer)? as u64;
        if read == 0 {
            return if self.has_ended { Ok(None) } else { Err(LineFault::Cut) };
        }
        self.line += 1;
        self.bytes += read;
        if read > LINE_BYTES_MAX {
            return Err(LineFault::Order("the line is longer than 8 MiB"));
        }
        if self.has_ended {
            return Err(LineFault::Order("a line follows `end`"));
        }
        let record = parse(self.buffer.trim_ascii_end())?;
        record
            .check()
            .and_then(|()| check_password(&record))
            .map_err(|fault| LineFault::Field { kind: record.kind(), fault })?;
        self.check_order(&record)?;
        Ok(Some(record))
    }

    fn check_order(&mut self, record: &ExportRecord) -> Result<(), LineFault> {
        match record {
            ExportRecord::Export(_) if self.line > 1 => {
                Err(LineFault::Order("`export` is for the first line"))
            }
            ExportRecord::Export(_) => Ok(()),
            _ if self.line == 1 => Err(LineFault::Order(
                "this is no export: the first line is not {\"export\":{\"version\":2}}",
            )),
            ExportRecord::End(end) => {
                self.has_ended = true;
                let found = self.line - 2;
                if end.records != found {
                    return Err(LineFault::Count { said: end.records, found });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn check_password(record: &ExportRecord) -> Result<(), FieldFault> {
    match record {
        ExportRecord::User(user) if !user.password.is_empty() => {
            let importable = crate::password_hash::importable(&user.password);
            importable.map_err(|why| FieldFault::new("password", why))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn parse(line: &[u8]) -> Result<ExportRecord, LineFault> {
    if let Ok(record) = serde_json::from_slice(line) {
        return Ok(record);
    }
    // Once more, for the place of the fault.
    let mut json = serde_json::Deserializer::from_slice(line);
    let record: Result<ExportRecord, _> = serde_path_to_error::deserialize(&mut json);
    Err(LineFault::Json(match record {
        Err(fault) => {
            let path = fault.path().to_string();
            let (column, why) = (fault.inner().column(), fault.inner().to_string());
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
            let field = if path == "." { String::new() } else { format!("{path}: ") };
            format!("{field}{why}, at column {column}")
        }
        Ok(_) => "something follows the record".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        parse(line.as_bytes()).expect_err(line).to_string()
    }

    #[test]
    fn a_fault_names_its_field() {
        let uid = r#"{"user":{"uid":"10000","handle":"ann"}}"#;
        assert!(said(uid).starts_with("user.uid: invalid type: string"), "{}", said(uid));
        let unknown = r#"{"user":{"uid":10000,"handle":"ann","nick":"a"}}"#;
        assert!(said(unknown).starts_with("user.nick: unknown field `nick`"), "{}", said(unknown));
        let missing = said(r#"{"user":{"uid":10000}}"#);
        assert!(missing.contains("missing field `handle`"), "{missing}");
        let list = said(r#"{"user":{"uid":10000,"handle":"ann","identities":["a/b",7]}}"#);
        assert!(list.starts_with("user.identities[1]: invalid type: integer"), "{list}");
        for line in ["", "hello", "{}", "[]", "{\"user\":", "{\"planet\":{}}"] {
            assert!(said(line).contains(", at column"), "{line}: {}", said(line));
        }
        let two = said(r#"{"end":{"records":0}} {"end":{"records":0}}"#);
        assert_eq!(two, "something follows the record");
    }
}
