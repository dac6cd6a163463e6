use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};

use plugin_abi::*;

use crate::{compilers, generate};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_header_is_generated_from_the_source() {
    let source = std::fs::read_to_string(folder("src/contract.rs")).unwrap();
    let header = generate::header(&source);
    let path = folder("include/gw_plugin.h");
    if std::fs::read_to_string(&path).unwrap_or_default() != header {
        std::fs::write(&path, header).unwrap();
        panic!("{} was stale; it is written anew", path.display());
    }
}

#[test]
fn everything_in_the_source_is_in_the_header_with_its_comment() {
    let source = std::fs::read_to_string(folder("src/contract.rs")).unwrap();
    let header = generate::header(&source);
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, _) = line.split_once(':').unwrap();
        let at = header.find(&format!("\n#define {name} ")).unwrap_or_else(|| panic!("{name}"));
        assert!(header[..at].ends_with("*/"), "{name} has no comment");
    }
    for line in source.lines().filter(|line| line.contains(": Option<")) {
        let (name, _) = line.trim().trim_start_matches("pub ").split_once(':').unwrap();
        let at = header.find(&format!("(*{name})(")).unwrap_or_else(|| panic!("{name}"));
        let before = header[..at].trim_end().rsplit_once('\n').unwrap().0;
        assert!(before.ends_with("*/"), "{name} has no comment");
    }
}

/// The sizes and offsets that Rust gives the table, as C asserts them.
#[test]
fn c_and_cpp_compile_the_header_and_agree_on_the_layout() {
    let mut text = String::from("#include \"gw_plugin.h\"\n#ifndef __cplusplus\n");
    text += "#define static_assert _Static_assert\n#endif\n";
    let mut claim = |what: &str, number: usize| {
        writeln!(text, "static_assert({what} == {number}, \"{what}\");").unwrap();
    };
    claim("sizeof(gw_bytes)", size_of::<GwBytes>());
    claim("offsetof(gw_bytes, len)", offset_of!(GwBytes, len));
    claim("sizeof(gw_plugin)", size_of::<GwPlugin>());
    macro_rules! claim_offsets {
        ($($field:ident)*) => {
            $(claim(concat!("offsetof(gw_plugin, ", stringify!($field), ")"),
                offset_of!(GwPlugin, $field));)*
        };
    }
    claim_offsets!(abi size frontend_new frontend_manifest frontend_free session_open);
    claim_offsets!(session_handle session_free frontend_broadcast frontend_fault);
    claim_offsets!(frontend_schemas frontend_account_made);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("layout.c");
    std::fs::write(&file, &text).unwrap();
    for compiler in compilers::all() {
        compiler.check(&file, &folder("include")).unwrap_or_else(|why| panic!("{why}"));
    }
    std::fs::write(&file, text.replace("sizeof(gw_plugin) == ", "sizeof(gw_plugin) == 1")).unwrap();
    for compiler in compilers::all() {
        assert!(compiler.check(&file, &folder("include")).is_err(), "the claims are not read");
    }
}

#[test]
fn c_and_cpp_compile_the_worked_example() {
    for compiler in compilers::all() {
        let taken = compiler.check(&folder("../examples/line.c"), &folder("include"));
        taken.unwrap_or_else(|why| panic!("{why}"));
    }
    let lines = std::fs::read_to_string(folder("../examples/line.c")).unwrap().lines().count();
    assert!(lines <= 400, "an example of {lines} lines is not read");
}

/// These numbers are compiled into plugins.
#[test]
fn no_number_has_changed_its_meaning() {
    assert_eq!((GW_ABI, GW_ENTRY.as_bytes()), (1, &GW_ENTRY_NAME[..GW_ENTRY_NAME.len() - 1]));
    assert_eq!([GW_OK, GW_EVERYONE, GW_OTHERS, GW_ASK], [0, 1, 2, 3]);
    assert_eq!([GW_PANICKED, GW_MALFORMED, GW_TOO_MUCH], [-1, -2, -3]);
    let inputs = [
        [GW_IN_OPENED, GW_IN_REQUEST, GW_IN_BYTES, GW_IN_TEXT, GW_IN_BINARY],
        [GW_IN_ANSWER, GW_IN_EVENT, GW_IN_WOKEN, GW_IN_ENDING, GW_IN_CLOSED],
    ];
    assert_eq!(inputs.concat(), (1..=10).collect::<Vec<_>>());
    let outputs = [
        [GW_OUT_CALL, GW_OUT_ASK, GW_OUT_RESPOND, GW_OUT_SEND_BYTES, GW_OUT_SEND_TEXT],
        [GW_OUT_SET_INTEREST, GW_OUT_WAKE_AT, GW_OUT_CLOSE, GW_OUT_MANIFEST, GW_OUT_REASON],
    ];
    assert_eq!(outputs.concat(), (1..=10).collect::<Vec<_>>());
    let later = [GW_OUT_DOCUMENT, GW_OUT_MARK, GW_OUT_ACKNOWLEDGE, GW_OUT_WAKE, GW_OUT_FETCH];
    assert_eq!(later, [11, 12, 13, 14, 15]);
    assert_eq!(GW_OUT_AUTHORIZE, 16);
    let pointer = size_of::<usize>();
    assert_eq!(GW_SIZE_LEAST as usize, 8 + 6 * pointer);
    assert!(size_of::<GwPlugin>() >= 8 + 8 * pointer);
}
