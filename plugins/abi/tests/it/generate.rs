//! Generates the C header from `src/contract.rs`, which uses a small part of Rust: constants,
//! `repr(C)` structs and function types, each with its comment.

use std::fmt::Write as _;

const HEAD: &str = "\
#ifndef GW_PLUGIN_H
#define GW_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define GW_EXPORT __declspec(dllexport)
#else
#define GW_EXPORT __attribute__((visibility(\"default\")))
#endif

#ifdef __cplusplus
extern \"C\" {
#endif
";

const TAIL: &str = "
#ifdef __cplusplus
}
#endif

#endif
";

/// The header for this source.
pub(crate) fn header(source: &str) -> String {
    let mut text = String::new();
    let about: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    write_comment(&mut text, "", &about);
    writeln!(text, "\n/* Generated from plugins/abi/src/contract.rs. */\n\n{HEAD}").unwrap();
    let mut lines = source.lines();
    let mut comment = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("///") {
            comment.push(words);
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            write_comment(&mut text, "", &std::mem::take(&mut comment));
            write_constant(&mut text, constant);
        } else if let Some(name) = line.strip_prefix("pub struct ") {
            write_comment(&mut text, "", &std::mem::take(&mut comment));
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            write_struct(&mut text, &c_name(name.trim_end_matches(" {")), &body);
        } else if let Some(first) = line.strip_prefix("pub type ") {
            write_comment(&mut text, "", &std::mem::take(&mut comment));
            let mut item = first.to_owned();
            while !item.ends_with(';') {
                item += lines.next().expect("a type ends with a semicolon");
            }
            write_type(&mut text, &item);
        }
    }
    text + TAIL
}

fn write_comment(text: &mut String, indent: &str, lines: &[&str]) {
    for (nth, line) in lines.iter().enumerate() {
        let (begin, end) = (if nth == 0 { "/*" } else { " *" }, nth + 1 == lines.len());
        writeln!(text, "{indent}{begin}{}{}", words(line), if end { " */" } else { "" }).unwrap();
    }
}

/// A line of a comment, with the names in C.
fn words(line: &str) -> String {
    let pieces = line.split('`').enumerate().map(|(nth, piece)| match nth % 2 {
        1 if piece.starts_with("Gw") => c_name(piece),
        _ => piece.to_owned(),
    });
    pieces.collect()
}

/// `GW_OK: i32 = 0;`
fn write_constant(text: &mut String, item: &str) {
    let (name, rest) = item.split_once(": ").expect("a constant has a type");
    let (kind, value) = rest.trim_end_matches(';').split_once(" = ").expect("and a value");
    let value = match kind {
        "u32" => format!("UINT32_C({value})"),
        "i32" if value.starts_with('-') => format!("({value})"),
        _ => value.to_owned(),
    };
    writeln!(text, "#define {name} {value}\n").unwrap();
}

fn write_struct(text: &mut String, name: &str, body: &[&str]) {
    if body.iter().any(|line| line.contains("_opaque")) {
        return writeln!(text, "typedef struct {name} {name};\n").unwrap();
    }
    writeln!(text, "typedef struct {name} {{").unwrap();
    let mut comment = Vec::new();
    let mut field = String::new();
    for line in body.iter().map(|line| line.trim()) {
        match line.strip_prefix("///") {
            Some(words) => comment.push(words),
            None if line.is_empty() => text.push('\n'),
            None => field += line,
        }
        if is_whole(&field) {
            write_comment(text, "    ", &std::mem::take(&mut comment));
            let (name, kind) = field[4..].split_once(": ").expect("a field has a type");
            writeln!(text, "    {};", declaration(name, kind.trim_end_matches(','))).unwrap();
            field.clear();
        }
    }
    writeln!(text, "}} {name};\n").unwrap();
}

/// Whether a field, which may span several lines, is complete.
fn is_whole(field: &str) -> bool {
    let count = |wanted: &[char]| field.matches(wanted).count();
    field.ends_with(',')
        && count(&['(']) == count(&[')'])
        && count(&['<']) == field.replace("->", "").matches('>').count()
}

fn write_type(text: &mut String, item: &str) {
    let (name, kind) = item.trim_end_matches(';').split_once(" = ").expect("`Name = type`");
    match name {
        "GwEntry" => {
            let (result, _) = signature(kind);
            writeln!(text, "GW_EXPORT {result}gw_plugin_v1(void);").unwrap();
        }
        _ => writeln!(text, "typedef {};\n", declaration(&c_name(name), kind)).unwrap(),
    }
}

/// `type name`, or for a function `result (*name)(parameters)`.
fn declaration(name: &str, kind: &str) -> String {
    let kind = kind.strip_prefix("Option<").map_or(kind, |inner| inner.trim_end_matches('>'));
    if !kind.contains("extern \"C\" fn") {
        return format!("{}{name}", c_type(kind));
    }
    let (result, parameters) = signature(kind);
    let line = format!("{result}(*{name})({})", parameters.join(", "));
    match line.len() {
        ..=94 => line,
        _ => format!("{result}(*{name})(\n        {})", parameters.join(",\n        ")),
    }
}

/// The result and the parameters of `unsafe extern "C" fn(a: T, b: U) -> R`.
fn signature(kind: &str) -> (String, Vec<String>) {
    let (_, rest) = kind.split_once('(').expect("a function has parameters");
    let (parameters, result) = rest.split_once(')').expect("in brackets");
    let result = result.trim().trim_end_matches(',').strip_prefix("->");
    let result = result.map_or("void ".to_owned(), |result| c_type(result.trim()));
    let parameter = |parameter: &str| {
        let (name, kind) = parameter.trim().split_once(": ")?;
        Some(declaration(name, kind.trim()))
    };
    (result, parameters.split(',').filter_map(parameter).collect())
}

/// The type in C, with the separator between it and a name.
fn c_type(kind: &str) -> String {
    if let Some(pointee) = kind.strip_prefix("*mut ") {
        return format!("{}*", c_type(pointee));
    }
    if let Some(pointee) = kind.strip_prefix("*const ") {
        return format!("const {}*", c_type(pointee));
    }
    let name = match kind {
        "u8" => "uint8_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "i32" => "int32_t",
        "usize" => "size_t",
        own if own.starts_with("Gw") => return c_name(own) + " ",
        other => panic!("this generator has no word for {other:?}"),
    };
    format!("{name} ")
}

/// `GwPlugin` is `gw_plugin`.
fn c_name(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
