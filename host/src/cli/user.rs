//! `dragoman user`: shows an account, links and unlinks identities, and sets passwords.
//!
//! It works on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;

use clap::{Args, Subcommand};
use core_engine::Engine;
use core_model::{Command, Outcome, Timestamp};
use hyper::Method;

use super::operation::{Operation, carry_out, printable, with_query};
use super::{Options, output, password};
use crate::users::wire::{Change, LINK_PATH, NewPassword, PASSWORD_PATH, SHOW_PATH, UNLINK_PATH};
use crate::users::{Account, ActionKind, Failure, Identity, Phc, UserAction, Who};

#[derive(Args, Debug)]
pub(super) struct User {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show an account
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Link an identity to a user, who can then sign in with it
    Link {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Unlink an identity from a user
    Unlink {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Set a user's password (read from stdin) and revoke existing sign-ins
    Password {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Args, Debug)]
struct Whose {
    #[command(flatten)]
    options: Options,

    /// Print the account as JSON
    #[arg(long)]
    json: bool,

    /// A uid (10000), a handle (bob; @10000 where it looks like something else), or an identity
    /// (tel/5551234)
    who: Who,
}

pub(super) fn run(options: Options, user: User) -> Result<(), Box<dyn Error>> {
    let (whose, kind) = match user.what {
        What::Show { whose } => (whose, ActionKind::Show),
        What::Link { whose, identity } => (whose, ActionKind::Link(identity)),
        What::Unlink { whose, identity } => (whose, ActionKind::Unlink(identity)),
        What::Password { whose } => {
            let phc = Phc::of(&password::read(&whose.who.to_string())?)?;
            (whose, ActionKind::SetPassword(phc))
        }
    };
    let config = options.and(user.options).and(whose.options).configuration()?.config;
    let account = carry_out(&config, &UserAction { who: whose.who, kind })?;
    if whose.json {
        output::line(serde_json::to_string(&account)?)?;
    } else {
        output::raw(shown(&account).as_bytes())?;
    }
    Ok(())
}

/// One line for each property of the account.
fn shown(account: &Account) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let identities = account.identities.iter().map(|identity| ("identity", identity.clone()));
    let lines = [
        ("uid", account.uid.to_string()),
        ("handle", account.handle.clone()),
        ("name", account.name.clone()),
    ];
    let more = [
        ("created", account.created.clone()),
        ("online", yes(account.online)),
        ("password", yes(account.password)),
    ];
    let lines = lines.into_iter().chain(identities).chain(more);
    lines.map(|(what, value)| format!("{what} {}\n", printable(&value))).collect()
}

impl Operation for UserAction {
    type Report = Account;

    fn command(&self) -> Option<Command> {
        self.command()
    }

    fn report<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        at: Timestamp,
        done: Option<Outcome>,
    ) -> Result<Account, Failure> {
        self.report(engine, at, done)
    }

    fn offline(account: Account) -> Account {
        // A user who was online when a gateway was killed is not online without one.
        Account { online: false, ..account }
    }

    fn request(&self) -> serde_json::Result<(Method, String, Vec<u8>)> {
        let who = self.who.to_string();
        let change = |path: &'static str, identity: &Identity| {
            let change = Change { who: who.clone(), identity: identity.to_string() };
            serde_json::to_vec(&change).map(|body| (Method::POST, path.to_owned(), body))
        };
        Ok(match &self.kind {
            ActionKind::Show => (Method::GET, with_query(SHOW_PATH, "who", &who), Vec::new()),
            ActionKind::Link(identity) => change(LINK_PATH, identity)?,
            ActionKind::Unlink(identity) => change(UNLINK_PATH, identity)?,
            ActionKind::SetPassword(phc) => {
                let new = NewPassword { who, hash: phc.as_str().to_owned() };
                (Method::POST, PASSWORD_PATH.to_owned(), serde_json::to_vec(&new)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_line_for_each_thing_whatever_its_name_is() {
        let account = Account {
            uid: 10000,
            handle: "bob".into(),
            name: "\u{1b}[2JBob\nuid 1 茶".into(),
            identities: vec!["tel/1".into(), "email/b@c".into()],
            created: "2025-11-21T00:35:46Z".into(),
            online: true,
            password: false,
        };
        insta::assert_snapshot!(shown(&account), @r"
        uid 10000
        handle bob
        name \u{1b}[2JBob\nuid 1 茶
        identity tel/1
        identity email/b@c
        created 2025-11-21T00:35:46Z
        online yes
        password no
        ");
    }
}
