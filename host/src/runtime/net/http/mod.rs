//! HTTP connections: hyper reads the requests, and each becomes an exchange with the front end at
//! its path.

mod body;
mod caller;
mod connection;
mod convert;
mod guard;
mod head;
mod proxy_names;
mod rewording;
mod route;
mod serve;
mod site;
mod timed_stream;
mod upgrade;
mod well_known;

pub(crate) use head::{HEAD_BYTES_MAX, check_head};
pub(crate) use rewording::Rewording;
pub(crate) use serve::serve;
pub(crate) use site::{check_one_host, is_known_host, is_named_host};
pub(crate) use timed_stream::{Activity, Deadlines, TimedStream};
