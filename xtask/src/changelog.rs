//! What CHANGELOG.md says of breaks that are not released yet.

/// The items under `### Breaking` of `## Unreleased`, each in one line.
pub(crate) fn breaking(text: &str) -> Vec<String> {
    let section = |lines: &str, head: &str, level: &str| {
        let after = lines.split_once(&format!("\n{head}\n")).map(|(_, after)| after.to_owned());
        let after = after.unwrap_or_default();
        after.split(&format!("\n{level} ")).next().unwrap_or_default().to_owned()
    };
    let unreleased = section(&format!("\n{text}"), "## Unreleased", "##");
    let breaking = section(&format!("\n{unreleased}"), "### Breaking", "###");
    let mut items: Vec<String> = Vec::new();
    for line in breaking.lines() {
        match (line.strip_prefix("* "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) if !line.trim().is_empty() => {
                item.push(' ');
                item.push_str(line.trim());
            }
            (None, _) => (),
        }
    }
    items
}

/// Whether one of them is about this definition of this dialect.
pub(crate) fn mentions(items: &[String], dialect: &str, name: &str) -> bool {
    let is_there = |item: &str, word: &str| item.contains(&format!("`{word}`"));
    items.iter().any(|item| is_there(item, dialect) && is_there(item, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## Unreleased\n\n* `channel`: `Other` is new.\n\n### Breaking\n\n\
        * `channel`: `LogInRequest` wants\n  a `code`.\n\n### Fixed\n\n* `channel`: `Register`.\n\n\
        ## 0.1.0\n\n### Breaking\n\n* `token`: `frame`.\n";

    #[test]
    fn only_what_is_under_breaking_of_unreleased_counts() {
        let items = breaking(TEXT);
        assert_eq!(items, ["`channel`: `LogInRequest` wants a `code`."]);
        assert!(mentions(&items, "channel", "LogInRequest"));
        for (dialect, name) in [
            ("token", "frame"),
            ("channel", "Other"),
            ("channel", "Register"),
            ("ourchat", "LogInRequest"),
        ] {
            assert!(!mentions(&items, dialect, name), "{dialect} {name}");
        }
        assert!(breaking("# Changelog\n").is_empty());
    }
}
