//! What the subcommands show of front ends: columns, and words for what manifests say.

use frontend_api::{Capabilities, Support, Transport};

/// One capability: what it is called, and where the manifest says how well it is there.
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

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn aligned<R: AsRef<[String]>>(rows: Vec<R>) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
    let cell = |row: &R, column: usize| row.as_ref().get(column).cloned().unwrap_or_default();
    let width = |column: usize| rows.iter().map(|row| cell(row, column).chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &R| {
        let cells =
            widths.iter().enumerate().map(|(nth, width)| format!("{:width$}", cell(row, nth)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
