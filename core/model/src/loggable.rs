//! Commands in the form in which several gateways share them.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::AdminCommand;
use crate::command::{Command, NewUser};
use crate::credential::{Credential, Secret};
use crate::id::TokenHash;

/// A command that may be written to a log which several gateways share: it has no password that the
/// host has not hashed. Unlike [`Command`], it has a JSON form for what no front end can express.
#[derive(Clone, Debug, PartialEq)]
pub struct Loggable<'a>(Cow<'a, Command>);

/// Why a command may not be written to a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlainPassword;

impl fmt::Display for PlainPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the command has a password that was not hashed")
    }
}

impl<'a> Loggable<'a> {
    /// A command, unless it has a password as the client sent it.
    pub fn new(command: &'a Command) -> Result<Self, PlainPassword> {
        check(command).map(|()| Self(Cow::Borrowed(command)))
    }
}

impl Loggable<'_> {
    /// The command.
    pub fn into_command(self) -> Command {
        self.0.into_owned()
    }
}

/// The JSON of a command in the log.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Form<'a> {
    /// What a front end can express.
    Client(Cow<'a, Command>),
    /// A sign-in whose password the host has checked: its `credential` is without meaning.
    Verified {
        /// SHA-256 of the password as it was stored when it was checked.
        stored: TokenHash,
        sign_in: Cow<'a, Command>,
    },
    /// A gateway starts.
    Start {
        node: Cow<'a, str>,
        /// Drawn by its process, and the number of the entry.
        boot: u64,
        /// The latest version of the rules that it has.
        speaks: u32,
    },
    /// A gateway ends, or another one that is gone.
    EndRun { run: u64 },
    /// A second has passed.
    Tick,
    /// What an operator has had done.
    Admin(Cow<'a, AdminCommand>),
}

impl Serialize for Loggable<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match &*self.0 {
            Command::Start { node, boot, speaks } => {
                Form::Start { node: node.into(), boot: *boot, speaks: *speaks }
            }
            Command::EndRun { run } => Form::EndRun { run: *run },
            Command::Tick => Form::Tick,
            Command::Admin(command) => Form::Admin(Cow::Borrowed(command)),
            Command::SignIn { credential: Credential::Verified(stored), .. } => {
                let mut sign_in = Command::clone(&self.0);
                if let Command::SignIn { credential, .. } = &mut sign_in {
                    *credential = Credential::Vouched;
                }
                Form::Verified { stored: TokenHash(*stored), sign_in: Cow::Owned(sign_in) }
            }
            command => Form::Client(Cow::Borrowed(command)),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Loggable<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = serde::de::Error::custom::<&str>;
        let command = match Form::<'static>::deserialize(deserializer)? {
            Form::Client(command) if matches!(*command, Command::Start { .. }) => {
                return Err(wrong("no client can start a gateway"));
            }
            Form::Client(command) => command.into_owned(),
            Form::Verified { stored, sign_in } => {
                let mut sign_in = sign_in.into_owned();
                let Command::SignIn { credential, .. } = &mut sign_in else {
                    return Err(wrong("only a sign-in has a password that was checked"));
                };
                *credential = Credential::Verified(stored.0);
                sign_in
            }
            Form::Start { node, boot, speaks } => {
                Command::Start { node: node.into_owned(), boot, speaks }
            }
            Form::EndRun { run } => Command::EndRun { run },
            Form::Tick => Command::Tick,
            Form::Admin(command) => Command::Admin(Box::new(command.into_owned())),
        };
        check(&command).map_err(serde::de::Error::custom)?;
        Ok(Self(Cow::Owned(command)))
    }
}

impl JsonSchema for Loggable<'_> {
    fn schema_name() -> Cow<'static, str> {
        "LoggedCommand".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::<'static>::json_schema(generator)
    }
}

/// Refuses a command that has a password as a client sent it.
fn check(command: &Command) -> Result<(), PlainPassword> {
    let is_hashed = |secret: &Secret| matches!(secret, Secret::Hashed(_));
    let has_hash = |user: &NewUser| user.password.as_ref().is_none_or(is_hashed);
    let is_safe = match command {
        Command::Register { user } => has_hash(user),
        Command::SignIn { credential, create, .. } => {
            !matches!(credential, Credential::Password(_)) && create.as_ref().is_none_or(has_hash)
        }
        Command::SetPassword { password, .. } => is_hashed(password),
        Command::SignOut { .. }
        | Command::UpdateUser { .. }
        | Command::LinkIdentity { .. }
        | Command::UnlinkIdentity { .. }
        | Command::IssueToken { .. }
        | Command::RefreshToken { .. }
        | Command::CreateRoom { .. }
        | Command::DeclareRoom { .. }
        | Command::UpdateRoom { .. }
        | Command::SetOwner { .. }
        | Command::DeleteRoom { .. }
        | Command::ClearMessages { .. }
        | Command::Join { .. }
        | Command::Kick { .. }
        | Command::Enter { .. }
        | Command::SetRole { .. }
        | Command::ChangePolicy { .. }
        | Command::Exit { .. }
        | Command::Post { .. }
        | Command::DeleteMessage { .. }
        | Command::PostDirect { .. }
        | Command::Receive { .. }
        | Command::MarkRead { .. }
        | Command::Acknowledge { .. }
        | Command::Start { .. }
        | Command::EndRun { .. }
        | Command::Tick
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. }
        | Command::Admin(_) => true,
    };
    if is_safe { Ok(()) } else { Err(PlainPassword) }
}
