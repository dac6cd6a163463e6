//! Tables of the subcommands, and the words for what manifests say.

use frontend_api::{Capabilities, Support, Transport};
use unicode_width::UnicodeWidthStr as _;

use super::operation::printable;

/// One capability: its name, and how to read its support from a manifest.
pub(super) type Capability = (&'static str, fn(&Capabilities) -> Support);

/// The rows of the table of capabilities.
pub(super) const CAPABILITIES: [Capability; 8] = [
    ("post", |can| can.post),
    ("receive by push", |can| can.receive_push),
    ("receive by polling", |can| can.receive_poll),
    ("direct messages", |can| can.direct_messages),
    ("presence", |can| can.presence),
    ("history", |can| can.history),
    ("search", |can| can.search),
    ("credentials", |can| can.credentials),
];

pub(super) fn support(support: Support) -> &'static str {
    match support {
        Support::Exact => "exact",
        Support::Emulated => "emulated",
        Support::Absent => "-",
    }
}

pub(super) fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Http => "HTTP",
        Transport::Tcp => "TCP",
        Transport::TcpLines => "TCP, a line each",
        Transport::WebSocket => "WebSocket",
    }
}

/// Left-aligned columns, two spaces apart. A cell is as wide as a terminal shows it: a Chinese
/// character takes two columns. What users chose is [`printable`].
pub(super) fn aligned<R: AsRef<[String]>>(rows: Vec<R>) -> String {
    let cells = |row: R| row.as_ref().iter().map(|cell| printable(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.into_iter().map(cells).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let width = |column: usize| rows.iter().map(|row| cell(row, column).width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = widths.iter().enumerate().map(|(nth, width)| padded(cell(row, nth), *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn padded(cell: String, width: usize) -> String {
    let blanks = width.saturating_sub(cell.width());
    cell + &" ".repeat(blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_chose_does_not_reach_the_terminal_as_it_is() {
        let rows = [["\u{202e}txt.exe", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(rows.to_vec()), "\\u{202e}txt.exe  x");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let rows = [["茶室", "x"], ["tea", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(rows.to_vec()), "茶室  x\ntea   y");
    }
}
