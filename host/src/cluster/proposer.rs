//! Writes what is submitted to the engine into entries, on a thread of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use core_engine::{Done, Envelope, Submitted, Unloggable, rules_of};
use core_model::Refusal;

use super::node::{Filled, Node};

/// The most commands in an entry.
const COMMANDS_MAX: usize = 1024;

/// Runs until the engine stops and all that was submitted is applied, or the log has ended.
pub(super) fn run<T>(node: &Arc<Node<T>>, submitted: &Submitted<T>) {
    while let Some(commands) = submitted.next() {
        if propose(node, || submitted.beat(), commands.into()).is_none() {
            break;
        }
    }
    node.finish();
}

/// `None`: the rest is not proposed.
fn propose<T>(
    node: &Node<T>,
    beat: impl Fn(),
    mut commands: VecDeque<(Envelope, T)>,
) -> Option<()> {
    let mut checked = 0;
    while !commands.is_empty() {
        let run = node.wait_for_room(&beat)?;
        if checked != run {
            let (rest, of_others) = commands.into_iter().partition(|(it, _)| is_of(it, run));
            commands = rest;
            // Their connections ended with their run, and all before them is answered.
            node.deliver(refused(of_others));
            checked = run;
        }
        if let Err(refused) = node.propose_of(run, fill(&mut commands, node.rules())) {
            // Behind the answers of what was under way in that run.
            node.wait_for_room(&beat)?;
            node.deliver(refused);
        }
    }
    Some(())
}

/// Whether a command is of the gateway itself, or of a connection of this run.
fn is_of(envelope: &Envelope, run: u64) -> bool {
    [0, run].contains(&envelope.connection.run())
}

fn refused<T>(commands: VecDeque<(Envelope, T)>) -> Vec<Done<T>> {
    let refuse = |(_, ticket)| Done::of(ticket, Err(Refusal::Overloaded));
    commands.into_iter().map(refuse).collect()
}

/// Takes as many commands as one entry can have. One that no entry can have is refused with an entry of
/// its own, which has no command, so that its refusal comes behind the answers of those before it.
///
/// `rules`: the version that is in force.
fn fill<T>(commands: &mut VecDeque<(Envelope, T)>, rules: u32) -> Filled<T> {
    let mut filled = Filled::default();
    while filled.builder.count() < COMMANDS_MAX
        && let Some((envelope, _)) = commands.front()
    {
        let pushed = match rules_of(&envelope.command) <= rules {
            true => filled
                .builder
                .push(envelope)
                .map_err(|why| (why != Unloggable::Full).then(|| refusal(why))),
            false => Err(Some(too_new())),
        };
        if pushed == Err(None) {
            break;
        }
        let (_, ticket) = commands.pop_front().expect("it was just looked at");
        match pushed {
            Ok(()) => filled.tickets.push(ticket),
            Err(why) => {
                filled.refused.extend(why.map(|why| Done::of(ticket, Err(why))));
                break;
            }
        }
    }
    filled
}

/// Of a command that another gateway could not read.
fn too_new() -> Refusal {
    let why =
        "a gateway of the cluster has an earlier version that cannot do this; update it first";
    Refusal::Internal { why: why.into() }
}

fn refusal(why: Unloggable) -> Refusal {
    match why {
        Unloggable::TooLong | Unloggable::Full => Refusal::TooLong {
            what: "request".into(),
            limit: format!("{} bytes", core_engine::ENTRY_BYTES_MAX),
        },
        Unloggable::PlainPassword => {
            let why = "a password was to be written to the log of the cluster as it was sent";
            Refusal::Internal { why: why.into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use core_engine::RULES;
    use core_model::{
        AdminCommand, Command, ConnectionId, PostRight, RoomRef, SignInKey, Timestamp, UserRef,
    };

    use super::*;

    fn post(connection: ConnectionId, bytes: usize) -> Envelope {
        let room = RoomRef::Name("tea".into());
        let text = "x".repeat(bytes);
        let (author, standing) = (UserRef::Session, PostRight::Member);
        Envelope {
            at: Timestamp(1),
            steady_ms: 1,
            connection,
            address: None,
            frontend: Arc::default(),
            key: None,
            command: Command::Post { room, author, text, standing, notice: false },
        }
    }

    #[test]
    fn what_fits_into_no_entry_is_refused_behind_what_came_before_it() {
        let too_long = core_engine::ENTRY_BYTES_MAX;
        let lengths = [10, too_long, 10, 20];
        let posts = lengths.into_iter().map(|bytes| post(ConnectionId(1), bytes));
        let mut commands: VecDeque<_> = posts.zip(0..).collect();
        let first = fill(&mut commands, RULES);
        assert_eq!((first.tickets, first.refused.len()), (vec![0], 0));
        let second = fill(&mut commands, RULES);
        let refused: Vec<_> = second.refused.iter().map(|done| done.ticket).collect();
        assert_eq!((second.tickets, refused), (vec![], vec![Some(1)]));
        assert!(matches!(second.refused[0].outcome, Err(Refusal::TooLong { .. })));
        let third = fill(&mut commands, RULES);
        assert_eq!((third.tickets, third.refused.len(), commands.len()), (vec![2, 3], 0, 0));
    }

    #[test]
    fn an_entry_has_a_bounded_number_of_commands() {
        let posts = (0..COMMANDS_MAX + 1).map(|_| post(ConnectionId(1), 1));
        let mut commands: VecDeque<_> = posts.zip(0..).collect();
        assert_eq!(fill(&mut commands, RULES).builder.count(), COMMANDS_MAX);
        assert_eq!(fill(&mut commands, RULES).builder.count(), 1);
    }

    #[test]
    fn a_command_that_a_gateway_of_an_earlier_version_cannot_read_is_refused() {
        let user = UserRef::Handle("ann".into());
        let sign_in = SignInKey::Address("127.0.0.1".into());
        let revoke = AdminCommand::RevokeSignIn { user, sign_in };
        let command = Command::Admin(Box::new(revoke));
        let envelope = Envelope { command, ..post(ConnectionId(0), 1) };
        let filled = |rules| {
            let mut commands =
                VecDeque::from([(envelope.clone(), 0), (post(ConnectionId(1), 1), 1)]);
            let filled = fill(&mut commands, rules);
            (filled.tickets, filled.refused.len(), commands.len())
        };
        assert_eq!(filled(RULES), (vec![0, 1], 0, 0));
        assert_eq!(filled(RULES - 1), (vec![], 1, 1));
    }

    #[test]
    fn connections_of_an_earlier_run_have_nothing_done() {
        let of = |run: u64| ConnectionId(ConnectionId::before_run(run).0 + 1);
        let is_of_seven = |connection| is_of(&post(connection, 1), 7);
        assert!(is_of_seven(ConnectionId(0)) && is_of_seven(of(7)));
        assert!(!is_of_seven(of(6)) && !is_of_seven(of(8)));
    }
}
