//! The fidelity contract: a field may pass better than before, not worse.

use serde_json::Value;

use super::Break;

/// From good to bad; a field that is `absent` or `unknown` had nothing to lose.
const VERDICTS: [&str; 3] = ["exact", "emulated", "lost"];

pub(crate) fn compare(former: &Value, now: &Value) -> Vec<Break> {
    let mut broken = Vec::new();
    for (from, readers) in former["pairs"].as_object().into_iter().flatten() {
        for (to, pair) in readers.as_object().into_iter().flatten() {
            let place = format!(" from {from} to {to}");
            let now = &now["pairs"][from][to];
            for (was, verdict) in VERDICTS.iter().enumerate() {
                for field in fields(&pair[*verdict]) {
                    let is = VERDICTS.iter().position(|verdict| has(&now[*verdict], field));
                    match is {
                        Some(is) if is <= was => (),
                        Some(is) => {
                            let what = format!("was {verdict}, is {}", VERDICTS[is]);
                            broken.push(Break::new(field, &place, what));
                        }
                        None if *verdict == "lost" => (),
                        None => {
                            let what = format!("was {verdict}, is gone");
                            broken.push(Break::new(field, &place, what));
                        }
                    }
                }
            }
        }
    }
    broken
}

/// A verdict has a list of fields, or an object with the reason for each.
fn fields(verdict: &Value) -> Vec<&str> {
    let keys = verdict.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let listed = verdict.as_array().into_iter().flatten().filter_map(Value::as_str);
    keys.chain(listed).collect()
}

fn has(verdict: &Value, field: &str) -> bool {
    fields(verdict).contains(&field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract(verdict: &str) -> Value {
        let fields = if ["exact", "absent"].contains(&verdict) {
            json!(["message.notice"])
        } else {
            json!({ "message.notice": "why" })
        };
        json!({ "pairs": { "irc": { "token": { verdict: fields } } } })
    }

    fn breaks(was: &str, is: &str) -> Vec<String> {
        let broken = compare(&contract(was), &contract(is)).into_iter();
        broken.map(|Break { name, place, what }| format!("{name}{place}: {what}")).collect()
    }

    #[test]
    fn a_field_may_pass_better_but_not_worse() {
        for (was, is) in [
            ("exact", "exact"),
            ("emulated", "exact"),
            ("lost", "exact"),
            ("lost", "emulated"),
            ("lost", "absent"),
            ("absent", "lost"),
        ] {
            assert_eq!(breaks(was, is), [""; 0], "{was}, {is}");
        }
        let worse = breaks("exact", "emulated");
        assert_eq!(worse, ["message.notice from irc to token: was exact, is emulated"]);
        let gone = breaks("emulated", "absent");
        assert_eq!(gone, ["message.notice from irc to token: was emulated, is gone"]);
        assert_eq!(breaks("emulated", "lost").len(), 1);
    }
}
