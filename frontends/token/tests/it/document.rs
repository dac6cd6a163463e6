//! Checks docs/dialects/token.md against the front end.

use frontend_token::fields::{NOTIFICATIONS, OPERATIONS, REPLY, RESULTS};

use crate::frames;

const DOCUMENT: &str = include_str!("../../../../docs/dialects/token.md");

/// The blocks marked `frame`: the decoded frame on the first line, then its bytes, with remarks
/// after two spaces.
fn examples() -> Vec<(&'static str, Vec<u8>)> {
    let blocks = DOCUMENT.split("```frame\n").skip(1);
    let example = |block: &'static str| {
        let block = block.split("```").next().unwrap();
        let (words, lines) = block.split_once('\n').unwrap();
        let hex = lines.lines().map(|line| line.split("  ").next().unwrap());
        (words, frames::bytes(&hex.collect::<String>()))
    };
    blocks.map(example).collect()
}

fn command((_, frame): &(&str, Vec<u8>)) -> u16 {
    u16::from_be_bytes([frame[4], frame[5]])
}

#[test]
fn every_example_decodes_as_documented() {
    for (words, frame) in examples() {
        let from_client = u16::from_be_bytes([frame[4], frame[5]]) < 0x4000;
        let said =
            if from_client { frames::describe_request(&frame) } else { frames::describe(&frame) };
        assert_eq!(said, words);
    }
}

#[test]
fn every_command_reply_and_notification_has_an_example() {
    let shown: Vec<u16> = examples().iter().map(command).collect();
    let exchanges = OPERATIONS.iter().flat_map(|row| [row.command(), row.command() | REPLY]);
    for command in exchanges.chain(NOTIFICATIONS.iter().map(|row| row.command())) {
        assert!(shown.contains(&command), "no example of {command:#x}");
    }
}

#[test]
fn every_result_is_explained() {
    for row in RESULTS {
        let start = format!("| {} | `{}` |", row.code as u16, row.name);
        assert!(DOCUMENT.contains(&start), "{start}");
    }
}
