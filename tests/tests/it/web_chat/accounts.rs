//! Accounts and guests.

use gateway_tests::browser::{Browser, Look};
use gateway_tests::{Chatroom, Gateway};

use super::{TOML, assert_clean, guest, open_room, say, until_said, url};

#[test]
fn an_account_stays_signed_in_until_it_signs_out() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let page = browser.open(&url(&gateway), Look::default());
    page.until("document.body?.dataset.ready");
    page.click("[value=register]");
    page.click("[name=tel]");
    page.type_text("15550001");
    page.click("[name=name]");
    page.type_text("ann");
    page.click("[name=password]");
    page.type_text("tea for two");
    page.press("Enter");
    page.until_shown("#me", "ann");
    open_room(&page, "TEST");
    say(&page, "as ann");
    until_said(&page, "as ann");
    let stored =
        page.eval("JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie");
    let stored = stored.as_str().unwrap();
    assert!(stored.contains("TEST") && !stored.contains("tea for two"), "{stored}");
    assert!(!stored.contains("dragoman_chatroom") && !stored.contains("15550001"), "{stored}");

    page.reload();
    page.until_shown("#me", "ann");
    open_room(&page, "TEST");
    say(&page, "still ann");
    until_said(&page, "still ann");

    page.click("#sign-out");
    page.until("document.body.dataset.view === 'enter'");
    page.until("!Object.values(localStorage).some((one) => one.includes('TEST'))");
    // The name is no guest's, and its proof is gone from the browser.
    page.until("document.querySelector('#sign-out').hidden");
    page.eval("fetch('sign_out', { method: 'POST' })");
    page.click("[value=guest]");
    page.click("[name=name]");
    page.type_text("ann");
    page.click("#enter [type=submit]");
    page.until("document.body.dataset.view === 'rooms'");
    page.until("document.querySelector('#others button')");
    page.click("#others button");
    page.until_shown("#enter-error", "belongs to an account");
    page.click("[name=tel]");
    page.type_text("15550001");
    page.click("[name=password]");
    page.type_text("wrong");
    page.press("Enter");
    page.until_shown("#enter-error", "The password is wrong.");
    page.click("[name=password]");
    page.eval("document.querySelector('[name=password]').select()");
    page.type_text("tea for two");
    page.press("Enter");
    page.until_shown("#me", "ann");
    assert_clean(&page, &gateway);
}

#[test]
fn a_name_that_cannot_be_used_is_explained() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    Chatroom::connect(gateway.address("chatroom", "listen")).register("155", "ann", "p");
    let page = guest(&browser, &gateway, "ann", Look::default());
    page.until("document.querySelector('#others button')");
    page.click("#others button");
    page.until_shown("#enter-error", "belongs to an account");
    assert_eq!(page.eval("document.querySelector('[name=how]:checked').value"), "sign-in");
    page.click("[value=guest]");
    page.eval("document.querySelector('[name=name]').value = '@x'");
    page.click("#enter [type=submit]");
    page.until_shown("#enter-error", "begins neither with @");
    assert_clean(&page, &gateway);
}
