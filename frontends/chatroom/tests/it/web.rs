//! With `page = true`, the front end serves the files of examples/web.

use std::collections::BTreeSet;
use std::path::Path;

use core_model::Timestamp;
use frontend_api::http::{Request, Response};
use frontend_api::{Configure as _, Frontend, Input, Outbox, Output, Peer, RouteKind};
use frontend_chatroom::{ChatroomFrontend, Options};

fn with_page() -> ChatroomFrontend {
    let options = Options { page: true, ..Options::default() };
    ChatroomFrontend::configure(options).map_err(|fault| fault.why).unwrap()
}

fn get(frontend: &ChatroomFrontend, path: &str) -> Response {
    let request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
    let (mut session, mut out) = (frontend.open(&Peer::default()), Outbox::default());
    session.handle(Timestamp(0), Input::Request(&request), &mut out);
    let Some(Output::Respond(response)) = out.drain().next() else { panic!("no response") };
    response
}

fn paths(frontend: &ChatroomFrontend) -> BTreeSet<String> {
    let listeners = &frontend.manifest().listeners;
    listeners[0].routes.iter().map(|route| route.path.clone()).collect()
}

#[test]
fn every_file_of_the_folder_is_served_as_it_is() {
    let frontend = with_page();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/web");
    let mut files = BTreeSet::from(["/".into(), "/web/sign_out".into(), "/web/socket".into()]);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "README.md" {
            continue;
        }
        let at = format!("/web/{}", if name == "index.html" { "" } else { name });
        let response = get(&frontend, &at);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(response.body == text.as_bytes(), "{at} differs");
        files.insert(at);
    }
    let added: BTreeSet<String> =
        paths(&frontend).difference(&paths(&ChatroomFrontend::default())).cloned().collect();
    assert_eq!(added, files);
}

#[test]
fn only_the_page_is_one_that_links_may_lead_to() {
    let frontend = with_page();
    let of = |kind| {
        let routes = frontend.manifest().listeners[0].routes.iter();
        routes
            .filter(|route| route.kind == kind)
            .map(|route| route.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(RouteKind::Page), ["/", "/web/"]);
    assert_eq!(of(RouteKind::WebSocket), ["/web/socket"]);
}
