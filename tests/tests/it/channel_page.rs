//! Every example of docs/dialects/channel.md, in the page's order, against a gateway.

use gateway_tests::{Channel, Gateway, program, redact};

/// A `$ curl` line with the reply below it.
#[derive(Debug)]
struct Example<'a> {
    path: &'a str,
    /// `$ANN`, `$BOB`, or the header itself.
    header: Option<&'a str>,
    body: &'a str,
    reply: &'a str,
}

/// What stands between two marks, and the rest.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(begin)?.1.split_once(end)
}

fn example<'a>(command: &'a str, reply: &'a str) -> Example<'a> {
    let understood = || {
        let (path, rest) = between(command, "http://127.0.0.1:5004", " ")?;
        let (body, _) = between(rest, "--json '", "'")?;
        let double = between(rest, "-H \"", "\"").filter(|(_, rest)| rest.contains("--json"));
        let single = between(rest, "-H '", "'").filter(|(_, rest)| rest.contains("--json"));
        let header = double.or(single).map(|(header, _)| header);
        Some(Example { path, header, body, reply })
    };
    understood().unwrap_or_else(|| panic!("{command:?} is another command"))
}

fn examples(page: &str) -> Vec<Example<'_>> {
    let mut lines = page.lines().filter_map(|line| line.strip_prefix("    "));
    let mut examples = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ curl ") {
            examples.push(example(command, lines.next().expect("a reply")));
        }
    }
    examples
}

#[test]
fn every_example_of_the_channel_page_gets_its_reply() {
    let page = program::workspace().join("docs/dialects/channel.md");
    let page = std::fs::read_to_string(page).expect("there is a page");
    let examples = examples(&page);
    assert!(examples.len() > 25, "{} examples were found", examples.len());
    let gateway =
        Gateway::start("[[rooms]]\nname = \"full house\"\ncapacity = 1\n[frontends.channel]\n");
    let address = gateway.address("channel", "listen");
    Channel::enroll(address, "cai").receive_after("full house", 0);
    let mut client = Channel::connect(address);
    // The page shows how to get the two tokens after it has registered both users.
    let sign_in = |name: &str, password: &str| {
        let mut user = Channel::connect(address);
        user.login(name, password);
        user.token
    };
    for example in examples {
        client.token = match example.header {
            Some("$ANN") => sign_in("ann", "tea for two"),
            Some("$BOB") => sign_in("bob", "coffee"),
            Some(other) => other.strip_prefix("Authorization: Bearer ").map(Into::into),
            None => None,
        };
        let body = example.body.parse().expect("JSON");
        let response = client.try_call(example.path, &body, &[]).expect("a response");
        let shown = |text: &str| redact(text, &["token", "datetime"]);
        assert_eq!(shown(response.text()), shown(example.reply), "{example:?}");
    }
}
