//! Names that the engine derives where the wanted one is taken.

use crate::error::StoreError;

/// `base` and `suffix`, with `base` shortened to fit the longest name.
pub(super) fn suffixed(base: &str, suffix: &str) -> String {
    let room = core_model::NAME_CHARS_MAX.saturating_sub(suffix.chars().count());
    base.chars().take(room).chain(suffix.chars()).collect()
}

/// Names that are tried with one id. Others may have taken them on purpose, so that each further one
/// costs the writer a look-up.
const NAMES_TRIED_MAX: u32 = 100;

/// Ids that are tried. To take all names of this many, a client needs ten thousand of them.
pub(super) const IDS_TRIED_MAX: u32 = 100;

/// The first of `base`, `base-2`, `base-3`… that is free, if one of the first is.
pub(super) fn first_free(
    base: &str,
    free: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<Option<String>, StoreError> {
    for count in 1..=NAMES_TRIED_MAX {
        let candidate = match count {
            1 => base.to_owned(),
            count => suffixed(base, &format!("-{count}")),
        };
        if free(&candidate)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use core_model::check_room_name;

    use super::*;

    #[test]
    fn a_suffix_fits_behind_the_longest_name() {
        let name = suffixed(&"茶".repeat(64), "#12");
        assert_eq!(name.chars().count(), 64);
        assert!(check_room_name(&name).is_ok() && name.ends_with("#12"));
    }

    #[test]
    fn a_name_is_searched_for_among_the_first_only() {
        let taken = |names: u32| {
            move |name: &str| {
                let count = name.strip_prefix("x-").map_or(1, |count| count.parse().unwrap());
                Ok(count > names)
            }
        };
        assert_eq!(first_free("x", taken(0)).unwrap().as_deref(), Some("x"));
        assert_eq!(first_free("x", taken(1)).unwrap().as_deref(), Some("x-2"));
        assert_eq!(first_free("x", taken(99)).unwrap().as_deref(), Some("x-100"));
        assert_eq!(first_free("x", taken(100)).unwrap(), None);
    }
}
