//! Masks: patterns for names.

/// Whether a name fits a mask with `*` for any characters and `?` for one: RFC 2812, section 2.5.
pub(crate) fn matches_mask(mask: &str, name: &str) -> bool {
    let (mask, name) = (mask.as_bytes(), name.as_bytes());
    let (mut at, mut in_mask) = (0, 0);
    // Where the last `*` is, and how much of the name it covers.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match (mask.get(in_mask), star) {
            (Some(b'*'), _) => {
                star = Some((in_mask, at));
                in_mask += 1;
            }
            (Some(char), _) if *char == b'?' || char.eq_ignore_ascii_case(&name[at]) => {
                (at, in_mask) = (at + 1, in_mask + 1);
            }
            (_, Some((position, covered))) => {
                (at, in_mask) = (covered + 1, position + 1);
                star = Some((position, covered + 1));
            }
            (_, None) => return false,
        }
    }
    mask[in_mask..].iter().all(|char| *char == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_covers_names_as_rfc_2812_has_it() {
        for mask in ["*", "irc.*", "*.example.org", "i?c.*ample*", "IRC.EXAMPLE.ORG", "**"] {
            assert!(matches_mask(mask, "irc.example.org"), "{mask}");
        }
        for mask in ["", "irc", "irc.*.net", "?", "*.example.org.", "i??c*"] {
            assert!(!matches_mask(mask, "irc.example.org"), "{mask}");
        }
        assert!(!matches_mask(&"*a".repeat(200), &"a".repeat(63)));
    }
}
