//! Users that another server knows, through every dialect that has credentials.

mod api_keys;
mod certificates;
mod hook;
mod hook_failures;
mod issuer;
mod stand_in;
mod tokens;
