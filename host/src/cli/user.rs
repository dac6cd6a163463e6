//! `dragoman user`: accounts.
//!
//! It works on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;

use clap::{Args, Subcommand, ValueEnum};

use super::arguments::{Common, Paging, print_list, print_one, read_pages};
use super::operation::{Backend, call, printable};
use super::{Options, output, password};
use crate::admin::types::{
    CreatedUser, DeletionQuery, IdentityChange, MessageFate, NewPassword, Nothing, PageQuery,
    Reason, SearchQuery, UserChange,
};
use crate::admin::{
    ChangeUser, CreateUser, DeleteUser, DisableUser, EnableUser, ExportUser, LinkIdentity,
    ListSignIns, ListUsers, OnStore, RevokeSignIn, RevokeSignIns, SetPassword, ShowUser,
    SignInReport, UnlinkIdentity,
};
use crate::users::{Account, Identity, Phc, Who};

#[derive(Args, Debug)]
pub(super) struct User {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List accounts, by uid
    List {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        paging: Paging,
        /// Only those whose handle, display name or an identity contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show an account
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Create an account
    Create {
        #[command(flatten)]
        common: Common,
        /// The handle, which no other account may have
        handle: String,
        /// The display name [default: the handle]
        #[arg(long)]
        name: Option<String>,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1; may be repeated
        #[arg(long, value_name = "IDENTITY")]
        identity: Vec<Identity>,
        /// Ask for a password (on a pipe, read its first line)
        #[arg(long)]
        password: bool,
    },
    /// Change the display name of a user
    Rename {
        #[command(flatten)]
        whose: Whose,
        /// The display name
        name: String,
    },
    /// Ban a user until it is enabled again, and end its sessions
    Disable {
        #[command(flatten)]
        whose: Whose,
        /// Why; the user reads it
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lift the ban of a user
    Enable {
        #[command(flatten)]
        whose: Whose,
    },
    /// Delete an account for good
    Delete {
        #[command(flatten)]
        whose: Whose,
        /// What becomes of its messages
        #[arg(long)]
        messages: Fate,
    },
    /// List the tokens and addresses that sign a user in, the newest first
    SignIns {
        #[command(flatten)]
        whose: Whose,
    },
    /// End the sessions of a user and its sign-ins by token or address
    Revoke {
        #[command(flatten)]
        whose: Whose,
        /// Only this one, by the id in `user sign-ins`, and the sessions that began with it
        #[arg(long, value_name = "ID")]
        sign_in: Option<String>,
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
    /// Print all that the store has of a person, as JSON: a line for the account, then one for each
    /// message that it wrote or was sent
    Export {
        #[command(flatten)]
        options: Options,
        /// A uid (10000), a handle (bob; @10000 where it looks like something else), or an identity
        /// (tel/5551234)
        who: Who,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fate {
    /// They stay, under the former names
    Keep,
    /// They stay, under a name that says nothing of the user
    Anonymize,
    /// They are deleted
    Remove,
}

#[derive(Args, Debug)]
struct Whose {
    #[command(flatten)]
    common: Common,

    /// A uid (10000), a handle (bob; @10000 where it looks like something else), or an identity
    /// (tel/5551234)
    who: Who,
}

pub(super) fn run(options: Options, user: User) -> Result<(), Box<dyn Error>> {
    let options = options.and(user.options);
    let none = Nothing {};
    match user.what {
        What::List { common, paging, search } => list(options, common, &paging, search.as_deref()),
        What::Create { common, handle, name, identity, password } => {
            let phc = if password { Some(Phc::of(&password::read(&handle)?)?) } else { None };
            let new = CreatedUser {
                handle,
                name,
                identities: identity.iter().map(Identity::to_string).collect(),
                password: None,
                password_hash: phc.map(|phc| phc.as_str().to_owned()),
            };
            let backend = options.and(common.options).backend()?;
            let account = call::<CreateUser>(&backend, &[], none, new)?;
            print_one(common.json, &account, shown)
        }
        What::Show { whose } => on::<ShowUser>(options, whose, none, Nothing {}),
        What::Rename { whose, name } => on::<ChangeUser>(options, whose, none, UserChange { name }),
        What::Disable { whose, reason } => {
            on::<DisableUser>(options, whose, none, Reason { reason })
        }
        What::Enable { whose } => on::<EnableUser>(options, whose, none, Nothing {}),
        What::Delete { whose, messages } => {
            let messages = match messages {
                Fate::Keep => MessageFate::Keep,
                Fate::Anonymize => MessageFate::Anonymize,
                Fate::Remove => MessageFate::Remove,
            };
            on::<DeleteUser>(options, whose, DeletionQuery { messages }, none)
        }
        What::SignIns { whose } => sign_ins(options, whose),
        What::Revoke { whose, sign_in: Some(id) } => revoke_one(options, whose, &id),
        What::Revoke { whose, sign_in: None } => {
            on::<RevokeSignIns>(options, whose, none, Nothing {})
        }
        What::Link { whose, identity } => {
            let identity = identity.to_string();
            on::<LinkIdentity>(options, whose, none, IdentityChange { identity })
        }
        What::Unlink { whose, identity } => {
            let identity = identity.to_string();
            on::<UnlinkIdentity>(options, whose, IdentityChange { identity }, none)
        }
        What::Password { whose } => {
            let phc = Phc::of(&password::read(&whose.who.to_string())?)?;
            let password_hash = Some(phc.as_str().to_owned());
            on::<SetPassword>(options, whose, none, NewPassword { password: None, password_hash })
        }
        What::Export { options: further, who } => export(&options.and(further).backend()?, &who),
    }
}

/// Carries out an operation on one user, and prints the account.
fn on<E: OnStore<Reply = Account>>(
    options: Options,
    whose: Whose,
    query: E::Query,
    body: E::Body,
) -> Result<(), Box<dyn Error>> {
    let backend = options.and(whose.common.options).backend()?;
    let account = call::<E>(&backend, &[&whose.who.to_string()], query, body)?;
    print_one(whose.common.json, &account, shown)
}

fn list(
    options: Options,
    common: Common,
    paging: &Paging,
    search: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    let backend = options.and(common.options).backend()?;
    let found = read_pages(paging.limit, |after, limit| {
        let query = SearchQuery { search: search.map(str::to_owned), after, limit: Some(limit) };
        call::<ListUsers>(&backend, &[], query, Nothing {})
    })?;
    let titles = ["uid", "handle", "name", "identities", "created", "state"];
    print_list(common.json, found, &titles, |account| {
        vec![
            account.uid.to_string(),
            account.handle.clone(),
            account.name.clone(),
            account.identities.join(","),
            account.created.clone(),
            state(account).into(),
        ]
    })
}

fn sign_ins(options: Options, whose: Whose) -> Result<(), Box<dyn Error>> {
    let backend = options.and(whose.common.options).backend()?;
    let who = whose.who.to_string();
    let found = call::<ListSignIns>(&backend, &[&who], Nothing {}, Nothing {})?;
    let titles = ["id", "front end", "device", "created", "last used", "expires"];
    print_list(whose.common.json, (found.items, false), &titles, |sign_in| {
        let SignInReport { id, frontend, device, created, used, expires, .. } = sign_in;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        vec![
            id.clone(),
            known(frontend),
            known(device),
            known(created),
            known(used),
            expires.clone(),
        ]
    })
}

fn revoke_one(options: Options, whose: Whose, id: &str) -> Result<(), Box<dyn Error>> {
    let backend = options.and(whose.common.options).backend()?;
    let who = whose.who.to_string();
    let revoked = call::<RevokeSignIn>(&backend, &[&who, id], Nothing {}, Nothing {})?;
    print_one(whose.common.json, &revoked, |revoked| {
        format!("revoked {}\n", printable(&revoked.id))
    })
}

fn state(account: &Account) -> &'static str {
    match account {
        Account { deleted: true, .. } => "deleted",
        Account { disabled: Some(_), .. } => "disabled",
        Account { online: true, .. } => "online",
        Account { .. } => "-",
    }
}

fn export(backend: &Backend, who: &Who) -> Result<(), Box<dyn Error>> {
    let who = who.to_string();
    let mut after = None;
    loop {
        let is_first = after.is_none();
        let query = PageQuery { after, limit: Some(1000) };
        let mut data = call::<ExportUser>(backend, &[&who], query, Nothing {})?;
        let messages = std::mem::take(&mut data.messages.items);
        after = data.messages.next.take();
        if is_first {
            let mut data = serde_json::to_value(&data)?;
            data.as_object_mut().map(|fields| fields.remove("messages"));
            output::line(data)?;
        }
        for message in messages {
            output::line(serde_json::to_string(&message)?)?;
        }
        if after.is_none() {
            return Ok(());
        }
    }
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
    let disabled = account.disabled.iter().map(|ban| {
        let until = ban.until.as_deref().unwrap_or("enabled");
        let because = if ban.reason.is_empty() { "" } else { ": " };
        ("disabled", format!("until {until}{because}{}", ban.reason))
    });
    let deleted = account.deleted.then(|| ("deleted", "yes".to_owned()));
    let lines = lines.into_iter().chain(identities).chain(more).chain(disabled).chain(deleted);
    lines.map(|(what, value)| format!("{what} {}\n", printable(&value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::Disabled;

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
            disabled: Some(Disabled { reason: "spam".into(), until: None }),
            deleted: false,
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
        disabled until enabled: spam
        ");
    }
}
