//! All front ends, where they listen, and what there is to read of each.

use super::html::{Html, code, escaped, link};
use crate::runtime::frontends::instance::Served;
use crate::runtime::net::http::well_known;
use crate::runtime::net::registry::Roster;

pub(crate) fn page(roster: &Roster) -> Html {
    let mut page = Html::plain("Dragoman: the dialects of this gateway");
    for served in &roster.frontends {
        let manifest = served.frontend.manifest();
        page.heading(&served.name);
        page.element("p", &manifest.title);
        let rows = listeners(roster, served);
        page.table(["listener", "address"], rows);
        match served.down() {
            Some(why) => page.element("p", &format!("Taken down: {why}")),
            None => documents(&mut page, served),
        }
    }
    page.raw("<p class=\"foot\">OpenAPI and AsyncAPI are shown by Redoc ");
    page.raw(&format!("({}).</p>\n", link("/api/redoc-licence.txt", "its licence")));
    page
}

fn listeners(roster: &Roster, served: &Served) -> Vec<[String; 2]> {
    let its = roster.doors.iter().flat_map(|door| {
        let entrances = door.entrances();
        let its = entrances.iter().filter(|entrance| entrance.served.index() == served.index());
        let its = its.map(|entrance| (entrance.listener.key.clone(), door.bound()));
        its.collect::<Vec<_>>()
    });
    let row = |(key, bound): (String, Option<std::net::SocketAddr>)| {
        let address = bound.map_or("not listening yet".into(), |address| address.to_string());
        [escaped(&key).into_owned(), code(&address)]
    };
    its.map(row).collect()
}

fn documents(page: &mut Html, served: &Served) {
    let Ok(documents) = well_known::documents(served) else {
        page.element("p", "It could not describe itself; the log says more.");
        return;
    };
    if documents.is_empty() {
        page.element("p", "It has no documents of its own: its dialect is described elsewhere.");
        return;
    }
    let rows = documents.iter().map(|document| {
        let path = format!("/api/{}/{}", served.name, document.name);
        let content = serde_json::from_str(&document.text).ok();
        let shown = content.as_ref().and_then(super::shape).is_some();
        let read = match shown {
            true => link(&format!("{path}.html"), "read"),
            false => String::new(),
        };
        [code(&document.name), read, link(&path, "download"), code(&document.media_type)]
    });
    page.table(["document", "", "", "type"], rows.collect());
}
