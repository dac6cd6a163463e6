//! Checks an ELF file before the system maps it: a process that touches a mapped page beyond the
//! end of a truncated file is killed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use crate::LoadError;

/// What two programs must have in common to run in one process.
#[derive(Eq, PartialEq)]
struct Machine {
    is_64: bool,
    is_big_endian: bool,
    number: elf::Machine,
}

/// Checks that the file is a whole ELF file for the machine that this program is built for. Does
/// nothing on a system whose programs are not ELF files.
pub(crate) fn check(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let own_header = std::env::current_exe().and_then(File::open).and_then(|mut file| {
        let mut header = [0; size_of::<FileHeader64<Endianness>>()];
        file.read_exact(&mut header)?;
        Ok(header)
    });
    match own_header.ok().as_ref().and_then(|header| machine(header)) {
        Some(own) => check_against(&own, path, bytes),
        None => Ok(()),
    }
}

fn check_against(own: &Machine, path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(LoadError::NotALibrary { path: path.into() });
    }
    let truncated = |expected| {
        Err(LoadError::Truncated { path: path.into(), found: bytes.len() as u64, expected })
    };
    if bytes.len() < own.header_bytes() {
        return truncated(own.header_bytes() as u64);
    }
    let Some(found) = machine(bytes) else {
        return Err(LoadError::NotALibrary { path: path.into() });
    };
    if found != *own {
        let found = found.name();
        let host = own.name();
        return Err(LoadError::OtherArchitecture { path: path.into(), found, host });
    }
    let end = if own.is_64 {
        end::<FileHeader64<Endianness>>(bytes)
    } else {
        end::<FileHeader32<Endianness>>(bytes)
    };
    match end {
        Some(end) if end > bytes.len() as u64 => truncated(end),
        // What else is wrong with its tables, the system's loader says.
        _ => Ok(()),
    }
}

fn machine(bytes: &[u8]) -> Option<Machine> {
    fn parse<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<Machine> {
        let header = Elf::parse(bytes).ok()?;
        let endian = header.endian().ok()?;
        Some(Machine {
            is_64: header.is_class_64(),
            is_big_endian: header.is_big_endian(),
            number: header.e_machine(endian),
        })
    }
    match FileKind::parse(bytes).ok()? {
        FileKind::Elf32 => parse::<FileHeader32<Endianness>>(bytes),
        FileKind::Elf64 => parse::<FileHeader64<Endianness>>(bytes),
        _ => None,
    }
}

/// Where the last of the section headers, program headers and segments ends in the file.
fn end<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<u64> {
    let header = Elf::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let table_end = |offset: u64, entry_bytes: u16, entries: u16| {
        offset.saturating_add(u64::from(entry_bytes) * u64::from(entries))
    };
    let sections = table_end(
        header.e_shoff(endian).into(),
        header.e_shentsize(endian),
        header.e_shnum(endian),
    );
    let programs = table_end(
        header.e_phoff(endian).into(),
        header.e_phentsize(endian),
        header.e_phnum(endian),
    );
    let tables = sections.max(programs);
    if tables > bytes.len() as u64 {
        return Some(tables);
    }
    let segments = header.program_headers(endian, bytes).ok()?;
    let ends = segments.iter().map(|segment| {
        let (offset, size) = segment.file_range(endian);
        offset.saturating_add(size)
    });
    Some(ends.fold(tables, u64::max))
}

impl Machine {
    fn header_bytes(&self) -> usize {
        if self.is_64 {
            size_of::<FileHeader64<Endianness>>()
        } else {
            size_of::<FileHeader32<Endianness>>()
        }
    }

    fn name(&self) -> String {
        let name = match self.number {
            elf::EM_386 => "x86",
            elf::EM_MIPS => "MIPS",
            elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
            elf::EM_S390 => "s390",
            elf::EM_ARM => "arm",
            elf::EM_X86_64 => "x86_64",
            elf::EM_AARCH64 => "aarch64",
            elf::EM_RISCV => "riscv",
            elf::EM_LOONGARCH => "loongarch",
            elf::Machine(number) => return format!("machine {number} of the ELF standard"),
        };
        let width = if self.is_64 { "" } else { " (32 bits)" };
        let order = if self.is_big_endian { " (big-endian)" } else { "" };
        format!("{name}{width}{order}")
    }
}
