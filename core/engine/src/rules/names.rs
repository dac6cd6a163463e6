//! Names that the engine derives where the wanted one is taken.

use crate::error::{Error, StoreError};

/// `base` and `suffix`, with `base` shortened to fit the longest name.
pub(super) fn suffixed(base: &str, suffix: &str) -> String {
    let room = core_model::NAME_CHARS_MAX.saturating_sub(suffix.chars().count());
    base.chars().take(room).chain(suffix.chars()).collect()
}

/// The first of `base`, `base-2`, `base-3`… that is free.
pub(super) fn first_free(
    base: &str,
    free: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<String, Error> {
    let mut candidate = base.to_owned();
    let mut count = 1u64;
    while !free(&candidate)? {
        count += 1;
        candidate = suffixed(base, &format!("-{count}"));
    }
    Ok(candidate)
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
}
