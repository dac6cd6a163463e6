//! Signing in with a token, and what its role may do.

use gateway_tests::browser::Browser;

use super::{furnished, open, visit};

#[test]
fn what_the_role_of_a_token_may_not_do_is_not_offered() {
    let Some(browser) = Browser::start() else { return };
    let gateway = furnished();
    let (made, _, _) = gateway.dragoman(&["admin", "token", "create", "--role", "monitor"]);
    let token = made.lines().find_map(|line| line.strip_prefix("token ")).expect("a token");
    let page = open(&browser, &gateway, "overview");
    // On loopback no token is needed; this is how the page begins where one is.
    page.eval("import('/console/api.js').then(api => { api.session.value = null; })");
    for (typed, shown) in [("dgm_x", "[role=alert]"), (token, "nav")] {
        page.until("document.querySelector('input[name=token]')");
        page.eval("document.querySelector('input[name=token]').select()");
        page.type_text(typed);
        assert_eq!(page.axe(), [""; 0]);
        page.click("main button.primary");
        page.until(&format!("document.querySelector('{shown}')"));
    }
    let offered = page.texts("nav a");
    assert!(offered.contains(&"Sessions".to_owned()), "{offered:?}");
    for operators in ["Tap", "Trace", "Playground", "Admin tokens", "Audit"] {
        assert!(!offered.contains(&operators.to_owned()), "{offered:?}");
    }
    visit(&page, "frontends/irc", "document.querySelector('main .facts')");
    assert_eq!(page.texts("main button"), [""; 0]);
    visit(&page, "rooms", "document.querySelector('main tbody tr')");
    assert_eq!(page.texts("main button"), ["Rooms", "Search"]);
    page.click(".top button:not(.menu)");
    page.click("dialog button.primary");
    page.until("document.querySelector('nav a[href=\"#/tap\"]')");
}
