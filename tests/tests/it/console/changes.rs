//! What an operator changes in the console is changed: the configuration, front ends, backups.

use gateway_tests::browser::{Browser, Look, Page};
use gateway_tests::{Gateway, Irc, Launch};
use serde_json::json;

use super::{ROWS, TOML, VIEWS, open, visit};

/// The configuration with backups, far apart.
fn with_backups() -> String {
    format!("{TOML}\n[store.backup]\nevery = \"30d\"\nkeep = 2\n")
}

/// Answers the dialog that is open with its last button.
fn confirm(page: &Page) {
    page.until(
        "document.querySelector('dialog[open] .actions button[type=submit]:not(:disabled)')",
    );
    page.click("dialog .actions button[type=submit]");
}

/// Closes a dialog that shows a result with this text.
fn close(page: &Page, result: &str) {
    page.until_shown("dialog", result);
    page.click("dialog .actions button[type=submit]");
    page.until("!document.querySelector('dialog')");
}

#[test]
fn a_front_end_is_drained_disabled_and_enabled_in_the_console() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let address = gateway.address("irc", "listen");
    let page = open(&browser, &gateway, "frontends/irc");
    let mut zed = Irc::sign_on(address, "zed", None);
    page.click("button[aria-label*='Drain']");
    page.until_shown("dialog h2", "Drain ");
    confirm(&page);
    page.until_shown(".said", "closes its connections");
    zed.receive_until("ERROR ");
    page.click("button[aria-label*='Disable']");
    page.until("document.querySelector('dialog input[name=reason]')");
    page.click("dialog input[name=reason]");
    page.type_text("an upgrade");
    confirm(&page);
    page.until_shown(".said", "is disabled");
    page.until_shown(".facts", "an upgrade");
    let (said, _, _) = gateway.dragoman(&["frontend", "list", "--json"]);
    let irc = said.lines().find(|line| line.contains("\"name\":\"irc\"")).expect("its line");
    assert!(irc.contains("\"serving\":false") && irc.contains("an upgrade"), "{irc}");
    page.click("button[aria-label*='Enable']");
    confirm(&page);
    page.until_shown(".said", "serves again");
    // It has another port now.
    page.until_shown("main td", "Open");
    let rows = page.texts("main tbody tr").join(" ");
    let address = rows.split_whitespace().find_map(|word| word.parse().ok());
    Irc::sign_on(address.expect("an address where it listens"), "zed", None);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_backup_is_made_and_verified_in_the_console() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(&with_backups());
    let page = open(&browser, &gateway, "store");
    let count = |page: &Page| {
        page.eval("document.querySelectorAll(\"button[aria-label*='Verify']\").length")
    };
    page.until("document.querySelector('main button.primary')");
    let before = count(&page).as_u64().expect("a number");
    page.click("main button.primary");
    confirm(&page);
    close(&page, "Done");
    page.until(&format!(
        "document.querySelectorAll(\"button[aria-label*='Verify']\").length > {before}"
    ));
    page.click("button[aria-label*='Verify']");
    confirm(&page);
    close(&page, "Whole");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_configuration_is_checked_planned_applied_and_rolled_back_in_the_console() {
    let Some(browser) = Browser::start() else { return };
    let mut gateway = Gateway::start(TOML);
    let page = open(&browser, &gateway, "configuration?tab=check");
    let check = |text: &str| {
        page.eval(&format!("document.querySelector('textarea').value = {}", json!(text)));
        page.click("[role=tabpanel] button[type=submit]");
    };
    check("[frontends.irc]\nlistn = \"127.0.0.1:0\"\n");
    page.until_shown(".problems", "did you mean listen?");
    check("[frontends.irc]\nlisten = \"127.0.0.1:0\"\n");
    page.until_shown("[role=status]", "Valid");
    gateway.configure(&TOML.replace("[frontends.irc]", "[frontends.irc]\nconnections_max = 7"));
    visit(&page, "configuration?tab=plan", "document.querySelector('[role=tabpanel] .actions')");
    page.until_shown("[role=tabpanel] td", "connections_max");
    let limit = || {
        let (said, _, _) = gateway.dragoman(&["config", "plan", "--json"]);
        said.contains("connections_max")
    };
    assert!(limit(), "it is planned, and not in effect");
    page.click("[role=tabpanel] .actions button.primary");
    confirm(&page);
    close(&page, "connections_max");
    page.until("!document.querySelector('[role=tabpanel]').innerText.includes('connections_max')");
    assert!(!limit(), "it is in effect");
    page.click("[role=tabpanel] .actions button:not(.primary)");
    confirm(&page);
    close(&page, "connections_max");
    assert!(limit(), "the former configuration is in effect, and the file stays");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_nick_that_is_taken_is_said_in_the_playground() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let _ann = Irc::sign_on(gateway.address("irc", "listen"), "ann", None);
    let page = open(&browser, &gateway, "playground");
    page.until("document.querySelectorAll('.pane form').length === 2");
    page.eval(
        "(form => { form.elements.frontend.value = 'irc'; form.elements.name.value = 'ann'; form.requestSubmit(); })
         (document.querySelector('.pane form'))",
    );
    page.until_shown(".pane .alert", "ann");
    let alert = page.texts(".pane .alert").join(" ");
    assert!(
        alert.contains("433") || alert.contains("in use") || alert.contains("taken"),
        "{alert}"
    );
    page.eval(
        "(form => { form.elements.name.value = 'anna'; form.requestSubmit(); })(document.querySelector('.pane form'))",
    );
    page.until("document.querySelector('.pane .passing')");
}

#[test]
fn front_ends_that_are_plugins_are_listed_and_show_rooms_in_the_console() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Launch::loaded(TOML).start();
    let page = open(&browser, &gateway, "plugins");
    page.until(ROWS);
    let rows = page.texts("main tbody tr");
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows.iter().all(|row| row.contains("Serving")), "{rows:?}");
    for library in ["channel", "chatroom", "irc", "ourchat", "token", "usr_room"] {
        let file = format!("libplugin_{library}.so");
        assert!(rows.iter().any(|row| row.contains(&file)), "{file}: {rows:?}");
    }
    assert_eq!(page.axe(), [""; 0]);
    page.look(Look { width: 400, height: 800, ..Look::default() });
    assert_eq!(page.overflow(), 0);
    gateway.dragoman(&["message", "announce", "--room", "tea", "hello in here"]);
    visit(&page, "rooms/tea?tab=views", VIEWS);
    let views = page.texts(".view");
    let shown = views.iter().filter(|view| view.contains("hello in here"));
    assert!(shown.count() >= 3, "{views:#?}");
    assert_eq!(page.complaints(), [""; 0]);
}
