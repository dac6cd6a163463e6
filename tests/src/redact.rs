//! What differs from run to run is left out of snapshots.

/// JSON text, with the values of these keys replaced by `…`, wherever they are.
pub fn redact(text: &str, keys: &[&str]) -> String {
    let mut text = text.to_owned();
    for key in keys {
        text = redact_key(&text, &format!("\"{key}\":"));
    }
    text
}

fn redact_key(text: &str, key: &str) -> String {
    let mut parts = text.split(key);
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted = redacted + key + "…" + &part[scalar_len(part)..];
    }
    redacted
}

/// How long the string or number is with which the text begins.
fn scalar_len(text: &str) -> usize {
    match text.strip_prefix('"') {
        Some(rest) => rest.find('"').map_or(text.len(), |end| end + 2),
        None => text.find(|other: char| !other.is_ascii_digit()).unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_the_rest_stays() {
        let text = r#"{"time":17,"msg":"time: 5","data":{"token":"abc","n":1}} {"time":"x"}"#;
        assert_eq!(
            redact(text, &["time", "token"]),
            r#"{"time":…,"msg":"time: 5","data":{"token":…,"n":1}} {"time":…}"#
        );
    }
}
