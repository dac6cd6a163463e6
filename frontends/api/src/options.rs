//! From the keys of a section of gateway.toml to a front end.

use serde_json::{Map, Value};

use crate::{Configure, OptionFault};

/// Makes a front end from its own keys, or says what is wrong with each.
pub fn configure<F: Configure>(options: Map<String, Value>) -> Result<F, Vec<OptionFault>> {
    let faults: Vec<OptionFault> =
        options.iter().filter_map(|(key, value)| fault_of::<F>(key, value)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let options = serde_json::from_value(Value::Object(options))
        .map_err(|error| vec![OptionFault::new("", error.to_string())])?;
    F::configure(options).map_err(|fault| vec![fault])
}

/// What is wrong with one option by itself, every other at its default. Serde stops at the first
/// mistake; checking the options one by one finds all of them, each with its key.
fn fault_of<F: Configure>(key: &str, value: &Value) -> Option<OptionFault> {
    let alone = Map::from_iter([(key.to_owned(), value.clone())]);
    let error = serde_json::from_value::<F::Options>(Value::Object(alone)).err()?;
    Some(OptionFault::new(key, in_plain_words(&error.to_string())))
}

/// Serde's `invalid type: string "many", expected u32` as `expected a whole number`.
fn in_plain_words(message: &str) -> String {
    if message.starts_with("unknown field ") {
        return message.replacen("unknown field ", "unknown option ", 1).replace('`', "\"");
    }
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let expected = match expected {
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a sequence" => "a list",
        other => other,
    };
    format!("expected {}", expected.replace('`', "\""))
}
