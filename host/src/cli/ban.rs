//! `dragoman ban`: users, identities and networks that are refused.

use std::error::Error;

use clap::{Args, Subcommand};

use super::arguments::{Common, Paging, lines, print_list, print_one, read_pages, seconds};
use super::operation::call;
use super::{Options, output};
use crate::admin::types::{BanReport, NewBan, Nothing, PageQuery, TargetQuery};
use crate::admin::{LiftBan, ListBans, PutBan, Target};

#[derive(Args, Debug)]
pub(super) struct Ban {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

/// How a target is written.
const TARGET: &str = "user:bob, identity:tel/5551234, network:10.0.0.0/8 or network:10.0.0.1";

#[derive(Debug, Subcommand)]
enum What {
    /// Ban a user, an identity, or an address or network, and end its sessions
    Add {
        #[command(flatten)]
        common: Common,
        #[arg(help = TARGET)]
        target: Target,
        /// Why; those who are refused read it
        #[arg(long, default_value = "")]
        reason: String,
        /// When it ends, as in 12h or 90d; when it is lifted without it
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        ttl: Option<u64>,
    },
    /// List the bans
    List {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        paging: Paging,
    },
    /// Lift a ban
    Lift {
        #[command(flatten)]
        common: Common,
        #[arg(help = TARGET)]
        target: Target,
    },
}

pub(super) fn run(options: Options, ban: Ban) -> Result<(), Box<dyn Error>> {
    let options = options.and(ban.options);
    match ban.what {
        What::Add { common, target, reason, ttl } => {
            let backend = options.and(common.options).backend()?;
            let new = NewBan { target: target.to_string(), reason, ttl_s: ttl };
            let report = call::<PutBan>(&backend, &[], Nothing {}, new)?;
            print_one(common.json, &report, |ban| lines(&properties(ban)))
        }
        What::List { common, paging } => {
            let backend = options.and(common.options).backend()?;
            let found = read_pages(paging.limit, |after, limit| {
                let query = PageQuery { after, limit: Some(limit) };
                call::<ListBans>(&backend, &[], query, Nothing {})
            })?;
            let titles = ["target", "created", "until", "reason"];
            print_list(common.json, found, &titles, |ban| {
                properties(ban).map(|(_, value)| value).to_vec()
            })
        }
        What::Lift { common, target } => {
            let backend = options.and(common.options).backend()?;
            let query = TargetQuery { target: target.to_string() };
            call::<LiftBan>(&backend, &[], query, Nothing {})?;
            Ok(output::line(format_args!("{target} is not banned"))?)
        }
    }
}

fn properties(ban: &BanReport) -> [(&'static str, String); 4] {
    let until = if ban.deleted { "for good" } else { "lifted" };
    [
        ("target", ban.target.clone()),
        ("created", ban.created.clone()),
        ("until", ban.until.clone().unwrap_or_else(|| until.into())),
        ("reason", ban.reason.clone()),
    ]
}
