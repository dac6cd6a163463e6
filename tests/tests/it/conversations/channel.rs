//! The channel dialect's document, operation by operation.

use gateway_tests::{Channel, Gateway, Script};
use serde_json::json;

#[test]
fn the_operations_of_the_document_go_as_it_says() {
    let gateway = Gateway::start("[frontends.channel]");
    let address = gateway.address("channel", "listen");
    let ann = &mut Channel::connect(address);
    let bob = &mut Channel::connect(address);
    let script = &mut Script::default();

    script.heading("用户注册, 用户登录");
    for (who, channel) in [("ann", &mut *ann), ("bob", &mut *bob)] {
        let password = "auth info";
        let new = json!({"name": who, "password": password, "password_repete": password});
        script.call(who, channel, "/register", &new);
        let login =
            script.call(who, channel, "/login", &json!({"name": who, "password": password}));
        channel.token = Some(login["data"]["token"].as_str().expect("a token").to_owned());
    }

    script.heading("用户信息查询");
    script.call("ann", ann, "/user/info", &json!({"name": "bob"}));

    script.heading("聊天室消息发送, 聊天室用户信息查询");
    script.call("ann", ann, "/channel/send", &json!({"name": "tea", "message": "hello"}));
    script.call("bob", bob, "/channel/send", &json!({"name": "tea", "message": "hello ann"}));
    script.call("bob", bob, "/channel/list_users", &json!({"name": "tea"}));

    script.heading("聊天室消息接受");
    script.call("ann", ann, "/channel/receive", &json!({"name": "tea"}));
    script.call("ann", ann, "/channel/receive", &json!({"name": "tea"}));
    script.call("bob", bob, "/channel/receive", &json!({"name": "tea"}));

    script.heading("私信发送消息, 私信接受消息");
    for msg in ["msg1", "msg2"] {
        script.call("ann", ann, "/send", &json!({"name": "bob", "msg": msg}));
    }
    script.call("bob", bob, "/receive", &json!({"name": "bob"}));
    script.call("bob", bob, "/receive", &json!({"name": "bob"}));

    script.heading("失败返回");
    let stranger = &mut Channel::connect(address);
    script.call("stranger", stranger, "/user/info", &json!({"name": "bob"}));
    let wrong = json!({"name": "bob", "password": "guess"});
    script.call("stranger", stranger, "/login", &wrong);
    let taken = json!({"name": "bob", "password": "x", "password_repete": "x"});
    script.call("stranger", stranger, "/register", &taken);
    let differ = json!({"name": "cat", "password": "x", "password_repete": "y"});
    script.call("stranger", stranger, "/register", &differ);
    script.call("bob", bob, "/user/info", &json!({"name": "cat"}));
    script.call("bob", bob, "/channel/receive", &json!({"name": "coffee"}));
    script.call("bob", bob, "/receive", &json!({"name": "ann"}));
    script.call("bob", bob, "/send", &json!({"name": "ann"}));

    insta::assert_snapshot!(script.redacted(&["token", "datetime"]));
}

#[test]
fn a_note_to_oneself_is_kept_and_received() {
    let gateway = Gateway::start("[frontends.channel]\n");
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    ann.done("/send", &json!({ "name": "ann", "msg": "tea at five" }));
    let received = ann.done("/receive", &json!({}));
    assert_eq!(received["messages"], json!({ "ann": ["tea at five"] }));
    assert_eq!(ann.done("/receive", &json!({}))["messages"], json!({}));
}
