//! Why a plugin cannot be used.

use std::path::PathBuf;
use std::time::Duration;

use frontend_api::OptionFault;
use plugin_abi::{GW_ABI, GW_ENTRY, GW_SIZE_LEAST};

/// Why a plugin cannot be used. Displays as a sentence for the operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    #[error("cannot open {}: there is no such file", path.display())]
    Missing { path: PathBuf },
    #[error("cannot read {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{} is not a shared library", path.display())]
    NotALibrary { path: PathBuf },
    #[error("{} is built for {found}, this gateway runs on {host}", path.display())]
    OtherArchitecture { path: PathBuf, found: String, host: String },
    #[error(
        "{} is incomplete: it has {found} bytes, and should have at least {expected}; copy it again",
        path.display()
    )]
    Truncated { path: PathBuf, found: u64, expected: u64 },
    #[error(
        "{} was overwritten while this gateway had it loaded; put the new file beside it and \
         rename it, and restart the gateway", path.display()
    )]
    Overwritten { path: PathBuf },
    /// `why` is the system's message: a library or a symbol that it needs is missing.
    #[error("cannot load {}: {why}", path.display())]
    Refused { path: PathBuf, why: String },
    #[error("{} is not a plugin of this gateway: it exports no {GW_ENTRY}", path.display())]
    NoEntry { path: PathBuf },
    #[error("{} has no table of functions: {GW_ENTRY} returned null", path.display())]
    NoTable { path: PathBuf },
    #[error(
        "{} speaks plugin ABI {found}, this gateway speaks {GW_ABI}: use a plugin and a gateway \
         that were released together", path.display()
    )]
    OtherAbi { path: PathBuf, found: u32 },
    #[error(
        "{} has a table of functions of {found} bytes, and at least {GW_SIZE_LEAST} are needed",
        path.display()
    )]
    TableTooSmall { path: PathBuf, found: u32 },
    #[error("{} lacks the function {function}", path.display())]
    NoFunction { path: PathBuf, function: &'static str },
    /// The plugin's own reasons, each with the option at fault, or "" where none is.
    #[error("{} would not start: {}", path.display(), reasons(faults))]
    WouldNotStart { path: PathBuf, faults: Vec<OptionFault> },
    /// The thread that called the function is lost until the process ends.
    #[error(
        "{} does not start: {function} has not returned within {} s; restart the gateway to free \
         its thread", path.display(), timeout.as_secs_f32()
    )]
    TimedOut { path: PathBuf, function: &'static str, timeout: Duration },
    #[error("{} has a manifest that this gateway cannot read: {why}", path.display())]
    BadManifest { path: PathBuf, why: String },
    #[error("{} cannot describe itself: {why}", path.display())]
    BadSchemas { path: PathBuf, why: String },
}

fn reasons(faults: &[OptionFault]) -> String {
    if faults.is_empty() {
        return "it gave no reason".into();
    }
    let reason = |fault: &OptionFault| match fault.key.as_str() {
        "" => fault.why.clone(),
        key => format!("{key}: {}", fault.why),
    };
    faults.iter().map(reason).collect::<Vec<_>>().join("; ")
}
