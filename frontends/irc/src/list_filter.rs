//! The conditions of LIST: <https://modern.ircdocs.horse/#elist-parameter>.

use core_model::{RoomView, Timestamp};

use crate::mask::matches_mask;

/// The most conditions of one LIST; each is compared with each channel.
const CONDITIONS_MAX: usize = 16;

const MINUTE_MS: u64 = 60 * 1000;

/// Which channels to list: those that all conditions hold for, and any of the masks, if there are
/// masks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Filter {
    masks: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Condition {
    MoreUsers(u32),
    FewerUsers(u32),
    CreatedBefore(Timestamp),
    CreatedAfter(Timestamp),
    NotLike(String),
}

impl Filter {
    /// What is no condition is a mask; a channel is one without wildcards.
    pub(crate) fn parse<'a>(words: impl Iterator<Item = &'a str>, now: Timestamp) -> Self {
        let mut filter = Self::default();
        for word in words.take(CONDITIONS_MAX) {
            match Condition::parse(word, now) {
                Some(condition) => filter.conditions.push(condition),
                None => filter.masks.push(word.to_owned()),
            }
        }
        filter
    }

    /// The channels, if it names channels and nothing else.
    pub(crate) fn channels(&self) -> Option<Vec<String>> {
        let is_mask = |mask: &String| mask.contains(['*', '?']);
        let only_names = self.conditions.is_empty() && !self.masks.iter().any(is_mask);
        (only_names && !self.masks.is_empty()).then(|| self.masks.clone())
    }

    pub(crate) fn includes(&self, channel: &str, room: &RoomView) -> bool {
        let is_like =
            self.masks.is_empty() || self.masks.iter().any(|mask| matches_mask(mask, channel));
        is_like && self.conditions.iter().all(|condition| condition.holds(channel, room))
    }
}

impl Condition {
    /// A number of users, or of minutes since the channel was created.
    fn parse(word: &str, now: Timestamp) -> Option<Self> {
        if let Some(mask) = word.strip_prefix('!') {
            return Some(Self::NotLike(mask.to_owned()));
        }
        let ago = |minutes: &str| {
            let minutes: u64 = minutes.parse().ok()?;
            Some(Timestamp(now.0.saturating_sub(minutes.saturating_mul(MINUTE_MS))))
        };
        let (kind, number) = word.split_at_checked(word.find(['<', '>'])? + 1)?;
        match kind {
            ">" => Some(Self::MoreUsers(number.parse().ok()?)),
            "<" => Some(Self::FewerUsers(number.parse().ok()?)),
            "C>" | "c>" => Some(Self::CreatedBefore(ago(number)?)),
            "C<" | "c<" => Some(Self::CreatedAfter(ago(number)?)),
            _ => None,
        }
    }

    fn holds(&self, channel: &str, room: &RoomView) -> bool {
        match self {
            Self::MoreUsers(least) => users(room) > *least,
            Self::FewerUsers(most) => users(room) < *most,
            Self::CreatedBefore(at) => room.created <= *at,
            Self::CreatedAfter(at) => room.created > *at,
            Self::NotLike(mask) => !matches_mask(mask, channel),
        }
    }
}

/// The number of people in a channel.
pub(crate) fn users(room: &RoomView) -> u32 {
    room.people.unwrap_or(room.population)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    fn included(words: &str, room: &RoomView) -> bool {
        let filter = Filter::parse(words.split(','), Timestamp(60 * MINUTE_MS));
        filter.includes(&names::channel(&room.name), room)
    }

    #[test]
    fn conditions_are_of_users_age_and_name() {
        let room = RoomView {
            name: "Tea".into(),
            people: Some(2),
            population: 3,
            created: Timestamp(50 * MINUTE_MS),
            ..RoomView::default()
        };
        for words in [">1", "<3", "C>5", "C>10", "C<11", "#t*", "*EA", "!#x*", "#x,#tea", ">1,<3"] {
            assert!(included(words, &room), "{words}");
        }
        for words in [">2", "<2", "C>11", "C<10", "C<0", "#x*", "!*ea", "#x", ">1,<2", "#t*,>5"] {
            assert!(!included(words, &room), "{words}");
        }
    }

    #[test]
    fn only_names_are_looked_up_one_by_one() {
        let channels = |words: &str| Filter::parse(words.split(','), Timestamp(0)).channels();
        assert_eq!(channels("#a,#b").unwrap(), ["#a", "#b"]);
        for words in ["#a*", "#a,>1", ">x", "!#a", "C>1"] {
            let looked_up = channels(words).is_some_and(|it| it.iter().any(|it| it == "#a"));
            assert!(!looked_up, "{words}");
        }
        assert_eq!(Filter::default().channels(), None);
    }
}
