//! Pictures of every page, for docs/ops/console.md: `docs/ops/console/make` has them taken.

use std::path::Path;
use std::process::Command;

use gateway_tests::browser::{Browser, Look};
use gateway_tests::dialect::{ROWS, Room};
use gateway_tests::{Gateway, program};

use super::{PAGES, choose, furnished, open, visit};

/// Where the pictures go. Without it none are taken.
const FOLDER: &str = "CONSOLE_PICTURES";

const LOOK: Look = Look { width: 1100, height: 640, dark: false, language: "en" };

#[test]
fn every_page_of_the_console_has_its_picture_taken_in_both_colours() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    page.look(LOOK);
    page.until(PAGES[0].1);
    let mut clients = peopled(&gateway);
    load(&gateway);
    for &(to, shows) in PAGES {
        visit(&page, to, shows);
        if to == "tap" {
            page.click("main form button[type=submit]");
            page.until_shown(".actions [role=status]", "Tapping");
            let room = Room { id: 1, name: "tea".into() };
            clients[0].post(&room, "the kettle is on");
            page.until("document.querySelectorAll('.passing li').length > 2");
        }
        for theme in ["light", "dark"] {
            choose(&page, 1, theme);
            page.until(shows);
            let name: String =
                to.chars().map(|it| if it.is_alphanumeric() { it } else { '-' }).collect();
            page.screenshot(&Path::new(&folder).join(format!("{name}.{theme}.png")));
        }
        assert_eq!(page.complaints(), [""; 0], "{to}");
    }
}

/// A user of each dialect in the room; each has said something.
fn peopled(gateway: &Gateway) -> Vec<Box<dyn gateway_tests::dialect::Client>> {
    let room = Room { id: 1, name: "tea".into() };
    let names = ["bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe", "kim"];
    let rows = ROWS.iter().filter(|row| row.dialect.name != "ourchat");
    let mut clients: Vec<_> =
        rows.zip(names).map(|(row, name)| (row.enroll)(gateway, name)).collect();
    clients.iter_mut().for_each(|client| client.enter(&room));
    for (client, text) in clients.iter_mut().zip(TEXTS.iter().cycle()) {
        client.post(&room, text);
    }
    clients
}

const TEXTS: [&str; 5] =
    ["good morning", "is there any tea left?", "一杯茶，谢谢", "green or black?", "both, please"];

/// Some seconds of traffic, so that the plots have something to show.
fn load(gateway: &Gateway) {
    let url = format!("ws://{}", gateway.address("chatroom", "websocket_listen"));
    let arguments = ["--url", &url, "--room", "tea", "--connections", "4", "--count", "300"];
    let output = Command::new(program::path()).arg("bench").args(arguments).output();
    assert!(output.expect("the program starts").status.success());
}
