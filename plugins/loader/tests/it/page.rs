//! The JSON in docs/plugins.md is valid, and the page has every function of the ABI.

use core_model::{Outcome, Query, Recorded};
use frontend_api::http::{HttpError, Request, Response};
use frontend_api::{Manifest, Output, Peer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn page() -> String {
    std::fs::read_to_string(plugin_testkit::root().join("docs/plugins.md")).unwrap()
}

/// The examples of a kind.
fn examples(kind: &str) -> Vec<Value> {
    let page = page();
    let begin = format!("\n```json {kind}\n");
    let blocks = page.split(&begin).skip(1);
    let parse = |block: &str| {
        let json = block.split("\n```\n").next().unwrap();
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    };
    blocks.map(parse).collect()
}

fn assert_read<T: DeserializeOwned>(kind: &str, least: usize) {
    let examples = examples(kind);
    assert!(examples.len() >= least, "{kind}");
    for example in examples {
        let read = serde_json::from_value::<T>(example.clone());
        assert!(read.is_ok(), "{}: {example}", read.err().unwrap());
    }
}

#[test]
fn every_example_is_valid_json_of_its_kind() {
    assert_read::<Manifest>("manifest", 1);
    assert_read::<Peer>("peer", 1);
    assert_read::<Request>("request", 1);
    assert_read::<Response>("response", 1);
    assert_read::<HttpError>("fault", 1);
    assert_read::<Query>("query", 5);
    assert_read::<Outcome>("outcome", 5);
    assert_read::<Recorded>("event", 2);
    for call in examples("command") {
        let read = serde_json::from_value::<Output>(json!({ "call": call }));
        assert!(read.is_ok(), "{}: {call}", read.err().unwrap());
    }
    let all = page().matches("\n```json ").count();
    assert_eq!(
        all,
        5 + examples("command").len()
            + examples("query").len()
            + examples("outcome").len()
            + examples("event").len()
    );
}

#[test]
fn every_function_of_the_table_is_on_the_page() {
    let page = page();
    let header = include_str!("../../../abi/include/gw_plugin.h");
    let functions = header.split("(*").skip(1).map(|rest| rest.split(')').next().unwrap());
    let functions: Vec<&str> = functions.filter(|name| !name.starts_with("gw_")).collect();
    assert!(functions.len() >= 8);
    for function in functions {
        assert!(page.contains(&format!("| `{function}` |")), "{function}");
    }
}

#[test]
fn the_limits_on_the_page_are_the_loaders() {
    let page = page();
    assert!(page.contains("65,536 outputs and 64 MiB"));
    let header = include_str!("../../../abi/include/gw_plugin.h");
    assert!(header.contains("(65,536 outputs or 64 MiB)"));
    let limits = (plugin_loader::OUTPUTS_MAX, plugin_loader::OUTPUT_BYTES_MAX);
    assert_eq!(limits, (65_536, 64 * 1024 * 1024));
}
