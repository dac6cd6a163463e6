//! The name that one which does not exist was probably meant to be.

/// How alike two names are, of 1, if one was probably meant to be the other.
const SIMILARITY_MIN: f64 = 0.8;

/// The known name that is most like a wrong one, if one is.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = wrong.to_lowercase();
    // Another case is the most likely mistake.
    let likeness = |name: &str| {
        let folded = strsim::jaro_winkler(&folded, &name.to_lowercase());
        f64::midpoint(folded, strsim::jaro_winkler(wrong, name).max(folded - 0.01))
    };
    let likeness = known.into_iter().map(|name| (likeness(name), name));
    let nearest = likeness.max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.filter(|(likeness, _)| *likeness >= SIMILARITY_MIN).map(|(_, name)| name)
}

/// `; did you mean tea?`, or nothing if no known name is like it.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_typing_error_has_a_nearest_one() {
        let known = ["irc", "channel", "chatroom"];
        assert_eq!(did_you_mean("chanel", known), "; did you mean channel?");
        assert_eq!(did_you_mean("nope", known), "");
    }
}
