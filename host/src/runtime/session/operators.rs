//! Operators on the connections of clients: what a front end asks about a token of the admin API.

use std::net::IpAddr;
use std::sync::Arc;

use core_model::{Outcome, Refusal, Reply};
use frontend_api::Authorize;
use serde_json::Value;

use crate::admin::types::AuditEntry;
use crate::admin::{audit, hash_of, token_id};
use crate::peer_address;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::session::services::Services;
use crate::users::rfc3339;

/// Decides whether the holder of a token may do something. What a token that is known was used for
/// is in the audit log, whether or not it was allowed. Blocks: it appends to a file.
pub(crate) fn authorize(
    services: &Arc<Services>,
    frontend: &FrontendHandle,
    address: IpAddr,
    ask: Authorize,
) -> Outcome {
    let Authorize { token, role, operation, with } = ask;
    let hash = hash_of(&token).ok_or(Refusal::TokenInvalid)?;
    let now = services.clock.now();
    let found = services.engine.admin_token(now, &hash)?.ok_or(Refusal::TokenInvalid)?;
    let problem = (found.role < role).then(|| {
        let (needed, has) = (role.word(), found.role.word());
        format!("this needs the role {needed}, and the token has the role {has}")
    });
    let is_refused = problem.is_some();
    let with = serde_json::to_value(with).unwrap_or(Value::Null);
    let entry = AuditEntry {
        id: 0,
        at: rfc3339(now),
        who: format!("token {} {}", token_id(&hash), found.label).trim_end().to_owned(),
        from: peer_address::shown(address),
        operation: format!("{}_{operation}", frontend.name),
        path: Vec::new(),
        with: audit::shown(with, Value::Null),
        status: if is_refused { 403 } else { 200 },
        problem,
    };
    if let Err(error) = services.audit.append(entry) {
        let path = services.audit.path().display();
        tracing::error!("cannot write to the audit log {path}: {error}");
    }
    if is_refused {
        return Err(Refusal::NotAllowed);
    }
    Ok(Reply::Authorized { role: found.role, label: found.label })
}
