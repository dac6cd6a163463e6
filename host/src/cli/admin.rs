//! `dragoman admin`: tokens of the admin API, and the log of what operators changed.

use std::error::Error;

use clap::{Args, Subcommand};

use super::arguments::{Common, Paging, lines, print_list, print_one, read_pages, seconds};
use super::operation::{call, call_gateway};
use super::{Options, output};
use crate::admin::types::{AuditEntry, BeforeQuery, NewToken, Nothing, TokenReport, TokenRole};
use crate::admin::{AddToken, ListAudit, ListTokens, RemoveToken};

#[derive(Args, Debug)]
pub(super) struct Admin {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Manage the tokens of the admin API
    Token(Token),
    /// Show the changes that operators made, the newest first
    Audit {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        paging: Paging,
    },
}

#[derive(Args, Debug)]
struct Token {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: TokenVerb,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Create a token; it is shown this once
    Create {
        #[command(flatten)]
        common: Common,
        /// What it allows
        #[arg(long)]
        role: TokenRole,
        /// When it expires, as in 12h or 90d; never without it
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        ttl: Option<u64>,
        /// What to call it
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List the tokens, without the tokens themselves
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Revoke a token
    Revoke {
        #[command(flatten)]
        common: Common,
        /// Its id, as in the list
        id: String,
    },
}

pub(super) fn run(options: Options, admin: Admin) -> Result<(), Box<dyn Error>> {
    let options = options.and(admin.options);
    match admin.what {
        What::Token(token) => token_verb(options.and(token.options), token.what),
        What::Audit { common, paging } => {
            let backend = options.and(common.options).backend()?;
            let found = read_pages(paging.limit, |before, limit| {
                let query = BeforeQuery { before, limit: Some(limit) };
                call_gateway::<ListAudit>(&backend, &[], &query, &Nothing {})
            })?;
            print_list(common.json, found, &["at", "who", "from", "what", "outcome"], audit_row)
        }
    }
}

fn token_verb(options: Options, verb: TokenVerb) -> Result<(), Box<dyn Error>> {
    match verb {
        TokenVerb::Create { common, role, ttl, label } => {
            let backend = options.and(common.options).backend()?;
            let new = NewToken { label, role, ttl_s: ttl };
            let created = call::<AddToken>(&backend, &[], Nothing {}, new)?;
            print_one(common.json, &created, |created| {
                let token = ("token", created.token.clone());
                lines(&[&[token], properties(&created.report).as_slice()].concat())
            })
        }
        TokenVerb::List { common } => {
            let backend = options.and(common.options).backend()?;
            let tokens = call::<ListTokens>(&backend, &[], Nothing {}, Nothing {})?;
            let titles = ["id", "role", "label", "created", "expires"];
            print_list(common.json, (tokens.items, false), &titles, |token| {
                let [id, role, label, created, expires] = properties(token).map(|(_, it)| it);
                vec![id, role, label, created, expires]
            })
        }
        TokenVerb::Revoke { common, id } => {
            let backend = options.and(common.options).backend()?;
            let revoked = call::<RemoveToken>(&backend, &[&id], Nothing {}, Nothing {})?;
            Ok(output::line(format_args!("revoked {} {}", revoked.id, revoked.label))?)
        }
    }
}

fn properties(token: &TokenReport) -> [(&'static str, String); 5] {
    [
        ("id", token.id.clone()),
        ("role", core_model::AdminRole::from(token.role).word().to_owned()),
        ("label", token.label.clone()),
        ("created", token.created.clone()),
        ("expires", token.expires.clone().unwrap_or_else(|| "never".into())),
    ]
}

fn audit_row(entry: &AuditEntry) -> Vec<String> {
    let with = if entry.with.is_null() { String::new() } else { entry.with.to_string() };
    let operation = std::slice::from_ref(&entry.operation);
    let what = [operation, entry.path.as_slice(), &[with]].concat();
    let outcome = match &entry.problem {
        Some(problem) => format!("{} {problem}", entry.status),
        None => "done".into(),
    };
    let (at, who, from) = (entry.at.clone(), entry.who.clone(), entry.from.clone());
    vec![at, who, from, what.join(" ").trim_end().to_owned(), outcome]
}
