//! `dragoman trace msg`: the way of a message through a running gateway.

use std::error::Error;

use clap::{Args, Subcommand};
use core_model::Timestamp;

use super::arguments::Common;
use super::operation::{call_gateway, printable};
use super::tap::content;
use super::{Options, output};
use crate::admin::types::Nothing;
use crate::admin::{
    ReaderState, ReadingWay, StageName, Trace, TraceDelivery, TraceMessage, TraceStage,
};
use crate::tap::{Direction, Shown};
use crate::users::rfc3339;

#[derive(Args, Debug)]
pub(super) struct Traces {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the way of a message: the frame that it came in, its stages, what goes out, who has it
    Msg {
        #[command(flatten)]
        common: Common,
        /// Its id, as in `message list`
        id: u64,
    },
}

pub(super) fn run(options: Options, traces: Traces) -> Result<(), Box<dyn Error>> {
    let options = options.and(traces.options);
    let What::Msg { common, id } = traces.what;
    let backend = options.and(common.options).backend()?;
    let id = id.to_string();
    let trace = call_gateway::<TraceMessage>(&backend, &[&id], &Nothing {}, &Nothing {})?;
    if common.json {
        return Ok(output::line(serde_json::to_string(&trace)?)?);
    }
    Ok(lines(&trace).into_iter().try_for_each(|line| output::line(printable(&line)))?)
}

fn lines(trace: &Trace) -> Vec<String> {
    let message = &trace.message;
    let to = message.room.as_deref().or(message.to.as_deref()).unwrap_or("-");
    let (author, text) = (&message.author, &message.text);
    let mut lines = vec![format!("message {} of {author} to {to}: {text}", message.id)];
    if !trace.recorded {
        lines.push("stages      not recorded: [admin] trace is 0, or newer messages came".into());
    }
    let first = trace.stages.first().map(|stage| stage.at_us);
    lines.extend(trace.stages.iter().map(|one| stage(one, first.unwrap_or_default())));
    lines.extend(trace.frames_in.iter().map(frame));
    for delivery in &trace.deliveries {
        lines.push(head(delivery));
        lines.extend(delivery.frames.iter().map(frame));
    }
    for reader in &trace.readers {
        let way = match reader.way {
            ReadingWay::Sessions => "by its sessions",
            ReadingWay::Device => "by a device",
            ReadingWay::Polling => "by polling",
            ReadingWay::Unknown => "in no way that is known",
        };
        let state = match reader.state {
            ReaderState::Acknowledged => "has acknowledged it",
            ReaderState::Fetched => "has fetched it",
            ReaderState::Pending => "pending: queued, or not acknowledged",
            ReaderState::Owed => "owed by the store",
            ReaderState::Deleted => "is deleted, and never had it",
            ReaderState::Unknown => "not known: has acknowledged or fetched nothing yet",
        };
        let open = match reader.sessions {
            0 => String::new(),
            sessions => format!("; open sessions: {sessions}"),
        };
        lines.push(format!("reader      {} {state}, {way}{open}", reader.user));
    }
    if !trace.readers_complete {
        lines.push("reader      … and more".into());
    }
    lines
}

fn stage(stage: &TraceStage, first_us: u64) -> String {
    let name = match stage.stage {
        StageName::Received => "received",
        StageName::Queued => "queued",
        StageName::Taken => "taken",
        StageName::Committed => "committed",
        StageName::FannedOut => "fanned out",
    };
    let at = rfc3339(Timestamp(stage.at_us / 1000));
    let after_ms = stage.at_us.saturating_sub(first_us) as f64 / 1000.0;
    let from = match (&stage.frontend, stage.connection, &stage.peer) {
        (Some(frontend), Some(connection), Some(peer)) => {
            format!(" {frontend}, session {connection}, {peer}")
        }
        _ => String::new(),
    };
    format!("{name:<11} {at} +{after_ms:.3} ms{from}")
}

/// `irc         pushed; passed on to 2 sessions; 2 would get it now`
fn head(delivery: &TraceDelivery) -> String {
    let how = match (delivery.pushed, delivery.frames.is_empty()) {
        (true, _) => "pushed",
        (false, false) => "on request",
        (false, true) => "not shown",
    };
    let mut head = format!("{:<11} {how}", delivery.frontend);
    if let Some(sessions) = delivery.sessions.filter(|_| delivery.pushed) {
        head.push_str(&format!("; passed on to {sessions} sessions"));
    }
    if delivery.pushed {
        head.push_str(&format!("; {} would get it now", delivery.audience));
        if delivery.guests > 0 {
            head.push_str(&format!(", {} of them of guests, not known", delivery.guests));
        }
    }
    head
}

fn frame(shown: &Shown) -> String {
    let arrow = match shown.direction {
        Direction::In => '>',
        Direction::Out => '<',
    };
    format!("  {arrow} {}", content(shown))
}
