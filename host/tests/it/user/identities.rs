//! `dragoman user show`, `link` and `unlink`.

use serde_json::{Value, json};

use super::*;
use crate::program::{folder, names_in, run};

#[test]
fn without_a_gateway_it_works_on_the_store() {
    let folder = populated();
    let said =
        |arguments: &[&str]| without_times(&run(folder.path(), &[&["user"], arguments].concat()));
    let transcript = [
        said(&["show", "bob"]),
        said(&["link", "bob", "tel/0155"]),
        said(&["link", "@bob", "email/Bob@Example.org"]),
        said(&["unlink", "tel/155", "tel/155"]),
        said(&["show", "10001"]),
    ];
    insta::assert_snapshot!(transcript.join("\n\n"));
}

#[test]
fn while_a_gateway_runs_it_works_through_the_gateway() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let said = |arguments: &[&str]| without_times(&gateway.user(folder.path(), arguments));
    let transcript = [
        said(&["show", "bob"]),
        said(&["link", "bob", "tel/0155"]),
        said(&["link", "10000", "email/Bob@Example.org"]),
        said(&["link", "bob", "tel/155"]),
        said(&["unlink", "email/bob@example.org", "tel/155"]),
        said(&["show", "ann"]),
    ];
    insta::assert_snapshot!(transcript.join("\n\n"));
    gateway.end();
}

#[test]
fn a_linked_identity_signs_in_and_an_unlinked_one_does_not() {
    let folder = populated();
    let linked = run(folder.path(), &["user", "link", "bob", "tel/5551234"]);
    assert!(linked.ends_with("exit 0"), "{linked}");
    let gateway = Gateway::start(folder.path());
    let said = sign_in_by_tel(&gateway, "05551234", "tea");
    assert_eq!(
        (&said["res"], &said["data"]["user_name"]),
        (&json!("login successfully"), &json!("bob"))
    );
    assert_eq!(sign_in_by_tel(&gateway, "5551234", "cocoa")["res"], "password wrong");

    let (said, _) = sign_in_by_email(&gateway, "Bob@Example.org", "tea");
    assert_eq!(said["state"], 1);
    let linked = gateway.user(folder.path(), &["link", "bob", "email/bob@EXAMPLE.org"]);
    assert!(linked.ends_with("exit 0"), "{linked}");
    let (said, _) = sign_in_by_email(&gateway, "Bob@Example.org", "tea");
    assert_eq!((&said["state"], &said["ocid"]), (&json!(0), &json!(10000)));

    let unlinked = gateway.user(folder.path(), &["unlink", "bob", "tel/5551234"]);
    assert!(unlinked.ends_with("exit 0"), "{unlinked}");
    assert_eq!(sign_in_by_tel(&gateway, "5551234", "tea")["res"], "user not exist");
    gateway.end();
    let said = run(folder.path(), &["user", "show", "bob", "--json"]);
    assert!(said.contains(r#""identities":["email/bob@example.org"]"#), "{said}");
}

#[test]
fn json_is_the_same_from_the_store_and_from_the_gateway() {
    let folder = populated();
    let account = |said: String| -> Value {
        let line = said.lines().nth(1).expect("a line after the command");
        serde_json::from_str(line).expect("JSON")
    };
    let of_the_store = account(run(folder.path(), &["user", "show", "--json", "ann"]));
    let gateway = Gateway::start(folder.path());
    let of_the_gateway = account(gateway.user(folder.path(), &["show", "--json", "ann"]));
    assert_eq!(of_the_store, of_the_gateway);
    let created = &of_the_store["created"];
    let expected = json!({
        "uid": 10001, "handle": "ann", "name": "ann", "identities": [], "created": created,
        "online": false, "password": true,
    });
    assert_eq!(of_the_store, expected);
    gateway.end();
}

#[test]
fn an_account_created_by_openid_has_no_password_and_signs_in_by_each_linked_openid() {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    let usr_room = gateway.address("usr_room");
    let made = json_of(usr_room, "POST /usr/complete", &json!({ "openid": "o1" }));
    assert_eq!(made["response_code"], 1, "{made}");
    let joined = |openid: &str| {
        json_of(usr_room, "POST /usr/roomlist2", &json!({ "openid": openid }))["response_code"]
            .clone()
    };
    assert_eq!(joined("o2"), 0, "o2 is unknown so far");
    let said = gateway.user(folder.path(), &["link", "openid:wechat/o1", "openid:wechat/o2"]);
    assert!(said.contains("\nidentity openid:wechat/o1\nidentity openid:wechat/o2\n"), "{said}");
    assert!(said.contains("\npassword no\n"), "{said}");
    assert_eq!(joined("o2"), 1);
    gateway.end();
}

#[test]
fn a_connected_user_is_online_until_the_gateway_is_gone() {
    let folder = populated();
    run(folder.path(), &["user", "link", "bob", "email/b@c"]);
    let gateway = Gateway::start(folder.path());
    let (said, _connected) = sign_in_by_email(&gateway, "b@c", "tea");
    assert_eq!(said["state"], 0);
    let said = gateway.user(folder.path(), &["show", "bob"]);
    assert!(said.contains("\nonline yes\n"), "{said}");
    // Killed, so the session stays in the store.
    drop(gateway);
    let said = run(folder.path(), &["user", "show", "bob"]);
    assert!(said.contains("\nonline no\n"), "{said}");
}

#[test]
fn failures_have_the_same_message_with_and_without_a_gateway() {
    let folder = populated();
    run(folder.path(), &["user", "link", "ann", "tel/155"]);
    let requests: [&[&str]; 6] = [
        &["link", "bob", "tel/0155"],
        &["unlink", "bob", "tel/155"],
        &["show", "155"],
        &["show", "carol"],
        &["link", "email/carol@example.org", "tel/1"],
        &["unlink", "10007", "tel/155"],
    ];
    let said = |run: &dyn Fn(&[&str]) -> String| {
        let errors = requests.iter().map(|arguments| {
            let said = run(arguments);
            assert!(said.ends_with("\nexit 1"), "{said}");
            said.lines().skip(1).collect::<Vec<_>>().join("\n")
        });
        errors.collect::<Vec<_>>().join("\n")
    };
    let of_the_store = said(&|arguments| run(folder.path(), &[&["user"], arguments].concat()));
    insta::assert_snapshot!(of_the_store, @r#"
    stderr: tel/155 belongs to another user, uid 10001 (handle "ann"); to move it, unlink it there first
    exit 1
    stderr: tel/155 is not linked to uid 10000 (handle "bob")
    exit 1
    stderr: there is no user with the uid 155; a handle of digits is written @155, a telephone number tel/155
    exit 1
    stderr: there is no user with the handle "carol"
    exit 1
    stderr: there is no user with the identity email/carol@example.org
    exit 1
    stderr: there is no user with the uid 10007; a handle of digits is written @10007, a telephone number tel/10007
    exit 1
    "#);
    let gateway = Gateway::start(folder.path());
    assert_eq!(said(&|arguments| gateway.user(folder.path(), arguments)), of_the_store);
    gateway.end();
}

#[test]
fn invalid_users_and_identities_are_command_line_errors() {
    let folder = folder(TOML);
    for (arguments, why) in [
        (&["show", "phone/155"][..], "no dialect has the realm \"phone\""),
        (&["link", "bob", "155"], "not of the form realm/subject"),
        (&["link", "bob", "tel/+155"], "not a telephone number"),
        (&["unlink", "bob", "openid/o1"], "needs its type"),
        (&["link", "bob"], "<IDENTITY>"),
        (&[], "Usage"),
    ] {
        let said = run(folder.path(), &[&["user"], arguments].concat());
        assert!(said.contains(why), "{said}");
        assert!(said.ends_with("exit 2"), "{said}");
    }
}

#[test]
fn a_missing_store_is_not_created() {
    let folder = folder(TOML);
    let said = run(folder.path(), &["user", "show", "bob"]);
    assert!(said.contains("stderr: there is no store data/dragoman.redb yet; "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
}
