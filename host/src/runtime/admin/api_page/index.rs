//! The front ends, their addresses and their documents.

use super::html::{Html, code, escaped, link};
use super::shape::Shape;
use crate::config::ListenAddress;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::registry::FrontendRegistry;

pub(crate) fn page(registry: &FrontendRegistry) -> Html {
    let mut page = Html::plain("Dragoman: the dialects of this gateway");
    for frontend in &registry.frontends {
        let manifest = frontend.frontend.manifest();
        page.heading(&frontend.name);
        page.element("p", &manifest.title);
        let rows = listeners(registry, frontend);
        page.table(["listener", "address"], rows);
        match frontend.down() {
            Some(why) => page.element("p", &format!("Taken down: {why}")),
            None => documents(&mut page, frontend),
        }
    }
    page.raw("<p class=\"foot\">OpenAPI and AsyncAPI are shown by Redoc ");
    page.raw(&format!("({}).</p>\n", link("/api/redoc-licence.txt", "its licence")));
    page
}

fn listeners(registry: &FrontendRegistry, frontend: &FrontendHandle) -> Vec<[String; 2]> {
    let its = registry.listeners.iter().flat_map(|listener| {
        let bindings = listener.bindings();
        let its = bindings.iter().filter(|binding| binding.frontend.index() == frontend.index());
        let its = its.map(|binding| (binding.listener.key.clone(), listener.bound()));
        its.collect::<Vec<_>>()
    });
    let row = |(key, bound): (String, Option<ListenAddress>)| {
        let address = bound.map_or("not listening yet".into(), |address| address.to_string());
        [escaped(&key).into_owned(), code(&address)]
    };
    its.map(row).collect()
}

fn documents(page: &mut Html, frontend: &FrontendHandle) {
    let Ok(documents) = frontend.frontend.schemas() else {
        page.element("p", "It could not describe itself; the log says more.");
        return;
    };
    if documents.is_empty() {
        page.element("p", "It has no documents of its own: its dialect is described elsewhere.");
        return;
    }
    let rows = documents.iter().map(|document| {
        let path = format!("/api/{}/{}", frontend.name, document.name);
        let content = serde_json::from_str(&document.text).ok();
        let shown = content.as_ref().and_then(Shape::of).is_some();
        let read = if shown { link(&format!("{path}.html"), "read") } else { String::new() };
        [code(&document.name), read, link(&path, "download"), code(&document.media_type)]
    });
    page.table(["document", "", "", "type"], rows.collect());
}
