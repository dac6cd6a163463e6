//! The table `acme` of a table `tls`.

use std::net::IpAddr;
use std::path::Path;

use figment::value::Value;
use url::Url;

use super::parse;
use super::section::Section;
use crate::private_folder::creatable;
use crate::tls::{AcmeSettings, LETS_ENCRYPT};

/// Why the table is of no use in this build.
pub(super) const NOT_BUILT: &str = "this program was built without the feature acme; build it with that, or \
                         name the files of a certificate with cert and key";

/// `None`: there is no table, or it has a mistake, which is reported.
pub(super) fn read(tls: &Section<'_>, folder: &Path) -> Option<AcmeSettings> {
    let section = tls.table("acme");
    let settings = AcmeSettings {
        directory: section.read("directory", directory).unwrap_or_else(|| LETS_ENCRYPT.into()),
        domains: section.list("domains", "host names", domain),
        contacts: section.list("contacts", "mail addresses", contact),
        cache: folder.join(section.path("cache").unwrap_or_else(|| "acme".into())),
        ca_file: section.path("ca_file").map(|path| folder.join(path)),
    };
    let accepts = section.read("accept_terms", parse::flag).unwrap_or(false);
    if !section.is_present() {
        return None;
    }
    section.finish();
    if !cfg!(feature = "acme") {
        tls.complain_of_absent("acme", NOT_BUILT);
        return None;
    }
    let others = ["cert", "key", "certificates"];
    let other = others.into_iter().find(|other| tls.keys().any(|key| key == *other));
    if let Some(other) = other {
        let why = "there is acme too, which brings the certificate; use two tables of [tls]";
        tls.complain_of_absent(other, why);
        return None;
    }
    match section.value("domains") {
        None => {
            section.complain_of_absent("domains", "missing; the names that the certificate is for");
        }
        Some(Value::Array(_, domains)) if domains.is_empty() => {
            section
                .complain("domains", "an empty list; name the hosts that the certificate is for");
        }
        Some(_) => (),
    }
    // It would be missed at the first renewal only, or after the CA has issued a certificate in vain.
    if let Err(why) = creatable(&settings.certificate_file()) {
        let what = format!(
            "{why}; the account and the certificates are kept in {}: let the user that the gateway \
             runs as write there, or name another folder",
            settings.cache.display()
        );
        section.complain_of_absent("cache", &what);
    }
    if !accepts {
        let why = "read the terms of service of the CA, and set this to true if you accept them";
        section.complain_of_absent("accept_terms", why);
    }
    (!settings.domains.is_empty() && accepts).then_some(settings)
}

fn directory(value: &Value) -> Result<String, String> {
    let url = value.as_str().and_then(|text| Url::parse(text).ok());
    let url = url.filter(|url| url.scheme() == "https" && url.has_host());
    url.map(String::from).ok_or_else(|| {
        format!("expected the URL of the directory of an ACME server, such as {LETS_ENCRYPT:?}")
    })
}

fn domain(value: &Value) -> Result<String, String> {
    let name = parse::host_name(value)?.to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Err("an address; the CA looks for the gateway by a name".into());
    }
    Ok(name)
}

/// `ops@example.org`, with or without `mailto:`.
fn contact(value: &Value) -> Result<String, String> {
    let text = parse::text(value)?;
    let address = text.strip_prefix("mailto:").unwrap_or(&text);
    let is_plain = !address.contains(|c: char| c.is_whitespace() || c.is_control());
    match address.split_once('@') {
        Some((name, host)) if is_plain && !name.is_empty() && !host.is_empty() => {
            Ok(format!("mailto:{address}"))
        }
        _ => Err("expected a mail address, such as \"ops@example.org\"".into()),
    }
}
