//! One order of a certificate: RFC 8555, section 7.4, with challenges of RFC 8737.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::account::{account, said};
use crate::runtime::net::challenges::{ACME_TLS, Challenges};
use crate::tls::AcmeSettings;

/// How the CA is asked whether it is done.
const POLLS: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(60));

/// Has a certificate issued: the key and the chain, PEM. `Err` says why there is none.
pub(super) async fn order(
    settings: &AcmeSettings,
    challenges: &Challenges,
) -> Result<String, String> {
    let account = account(settings).await?;
    let names = settings.domains.iter().cloned().map(Identifier::Dns);
    let names: Vec<Identifier> = names.collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(said)?;
    let mut answers = Answers { challenges, names: Vec::new() };
    prove(&mut order, &mut answers).await?;
    let polled = order.poll_ready(&POLLS).await;
    if !matches!(polled, Ok(OrderStatus::Ready)) {
        let why = refusal(&mut order).await;
        let otherwise = || polled.map_or_else(said, |status| format!("the order is {status:?}"));
        return Err(why.unwrap_or_else(otherwise));
    }
    let key = order.finalize().await.map_err(said)?;
    let chain = order.poll_certificate(&POLLS).await.map_err(said)?;
    Ok(format!("{}\n{chain}", key.trim_end()))
}

/// What was set up for the CA to look at; taken away when the order ends.
struct Answers<'a> {
    challenges: &'a Challenges,
    names: Vec<String>,
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| self.challenges.remove(name));
    }
}

/// Sets up the answers for the names that the CA does not know yet to be the gateway's, and has it
/// look.
async fn prove(order: &mut Order, answers: &mut Answers<'_>) -> Result<(), String> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(said)?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => (),
            status => return Err(format!("the authorization of {name} is {status:?}")),
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let none = || format!("the CA offers no challenge tls-alpn-01 for {name}");
        let mut challenge = challenge.ok_or_else(none)?;
        let answer = answer(&name, challenge.key_authorization().digest().as_ref())
            .map_err(|error| format!("no answer can be made for {name}: {error}"))?;
        answers.challenges.set(&name, answer);
        answers.names.push(name);
        challenge.set_ready().await.map_err(said)?;
    }
    Ok(())
}

/// A certificate of the gateway's own with what the CA looks for (RFC 8737, section 3).
fn answer(name: &str, digest: &[u8]) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.der().clone();
    let provider = rustls::crypto::ring::default_provider();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = provider.key_provider.load_private_key(key.into())?;
    let resolver = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let builder = ServerConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut server = builder.with_cert_resolver(Arc::new(resolver));
    server.alpn_protocols = vec![ACME_TLS.to_vec()];
    Ok(Arc::new(server))
}

/// Why the CA did not find a name to be the gateway's.
async fn refusal(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let state = authorization.refresh().await.ok()?;
        let error = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(error) = error {
            let detail = error.detail.clone().unwrap_or_else(|| error.to_string());
            return Some(format!("the CA does not find {name} here: {detail}"));
        }
    }
    None
}
