//! Lines of the ourchat dialect that are none.

use gateway_tests::{Gateway, Raw};
use serde_json::Value;

use super::{ALL, Bystanders};

/// What `raw` is sent until the connection ends: each line.
#[track_caller]
fn answers(raw: &mut Raw) -> Vec<Value> {
    let end = raw.receive_end();
    assert!(!end.reset, "{end:?}");
    let text = String::from_utf8(end.bytes).expect("it is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

#[test]
fn a_line_that_is_no_request_is_answered_with_18_and_the_connection_stays() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let lines: [&[u8]; 6] =
        [b"hello", b"\xff\xfe", b"{\"code\":", b"[12]", b"GET / HTTP/1.1\r", b"{}{}"];
    let mut raw = Raw::connect(gateway.address("ourchat", "tcp_listen"));
    for line in lines {
        raw.send(line).send(b"\n");
    }
    let answers = answers(raw.send(b"\n\r\n  \n{\"code\":12}").end());
    let codes: Vec<_> = answers.iter().map(|answer| answer["code"].as_u64()).collect();
    let complaints = lines.map(|_| Some(18));
    assert_eq!(codes, [&complaints[..], &[Some(12)]].concat(), "{answers:?}");
    bystanders.check();
}

#[test]
fn a_line_over_the_limit_is_answered_with_18_and_the_connection_ends() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let endless = [b'a'; 100_000];
    let long = [&[b'a'; 1001][..], b"\n"].concat();
    for bytes in [&endless[..], &long] {
        let mut raw = Raw::connect(gateway.address("ourchat", "tcp_listen"));
        let answers = answers(raw.send(b"{\"code\":12}\n").send(bytes));
        let told: Vec<_> = answers.iter().map(|one| (&one["code"], &one["details"])).collect();
        let too_long = (&Value::from(18), &Value::from("the line is too long"));
        assert_eq!(told, [(&Value::from(12), &Value::Null), too_long]);
        bystanders.check();
    }
}
