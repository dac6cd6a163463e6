//! `dragoman frontend`: the front ends of a running gateway.

use std::error::Error;

use clap::{Args, Subcommand};

use super::Options;
use super::arguments::{Common, print_list};
use super::operation::call_gateway;
use crate::admin::types::{FrontendState, Nothing, Reason};
use crate::admin::{DisableFrontend, DrainFrontend, EnableFrontend, ListFrontends};

#[derive(Args, Debug)]
pub(super) struct Frontends {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the front ends
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Have a front end refuse connections and requests, and close its connections in order
    Disable {
        #[command(flatten)]
        common: Common,
        /// Its name in gateway.toml
        name: String,
        /// Why; for other operators
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Have a disabled front end serve again
    Enable {
        #[command(flatten)]
        common: Common,
        /// Its name in gateway.toml
        name: String,
    },
    /// Close the connections of a front end in order; it goes on to accept new ones
    Drain {
        #[command(flatten)]
        common: Common,
        /// Its name in gateway.toml
        name: String,
    },
}

pub(super) fn run(options: Options, frontends: Frontends) -> Result<(), Box<dyn Error>> {
    let options = options.and(frontends.options);
    let none = Nothing {};
    let (json, found) = match frontends.what {
        What::List { common } => {
            let backend = options.and(common.options).backend()?;
            (common.json, call_gateway::<ListFrontends>(&backend, &[], &none, &none)?.items)
        }
        What::Disable { common, name, reason } => {
            let backend = options.and(common.options).backend()?;
            let why = Reason { reason };
            let state = call_gateway::<DisableFrontend>(&backend, &[&name], &none, &why)?;
            (common.json, vec![state])
        }
        What::Enable { common, name } => {
            let backend = options.and(common.options).backend()?;
            let state = call_gateway::<EnableFrontend>(&backend, &[&name], &none, &none)?;
            (common.json, vec![state])
        }
        What::Drain { common, name } => {
            let backend = options.and(common.options).backend()?;
            let state = call_gateway::<DrainFrontend>(&backend, &[&name], &none, &none)?;
            (common.json, vec![state])
        }
    };
    let titles = ["name", "dialect", "state", "connections", "listening"];
    print_list(json, (found, false), &titles, row)
}

fn row(frontend: &FrontendState) -> Vec<String> {
    let state = match &frontend.down {
        Some(why) => format!("down: {why}"),
        None if frontend.serving => "serving".into(),
        None => "not listening".into(),
    };
    vec![
        frontend.name.clone(),
        frontend.dialect.clone(),
        state,
        frontend.connections.to_string(),
        frontend.listening.join(", "),
    ]
}
