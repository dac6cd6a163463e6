//! The page of sessions: closing one, and many of them.

use gateway_tests::browser::Browser;
use gateway_tests::{Gateway, Irc};

use super::{TOML, open, visit};

#[test]
fn a_session_that_is_closed_in_the_console_is_closed() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let mut zed = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    let page = open(&browser, &gateway, "sessions");
    page.until_shown(".rows td", "127.0.0.1");
    page.click(".rows button.danger");
    page.until_shown("dialog h2", "1");
    page.click("dialog button.danger");
    zed.receive_until("ERROR ");
    page.until("!document.querySelector('dialog') && !document.querySelector('.rows tbody tr')");
    assert_eq!(page.complaints(), [""; 0]);
}

/// Sessions without a gateway that has them: as many as are asked for, by the cursor.
const STUB: &str = r#"
(fetched => {
  const session = id => ({
    id, frontend: "irc", address: "10.0.0.1", user: `guest:user${id}`, rooms: ["tea"],
    opened: "2026-11-28T18:38:48Z", age_s: id, idle_s: 1, in: id, out_bytes: id, mailbox: 0,
  });
  window.fetch = (address, options) => {
    const { pathname, searchParams } = new URL(address, location.href);
    if (pathname !== "/api/v1/sessions") return fetched(address, options);
    const begin = Number(searchParams.get("after") ?? 0);
    const end = Math.min(begin + Number(searchParams.get("limit")), 50_000);
    const items = Array.from({ length: end - begin }, (_, at) => session(begin + at + 1));
    return Promise.resolve(new Response(JSON.stringify(end < 50_000 ? { items, next: String(end) } : { items })));
  };
})(window.fetch.bind(window))
"#;

/// Scrolls to the end of what is there until that is the last session; answers how many rows there
/// were at most, and the longest time between two frames in milliseconds.
const SCROLL: &str = r#"
new Promise(resolve => {
  const view = document.querySelector(".rows");
  let rows = 0, longest = 0, before = performance.now();
  const step = now => {
    longest = Math.max(longest, now - before);
    before = now;
    rows = Math.max(rows, view.querySelectorAll("tbody tr").length);
    if (view.innerText.includes("guest:user50000")) return resolve({ rows, longest });
    view.scrollTop = view.scrollHeight;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"#;

#[test]
fn of_fifty_thousand_sessions_the_page_has_only_the_rows_that_are_seen() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let page = open(&browser, &gateway, "overview");
    page.eval(STUB);
    visit(&page, "sessions", "document.querySelector('.rows tbody tr')");
    let scrolled = page.eval(SCROLL);
    eprintln!("50,000 sessions: the longest frame took {} ms", scrolled["longest"]);
    let rows = scrolled["rows"].as_u64().expect("a number");
    assert!((10..200).contains(&rows), "{rows} rows");
    assert_eq!(
        page.eval(
            "document.querySelector('.rows table').ariaRowCount ?? \
        document.querySelector('.rows table').getAttribute('aria-rowcount')"
        ),
        "50001"
    );
    assert_eq!(page.complaints(), [""; 0]);
}
