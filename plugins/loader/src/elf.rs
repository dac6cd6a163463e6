//! What an ELF file says of itself, read before the system maps it: mapping a file that was cut
//! off ends the process at the first touch of what is missing.

use std::path::Path;

use crate::LoadError;

/// The first bytes of every ELF file.
const MAGIC: &[u8] = b"\x7fELF";

/// What a machine must agree in: 32 or 64 bits, the order of bytes, and `e_machine`.
#[derive(Eq, PartialEq)]
struct Machine {
    wide: bool,
    big_endian: bool,
    number: u64,
}

/// The fields of an ELF file, as far as it goes.
struct Fields<'a> {
    bytes: &'a [u8],
    wide: bool,
    big_endian: bool,
}

/// Checks that the file is a whole ELF file for the machine that this program is for. Where
/// programs are not ELF files, checks nothing.
pub(crate) fn check(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let own = std::env::current_exe().and_then(std::fs::File::open).and_then(|mut file| {
        let mut head = [0; 20];
        std::io::Read::read_exact(&mut file, &mut head)?;
        Ok(head)
    });
    match own.ok().as_ref().and_then(|head| machine(head)) {
        Some(own) => check_against(&own, path, bytes),
        None => Ok(()),
    }
}

fn check_against(own: &Machine, path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let path = || path.to_path_buf();
    if !bytes.starts_with(MAGIC) {
        return Err(LoadError::NotALibrary { path: path() });
    }
    let truncated =
        |expected| LoadError::Truncated { path: path(), found: bytes.len() as u64, expected };
    let head_bytes = if own.wide { 64 } else { 52 };
    let found = machine(bytes).ok_or_else(|| truncated(head_bytes))?;
    if found != *own {
        let (found, host) = (found.name(), own.name());
        return Err(LoadError::OtherArchitecture { path: path(), found, host });
    }
    let fields = Fields { bytes, wide: found.wide, big_endian: found.big_endian };
    let expected = fields.end().unwrap_or(head_bytes);
    if expected > bytes.len() as u64 {
        return Err(truncated(expected));
    }
    Ok(())
}

fn machine(bytes: &[u8]) -> Option<Machine> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let (wide, big_endian) = (*bytes.get(4)? == 2, *bytes.get(5)? == 2);
    let number = Fields { bytes, wide, big_endian }.number(18, 2)?;
    Some(Machine { wide, big_endian, number })
}

impl Machine {
    fn name(&self) -> String {
        let name = match self.number {
            3 => "x86",
            8 => "MIPS",
            20 | 21 => "PowerPC",
            22 => "s390",
            40 => "arm",
            62 => "x86_64",
            183 => "aarch64",
            243 => "riscv",
            258 => "loongarch",
            number => return format!("machine {number} of the ELF standard"),
        };
        let width = if self.wide { "" } else { " (32 bits)" };
        let order = if self.big_endian { " (big-endian)" } else { "" };
        format!("{name}{width}{order}")
    }
}

impl Fields<'_> {
    fn number(&self, at: u64, width: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let fold = |number, byte: &u8| number << 8 | u64::from(*byte);
        Some(match self.big_endian {
            true => bytes.iter().fold(0, fold),
            false => bytes.iter().rev().fold(0, fold),
        })
    }

    /// A field that is as wide as an address, at one place in narrow files, another in wide ones.
    fn address(&self, narrow: u64, wide: u64) -> Option<u64> {
        if self.wide { self.number(wide, 8) } else { self.number(narrow, 4) }
    }

    fn short(&self, narrow: u64, wide: u64) -> Option<u64> {
        self.number(if self.wide { wide } else { narrow }, 2)
    }

    /// Where the last of the program headers, their segments and the section headers ends. None:
    /// beyond what is there.
    fn end(&self) -> Option<u64> {
        let (programs, sections) = (self.address(28, 32)?, self.address(32, 40)?);
        let (program_bytes, program_count) = (self.short(42, 54)?, self.short(44, 56)?);
        let (section_bytes, section_count) = (self.short(46, 58)?, self.short(48, 60)?);
        let mut end = sections.saturating_add(section_bytes * section_count);
        end = end.max(programs.saturating_add(program_bytes * program_count));
        if end > self.bytes.len() as u64 {
            return Some(end);
        }
        for nth in 0..program_count {
            let at = programs + nth * program_bytes;
            let offset = self.address(at + 4, at + 8)?;
            let in_file = self.address(at + 16, at + 32)?;
            end = end.max(offset.saturating_add(in_file));
        }
        Some(end)
    }
}
