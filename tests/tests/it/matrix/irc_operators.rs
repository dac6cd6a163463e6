//! Operators of the gateway on IRC, over real sockets: OPER with a token of the admin API, KILL, and
//! what is in the audit log of it.

use gateway_tests::Irc;

use super::site::Site;

/// A new token, and its id.
fn token(site: &Site, role: &str) -> (String, String) {
    let said = site.dragoman(&["admin", "token", "create", "--role", role, "--label", "ann"]);
    let value = |key: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}: {said}")).trim().to_owned()
    };
    (value("token "), value("id "))
}

#[test]
fn an_operator_kills_a_session_by_its_token_and_the_audit_log_has_it() {
    let site = Site::open();
    let sign_on = |nick: &str| Irc::sign_on(site.gateway.address("irc", "listen"), nick, None);
    let (mut ann, mut zed, mut yan) = (sign_on("ann"), sign_on("zed"), sign_on("yan"));
    zed.join("#tea");
    yan.join("#tea");
    ann.send("KILL zed :spam");
    assert!(ann.receive_until(" 4").contains(" 481 "));
    ann.send("OPER ann secret");
    assert!(ann.receive_until(" 4").contains(" 464 "));
    let (monitor, _) = token(&site, "monitor");
    ann.send(&format!("OPER ann {monitor}"));
    assert!(ann.receive_until(" 4").contains(" 464 "));
    let (moderator, id) = token(&site, "moderator");
    ann.send(&format!("OPER ann {moderator}"));
    ann.receive_until(" 381 ann ");
    ann.receive_until(" MODE ann :+o");
    yan.send("WHOIS ann");
    yan.receive_until(" 313 yan ann ");
    ann.send("KILL nemo :spam");
    assert!(ann.receive_until(" 4").contains(" 401 "));
    ann.send("KILL zed :spam and more");
    let end = loop {
        let line = zed.receive();
        if line.starts_with("ERROR ") {
            break line;
        }
    };
    assert!(end.contains("Killed (ann (spam and more))"), "{end}");
    let quit = yan.receive_until(" QUIT ");
    assert!(quit.starts_with(":zed!") && quit.ends_with(":Killed (ann (spam and more))"), "{quit}");
    site.dragoman(&["admin", "token", "revoke", &id]);
    ann.send("KILL yan :spam");
    assert!(ann.receive_until(" 4").contains(" 481 "), "the token was revoked");
    let audit = site.dragoman(&["admin", "audit"]);
    for said in ["irc_oper", "irc_kill", &format!("token {id} ann"), "spam and more", "403"] {
        assert!(audit.contains(said), "{said}: {audit}");
    }
    assert!(!audit.contains(&moderator), "{audit}");
}
