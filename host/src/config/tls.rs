//! The tables `[tls.<name>]`, and `tls` of front ends and listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use figment::value::Value;

use super::acme;
use super::parse;
use super::section::{Reader, Section, hint};
use crate::tls::{IdentityFiles, Tls, TlsFault, TlsSettings};

/// The shared tables, by name. `None`: one with a mistake, which is reported already.
pub(super) struct SharedTls<'a> {
    reader: &'a Reader,
    /// Where relative paths start.
    folder: &'a Path,
    tables: BTreeMap<String, Option<Arc<Tls>>>,
}

/// What a key `tls` says: encrypted, or not.
pub(super) type TlsChoice = Option<Arc<Tls>>;

impl<'a> SharedTls<'a> {
    pub(super) fn read(reader: &'a Reader, root: &Section<'_>, folder: &'a Path) -> Self {
        let mut shared = Self { reader, folder, tables: BTreeMap::new() };
        let section = root.table("tls");
        for name in section.keys() {
            let tls = shared.table(&section.table(name));
            shared.tables.insert(name.to_owned(), tls);
        }
        shared
    }

    /// The value of `tls` in a table: the name of a shared table, a table, or false. `None`: the key
    /// is absent or wrong. A wrong one is always reported, since the listener would not be encrypted.
    pub(super) fn choice(&self, section: &Section<'_>) -> Option<TlsChoice> {
        let choice = self.choice_of(section);
        if choice.is_none() && section.value("tls").is_some() && self.reader.has_no_problems() {
            let why = "there is nothing to encrypt with; name a table with cert and key, or false";
            section.complain("tls", why);
        }
        choice
    }

    fn choice_of(&self, section: &Section<'_>) -> Option<TlsChoice> {
        match section.value("tls") {
            Some(Value::Dict(..)) => self.table(&section.table("tls")).map(Some),
            Some(Value::Bool(_, false)) => Some(None),
            Some(_) => {
                let name = section.read("tls", |value| self.name(value))?;
                self.tables.get(&name).cloned().flatten().map(Some)
            }
            None => {
                // Has its keys known.
                settings(&section.table("tls"), self.folder);
                None
            }
        }
    }

    fn name(&self, value: &Value) -> Result<String, String> {
        let name = parse::text(value).map_err(
            |_| "expected the name of a table [tls.<name>], a table with cert and key, or false",
        )?;
        if self.tables.contains_key(&name) {
            return Ok(name);
        }
        let names: BTreeSet<String> = self.tables.keys().cloned().collect();
        let known = if names.is_empty() { "; there is none".into() } else { hint(&name, &names) };
        Err(format!("there is no table [tls.{name}]{known}"))
    }

    fn table(&self, section: &Section<'_>) -> Option<Arc<Tls>> {
        let (settings, places) = settings(section, self.folder);
        section.finish();
        if section.value("acme").is_some() && settings.acme.is_none() {
            return None;
        }
        if settings.identities.is_empty() {
            if places.is_complete {
                let what = "missing; name the PEM files of a certificate with its chain and of its key, \
                     or have one issued by acme";
                section.complain_of_absent("cert", what);
            }
            return None;
        }
        if settings.require && settings.client_ca.is_none() {
            section.complain("require", "there is no client_ca, so no client could connect");
            return None;
        }
        if !places.is_complete {
            return None;
        }
        match Tls::load(settings) {
            Ok(tls) => {
                for warning in tls.warnings() {
                    self.reader.warn(section.source_of("cert"), warning);
                }
                Some(Arc::new(tls))
            }
            Err(faults) => {
                for fault in faults {
                    places.of(section, &fault).complain(fault.key, &fault.why);
                }
                None
            }
        }
    }
}

/// The tables that the identities are from.
struct Places<'a> {
    /// Those of `certificates`.
    further: Vec<Section<'a>>,
    /// Of each identity: 0 is the table itself, others are of `further`, from 1.
    identities: Vec<usize>,
    /// False: one has a mistake, which is reported already.
    is_complete: bool,
}

impl<'a> Places<'a> {
    fn of<'b>(&'b self, table: &'b Section<'a>, fault: &TlsFault) -> &'b Section<'a> {
        match self.identities.get(fault.identity) {
            Some(nth @ 1..) if fault.key != "client_ca" => &self.further[nth - 1],
            _ => table,
        }
    }
}

fn settings<'a>(section: &Section<'a>, folder: &Path) -> (TlsSettings, Places<'a>) {
    let path = |path: PathBuf| folder.join(path);
    let client_ca = section.path("client_ca").map(path);
    let require = section.read("require", parse::flag);
    let mut settings = TlsSettings {
        identities: Vec::new(),
        require: require.unwrap_or(client_ca.is_some()),
        client_ca,
        only_v13: section.read("min_version", version).unwrap_or(false),
        hsts: section.read("hsts", parse::duration).unwrap_or(Duration::ZERO),
        acme: acme::read(section, folder),
    };
    let is_complete = settings.client_ca.is_some() || section.value("client_ca").is_none();
    let mut places = Places { further: further(section), identities: Vec::new(), is_complete };
    for nth in 0..=places.further.len() {
        let place = if nth == 0 { section } else { &places.further[nth - 1] };
        let cert = place.path("cert");
        let key = place.path("key");
        let is_absent = |name| place.value(name).is_none();
        if let (Some(cert), Some(key)) = (cert, key) {
            let files = IdentityFiles { cert: folder.join(cert), key: folder.join(key) };
            settings.identities.push(files);
            places.identities.push(nth);
        // The table itself may have none, where the list has some.
        } else if nth > 0 || !is_absent("cert") || !is_absent("key") {
            places.is_complete = false;
            for name in ["cert", "key"].into_iter().filter(|name| is_absent(name)) {
                place.complain_of_absent(name, "missing; the path of a PEM file");
            }
        }
        if nth > 0 {
            place.finish();
        }
    }
    if let Some(acme) = &settings.acme {
        let file = acme.certificate_file();
        settings.identities = vec![IdentityFiles { cert: file.clone(), key: file }];
        places.identities = vec![0];
    }
    (settings, places)
}

fn further<'a>(section: &Section<'a>) -> Vec<Section<'a>> {
    if section.value("certificates").is_some() {
        return section.tables("certificates");
    }
    // Has its keys known.
    let table = section.table("certificates");
    table.value("cert");
    table.value("key");
    Vec::new()
}

/// Whether only TLS 1.3 is spoken.
fn version(value: &Value) -> Result<bool, String> {
    match value.as_str() {
        Some("1.2") => Ok(false),
        Some("1.3") => Ok(true),
        _ => Err("expected \"1.2\" or \"1.3\"; older versions are broken".into()),
    }
}
