//! Webhooks: what is sent to other servers, how it is signed, and how one request is made. When
//! requests are made is a matter of the runtime.
//!
//! Headers, signatures and secrets are those of the Standard Webhooks specification 1.0.0
//! (<https://github.com/standard-webhooks/standard-webhooks>).

mod attempt;
mod body;
mod event_name;
mod secret;
mod settings;
pub mod wire;

pub use attempt::{AttemptFailure, FailureKind, Received, post};
pub use body::{Body, EventBody, schema, test_body};
pub(crate) use body::{at, body_of};
pub use event_name::EventName;
pub use secret::{SECRETS_MAX, Secret, signatures};
pub use settings::WebhookConfig;
