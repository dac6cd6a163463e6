//! Entries of a log that several gateways share, as JSON: `schemas/engine/log.json` describes them.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::Arc;

use core_model::{ConnectionId, Loggable, PlainPassword, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Checkpoint;
use crate::envelope::{Envelope, FrontendSettings};
use crate::rules_version::RULES;

/// The version of the layout of an entry.
const VERSION: u16 = 1;

/// The most bytes of an entry: half of what a message of NATS has by default.
pub const ENTRY_BYTES_MAX: usize = 512 << 10;

/// The bytes of an entry beside its commands and front ends, at most.
const FRAME_BYTES: usize = 128 + CHECKPOINTS_MAX * CHECKPOINT_BYTES;

/// Checkpoints of one entry: a gateway that catches up reaches more of them than it needs to tell.
const CHECKPOINTS_MAX: usize = 4;

/// The bytes of a checkpoint with its comma, at most.
const CHECKPOINT_BYTES: usize = 64;

/// The name of an entry: the run of a gateway that wrote it, and its number there, from 1 on. An
/// entry of run 0 begins a run, and its number is the `boot` of its
/// [`Start`](core_model::Command::Start).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct EntryId {
    pub run: u64,
    pub number: u64,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    Applied,
    /// It was applied before.
    Repeated,
    /// One before it is missing. Its gateway writes both again.
    Early,
    /// Its run has ended. Its commands are not carried out any more.
    Ended,
}

/// An entry that was read: what a gateway had done, in its order.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: EntryId,
    /// The version of the rules that was in force when its gateway wrote it: one that does not speak
    /// this version can go no further.
    pub rules: u32,
    /// What its gateway says of its own store, outside the state.
    pub checkpoints: Vec<Checkpoint>,
    /// Without times, which the log gives.
    pub commands: Vec<Envelope>,
}

/// Why bytes are no entry that this version can apply.
#[derive(Debug, thiserror::Error)]
pub enum EntryFault {
    #[error(
        "it has the layout {found}, this version reads {VERSION}; run the version that wrote it, or a later one"
    )]
    Version { found: u16 },
    #[error("it was not written by a gateway: {0}")]
    Unreadable(serde_json::Error),
    #[error("it was not written by a gateway: it names a front end that it does not describe")]
    Frontend,
}

impl Entry {
    /// Of a place of the log that counts, and has nothing to apply.
    pub fn nothing() -> Self {
        Self {
            id: EntryId { run: 0, number: 0 },
            rules: RULES,
            checkpoints: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Reads an entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryFault> {
        let entry: LoggedEntry<'static> = serde_json::from_slice(bytes).map_err(|error| {
            // A later layout is no fault of the entry.
            match serde_json::from_slice(bytes) {
                Ok(Versioned { v: found }) if found != VERSION => EntryFault::Version { found },
                _ => EntryFault::Unreadable(error),
            }
        })?;
        if entry.v != VERSION {
            return Err(EntryFault::Version { found: entry.v });
        }
        let commands = entry.commands.into_iter().map(|logged| {
            let frontend =
                entry.frontends.get(usize::from(logged.f)).ok_or(EntryFault::Frontend)?;
            Ok(Envelope {
                at: Timestamp(0),
                steady_ms: 0,
                connection: ConnectionId(logged.c),
                address: logged.a.map(u128::from),
                frontend: Arc::clone(frontend),
                key: logged.k.map(Into::into),
                command: logged.d.into_command(),
            })
        });
        let commands = commands.collect::<Result<_, _>>()?;
        let id = EntryId { run: entry.run, number: entry.e };
        let LoggedEntry { rules, checkpoints, .. } = entry;
        Ok(Self { id, rules, checkpoints, commands })
    }
}

/// An entry of the log.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedEntry<'a> {
    /// The version of this layout.
    v: u16,
    /// The version of the engine's rules that was in force when its gateway wrote it.
    rules: u32,
    /// The run of the gateway that wrote it; 0 for one that begins a run.
    run: u64,
    /// Its number in the run, from 1 on; in run 0 the `boot` of the start.
    e: u64,
    /// Checkpoints that the gateway has reached since it wrote others, so that nodes can compare them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checkpoints: Vec<Checkpoint>,
    /// The front ends that commands name, by their place.
    frontends: Vec<Arc<FrontendSettings>>,
    /// What is done, in this order.
    commands: Vec<Logged<'a>>,
}

/// A command, with the facts that are not in the state.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Logged<'a> {
    /// The connection; 0 for the gateway itself.
    c: u64,
    /// The place of the front end.
    f: u16,
    /// The network of the peer, as an IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    a: Option<Ipv6Addr>,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<Cow<'a, str>>,
    /// The command.
    d: Loggable<'a>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u16,
}

/// Collects commands for an entry.
#[derive(Default)]
pub struct EntryBuilder {
    frontends: Vec<Arc<FrontendSettings>>,
    frontends_json: Vec<u8>,
    commands_json: Vec<u8>,
    checkpoints: Vec<Checkpoint>,
    count: usize,
}

/// Why a command was not added to an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unloggable {
    /// The entry is full: the command belongs into the next one.
    Full,
    /// It fits into no entry.
    TooLong,
    /// It has a password that the host should have hashed.
    PlainPassword,
}

impl EntryBuilder {
    /// The number of commands so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a command.
    pub fn push(&mut self, envelope: &Envelope) -> Result<(), Unloggable> {
        let d =
            Loggable::new(&envelope.command).map_err(|PlainPassword| Unloggable::PlainPassword)?;
        let before = [self.frontends_json.len(), self.commands_json.len(), self.frontends.len()];
        let f = self.frontend(&envelope.frontend);
        let logged = Logged {
            c: envelope.connection.0,
            f,
            a: envelope.address.map(Ipv6Addr::from),
            k: envelope.key.as_deref().map(Into::into),
            d,
        };
        append(&mut self.commands_json, &logged);
        if FRAME_BYTES + self.frontends_json.len() + self.commands_json.len() <= ENTRY_BYTES_MAX {
            self.count += 1;
            return Ok(());
        }
        let [frontends_json, commands_json, frontends] = before;
        self.frontends_json.truncate(frontends_json);
        self.commands_json.truncate(commands_json);
        self.frontends.truncate(frontends);
        Err(if self.count > 0 { Unloggable::Full } else { Unloggable::TooLong })
    }

    fn frontend(&mut self, frontend: &Arc<FrontendSettings>) -> u16 {
        let is_same = |known: &Arc<_>| Arc::ptr_eq(known, frontend) || known == frontend;
        let place = self.frontends.iter().position(is_same).unwrap_or_else(|| {
            append(&mut self.frontends_json, frontend);
            self.frontends.push(Arc::clone(frontend));
            self.frontends.len() - 1
        });
        u16::try_from(place).expect("so many front ends are longer than an entry")
    }

    /// Says, in this entry, what the gateway's store is at a checkpoint. Returns whether there was
    /// room: an entry has the newest few at most.
    pub fn claim(&mut self, checkpoint: Checkpoint) -> bool {
        let has_room = self.checkpoints.len() < CHECKPOINTS_MAX;
        if has_room {
            self.checkpoints.push(checkpoint);
        }
        has_room
    }

    /// The bytes of the entry of this name, under the [rules in force](crate::Progress::rules).
    pub fn finish(self, EntryId { run, number }: EntryId, rules: u32) -> Vec<u8> {
        let mut head = format!(r#"{{"v":{VERSION},"rules":{rules},"run":{run},"e":{number},"#);
        if !self.checkpoints.is_empty() {
            let checkpoints = serde_json::to_string(&self.checkpoints);
            head += &format!(r#""checkpoints":{},"#, checkpoints.expect("it is plain data"));
        }
        let parts: [&[u8]; 6] = [
            head.as_bytes(),
            br#""frontends":["#,
            &self.frontends_json,
            br#"],"commands":["#,
            &self.commands_json,
            b"]}",
        ];
        parts.concat()
    }
}

/// Adds an element to a list.
fn append(list: &mut Vec<u8>, element: &impl Serialize) {
    if !list.is_empty() {
        list.push(b',');
    }
    serde_json::to_writer(list, element).expect("it is plain data, and a buffer takes all");
}

#[cfg(test)]
mod tests {
    use core_model::{
        AdminCommand, AdminRole, AdminToken, BanNetwork, BanTarget, Command, Credential, NewUser,
        ProfileChanges, Secret, TokenHash, Uid, UserRef,
    };

    use super::*;

    fn envelope(command: Command) -> Envelope {
        let frontend = FrontendSettings { frontend: "irc".into(), ..FrontendSettings::default() };
        Envelope {
            at: Timestamp(9),
            steady_ms: 9,
            connection: ConnectionId(7),
            address: Some(0xffff_0a00_0001),
            frontend: Arc::new(frontend),
            key: Some("irc/u1/k".into()),
            command,
        }
    }

    fn sign_in(credential: Credential) -> Command {
        Command::SignIn {
            user: UserRef::Id(Uid(1)),
            credential,
            create: None,
            changes: ProfileChanges::default(),
            session: true,
            delivery: None,
            token: None,
            address: None,
        }
    }

    const ID: EntryId = EntryId { run: 7, number: 3 };

    fn encoded(commands: &[Command]) -> Vec<u8> {
        let mut builder = EntryBuilder::default();
        for command in commands {
            builder.push(&envelope(command.clone())).expect("it fits");
        }
        builder.finish(ID, RULES)
    }

    #[test]
    fn what_no_front_end_can_express_is_read_as_it_was_written() {
        let token = AdminToken {
            hash: TokenHash([3; 32]),
            label: "ops".into(),
            role: AdminRole::Operator,
            created: Timestamp(1),
            expires: None,
        };
        let network = BanNetwork { bits: u128::MAX - 1, prefix: 127 };
        let signatures = vec![(0, vec![0, 255, 16]), (u64::MAX, Vec::new())];
        let admin = [
            AdminCommand::AddToken(token),
            AdminCommand::Ban {
                target: BanTarget::Network(network),
                reason: "spam".into(),
                until: None,
            },
            AdminCommand::StoreSignatures { from: 0, to: 64, signatures },
            AdminCommand::Shed { user: Uid(1) },
        ];
        let admin = admin.map(|command| Command::Admin(Box::new(command)));
        let host = [
            Command::Start { node: "one".into(), boot: u64::MAX, speaks: 1 },
            Command::EndRun { run: 5 },
            Command::Tick,
            sign_in(Credential::verified("$argon2id$")),
            sign_in(Credential::Vouched),
            Command::SetPassword {
                user: UserRef::Session,
                password: Secret::Hashed("$argon2id$".into()),
            },
        ];
        let commands: Vec<Command> = host.into_iter().chain(admin).collect();
        let entry = Entry::decode(&encoded(&commands)).expect("it can be read");
        assert_eq!((entry.id, entry.rules), (ID, RULES));
        let read: Vec<&Command> = entry.commands.iter().map(|envelope| &envelope.command).collect();
        assert_eq!(read, commands.iter().collect::<Vec<_>>());
        let (read, written) = (&entry.commands[9], envelope(Command::Tick));
        assert_eq!((read.connection, read.address), (written.connection, written.address));
        assert_eq!((&read.frontend, &read.key), (&written.frontend, &written.key));
        assert!(Arc::ptr_eq(&entry.commands[0].frontend, &read.frontend));
    }

    #[test]
    fn no_password_of_a_client_is_written_or_read() {
        let plain = || Some(Secret::Plain("tea".into()));
        let user = || NewUser { password: plain(), ..NewUser::default() };
        let mut creates = sign_in(Credential::Vouched);
        if let Command::SignIn { create, .. } = &mut creates {
            *create = Some(user());
        }
        let password = Secret::Sha256("ab".into());
        for command in [
            Command::Register { user: user() },
            sign_in(Credential::Password("tea".into())),
            creates,
            Command::SetPassword { user: UserRef::Session, password },
        ] {
            let pushed = EntryBuilder::default().push(&envelope(command.clone()));
            assert_eq!(pushed, Err(Unloggable::PlainPassword));
            let written = serde_json::to_string(&command).unwrap();
            let by_hand = format!(
                r#"{{"v":1,"rules":1,"run":1,"e":1,"frontends":[{{"frontend":"","room_capacity":0,"auto_join":[]}}],"commands":[{{"c":0,"f":0,"d":{{"client":{written}}}}}]}}"#
            );
            let fault = Entry::decode(by_hand.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains("password that was not hashed"), "{fault}");
        }
    }

    #[test]
    fn an_entry_is_as_long_as_its_bound_at_most() {
        let post = |bytes: usize| {
            let text = "x".repeat(bytes);
            let standing = core_model::PostRight::Member;
            let room = core_model::RoomRef::Name("tea".into());
            envelope(Command::Post {
                room,
                author: UserRef::Session,
                text,
                standing,
                notice: false,
            })
        };
        let mut builder = EntryBuilder::default();
        assert_eq!(builder.push(&post(ENTRY_BYTES_MAX)), Err(Unloggable::TooLong));
        let mut count = 0;
        while builder.push(&post(1_000)) == Ok(()) {
            count += 1;
        }
        assert_eq!((builder.push(&post(1_000)), builder.count()), (Err(Unloggable::Full), count));
        let claimed = |_| builder.claim(Checkpoint { at: u64::MAX, digest: u64::MAX });
        assert_eq!((0..9).map(claimed).filter(|claimed| *claimed).count(), CHECKPOINTS_MAX);
        let bytes = builder.finish(EntryId { run: u64::MAX, number: u64::MAX }, u32::MAX);
        assert!(
            (ENTRY_BYTES_MAX - 2_000..=ENTRY_BYTES_MAX).contains(&bytes.len()),
            "{}",
            bytes.len()
        );
        let entry = Entry::decode(&bytes).expect("it can be read");
        assert_eq!((entry.commands.len(), entry.checkpoints.len()), (count, CHECKPOINTS_MAX));
        assert_eq!(entry.checkpoints[0], Checkpoint { at: u64::MAX, digest: u64::MAX });
    }

    #[test]
    fn what_is_no_entry_is_said_to_be_none() {
        let fine = String::from_utf8(encoded(&[Command::Tick])).unwrap();
        let later = fine.replace(r#""v":1"#, r#""later":[],"v":2"#);
        let other = fine.replace(r#""f":0"#, r#""f":1"#);
        let more = fine.replace(r#""f":0"#, r#""f":0,"z":1"#);
        let client = fine.replace(r#""tick""#, r#"{"client":{"do":"start"}}"#);
        let later_same_shape = fine.replace(r#""v":1"#, r#""v":2"#);
        for (bytes, said) in [
            ("", "not written by a gateway"),
            ("[]", "not written by a gateway"),
            (&later, "has the layout 2, this version reads 1"),
            (&later_same_shape, "has the layout 2, this version reads 1"),
            (&other, "a front end that it does not describe"),
            (&more, "unknown field"),
            (&client, "no client can start a gateway"),
        ] {
            let fault = Entry::decode(bytes.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(said), "{bytes}: {fault}");
        }
    }
}
