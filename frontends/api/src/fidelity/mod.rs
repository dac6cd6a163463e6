//! What a dialect carries: for each field of a message, a person and a room, whether its clients
//! can give it and how they see it. From two such declarations follows what becomes of each field on
//! the way from one dialect to another: the fidelity contract.
//!
//! ```
//! use frontend_api::fidelity::{Fidelity, Field, Verdict, Way, passage};
//!
//! let plain = Fidelity::of(&[
//!     (Field::MessageAuthor, Way::EXACT, Way::EXACT),
//!     (Field::MessageNotice, Way::EXACT, Way::absent("every message looks the same")),
//! ])
//! .with_texts(Way::EXACT, Way::EXACT);
//!
//! let notice = passage(Some(&plain), Some(&plain), Field::MessageNotice);
//! assert_eq!(notice.verdict, Verdict::Lost);
//! assert_eq!(notice.how, "every message looks the same");
//! assert_eq!(passage(None, Some(&plain), Field::MessageText).verdict, Verdict::Unknown);
//! ```

mod contract;
mod field;
mod losses;
mod passage;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use contract::{Contract, FieldNote, MadeBy, Pair};
pub use field::{Field, FieldRow, LINES_MAX, LONG_TEXT_BYTES};
pub use losses::Losses;
pub use passage::{Passage, Verdict, passage};

use crate::support::Support;

/// What clients of a dialect can give and see. A field that is not here they can do neither with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Fidelity {
    /// By the name of the field, such as `message.notice`; names that this host does not know are
    /// passed over.
    #[serde(default)]
    pub fields: BTreeMap<String, Carriage>,
}

/// One field in one dialect.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Carriage {
    /// How clients give it. For a field that the gateway makes, this counts for nothing.
    #[serde(skip_serializing_if = "Way::is_absent_without_note")]
    pub given: Way,
    /// How clients see what other users gave.
    #[serde(skip_serializing_if = "Way::is_absent_without_note")]
    pub shown: Way,
}

/// How a field is given or shown.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Way {
    pub support: Support,
    /// How it is emulated, or why it is absent; a limit where it is exact.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: Cow<'static, str>,
}

impl Way {
    /// As it is, whatever its value.
    pub const EXACT: Self = Self { support: Support::Exact, note: Cow::Borrowed("") };

    /// Not at all, because the dialect has no place for it.
    pub const ABSENT: Self = Self { support: Support::Absent, note: Cow::Borrowed("") };

    /// As it is, within a limit.
    pub const fn exact(limit: &'static str) -> Self {
        Self { support: Support::Exact, note: Cow::Borrowed(limit) }
    }

    /// In another form, or only to some clients.
    pub const fn emulated(how: &'static str) -> Self {
        Self { support: Support::Emulated, note: Cow::Borrowed(how) }
    }

    /// Not at all, for this reason.
    pub const fn absent(why: &'static str) -> Self {
        Self { support: Support::Absent, note: Cow::Borrowed(why) }
    }

    fn is_absent_without_note(&self) -> bool {
        *self == Self::ABSENT
    }
}

impl Fidelity {
    /// Rows of a field, how it is given and how it is shown.
    pub fn of(rows: &[(Field, Way, Way)]) -> Self {
        Self::default().with(rows)
    }

    /// Adds rows; a later one replaces an earlier one of the same field.
    #[must_use]
    pub fn with(mut self, rows: &[(Field, Way, Way)]) -> Self {
        for (field, given, shown) in rows {
            let carriage = Carriage { given: given.clone(), shown: shown.clone() };
            self.fields.insert(field.name().into(), carriage);
        }
        self
    }

    /// Adds every kind of text, all of them given and shown in one way.
    #[must_use]
    pub fn with_texts(mut self, given: Way, shown: Way) -> Self {
        for field in Field::texts() {
            self = self.with(&[(field, given.clone(), shown.clone())]);
        }
        self
    }

    /// How clients give a field.
    pub fn given(&self, field: Field) -> &Way {
        self.fields.get(field.name()).map_or(&Way::ABSENT, |carriage| &carriage.given)
    }

    /// How clients see a field.
    pub fn shown(&self, field: Field) -> &Way {
        self.fields.get(field.name()).map_or(&Way::ABSENT, |carriage| &carriage.shown)
    }
}

#[cfg(test)]
mod tests;
