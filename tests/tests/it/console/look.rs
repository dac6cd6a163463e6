//! What every page keeps to: no complaint, nothing from elsewhere, accessible, in every width.

use std::process::Command;

use gateway_tests::browser::{Browser, Look};
use gateway_tests::program;

use super::{PAGES, choose, furnished, open, visit};

const LOOKS: [(&str, &str); 4] = [("en", "light"), ("en", "dark"), ("zh", "light"), ("zh", "dark")];

#[test]
fn every_page_of_the_console_is_without_complaints_and_without_other_hosts() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    for &(to, shows) in PAGES {
        visit(&page, to, shows);
        assert_eq!(page.texts("main .alert"), [""; 0], "{to}");
    }
    assert_eq!(page.complaints(), [""; 0]);
    let own = format!("http://{}/", gateway.address("admin", "listen"));
    let requests = page.requests();
    let foreign = requests.iter().filter(|url| !url.starts_with(&own) && *url != "data:,");
    let foreign: Vec<_> = foreign.collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(requests.iter().any(|url| url.ends_with("/console/app.js")), "{requests:?}");
}

#[test]
fn every_page_of_the_console_is_accessible_in_both_languages_and_both_colours() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    for &(to, shows) in PAGES {
        visit(&page, to, shows);
        for (language, theme) in LOOKS {
            choose(&page, 0, language);
            choose(&page, 1, theme);
            page.until(shows);
            assert_eq!(page.axe(), [""; 0], "{to} in {language}, {theme}");
        }
    }
}

#[test]
fn no_page_of_the_console_is_wider_than_a_phone() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    page.look(Look { width: 400, height: 800, ..Look::default() });
    for &(to, shows) in PAGES {
        visit(&page, to, shows);
        for language in ["en", "zh"] {
            choose(&page, 0, language);
            page.until(shows);
            assert_eq!(page.overflow(), 0, "{to} in {language}");
        }
    }
}

#[test]
fn the_plots_of_the_console_move_while_messages_go() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    page.until(PAGES[0].1);
    let traffic = "document.querySelectorAll('.plot .canvas')[1].ariaLabel";
    let is_still = page.eval(&format!("!/to \\u2068(?!0\\u2069)/.test({traffic})"));
    assert_eq!(is_still, true, "{}", page.eval(traffic));
    let url = format!("ws://{}", gateway.address("chatroom", "websocket_listen"));
    let arguments = ["--url", &url, "--room", "tea", "--connections", "2", "--count", "50"];
    let output = Command::new(program::path()).arg("bench").args(arguments).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page.until(&format!("/to \\u2068(?!0\\u2069)/.test({traffic})"));
}

#[test]
fn the_texts_of_the_console_are_the_same_in_both_languages() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let page = open(&browser, &gateway, "overview");
    let differing = page.eval(
        "Promise.all(['en', 'zh'].map(name => import(`/console/i18n/${name}.js`))).then(([en, zh]) => {
           const places = text => (text ?? '').match(/\\{\\w+\\}/g)?.sort().join() ?? '';
           return Object.keys({ ...en.default, ...zh.default }).filter(key =>
             !en.default[key] || !zh.default[key] || places(en.default[key]) !== places(zh.default[key]));
         })",
    );
    assert_eq!(differing, serde_json::json!([]));
}
