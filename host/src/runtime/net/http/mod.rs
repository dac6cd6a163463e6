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

pub(crate) use serve::serve;
