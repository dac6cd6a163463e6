//! Deliveries by the kind of room that their message went to.

use std::ops::{AddAssign, SubAssign};

use core_model::{Event, Message, Recipient};

/// The kind of room that a message went to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RoomClass {
    /// A room that everyone can find.
    Public,
    /// A closed group.
    Group,
    /// No room: one user.
    Direct,
}

impl RoomClass {
    pub const COUNT: usize = Self::ALL.len();

    /// Each class with its name in metrics.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Public, "public"), (Self::Group, "group"), (Self::Direct, "direct")];

    pub fn of(message: &Message) -> Self {
        match &message.to {
            Recipient::Room(room) if room.closed => Self::Group,
            Recipient::Room(_) => Self::Public,
            Recipient::User(_) => Self::Direct,
        }
    }
}

/// A number of deliveries of each class. Wraps around: a difference of two is exact as long as it
/// is below 2^31.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally([u32; RoomClass::COUNT]);

impl Tally {
    pub fn new(class: RoomClass, count: u32) -> Self {
        let mut tally = Self::default();
        tally.0[class as usize] = count;
        tally
    }

    /// One delivery of the message that an event is about; empty for other events.
    pub fn of_event(event: &Event) -> Self {
        match event {
            Event::Posted { message } => Self::new(RoomClass::of(message), 1),
            Event::Entered { .. }
            | Event::Left { .. }
            | Event::PopulationChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomChanged { .. }
            | Event::RoomCreated { .. }
            | Event::RoomDeleted { .. } => Self::default(),
        }
    }

    /// One delivery of each message.
    pub fn of_messages<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Self {
        let mut tally = Self::default();
        for message in messages {
            tally += Self::new(RoomClass::of(message), 1);
        }
        tally
    }

    /// So many of each.
    pub fn times(&self, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self(self.0.map(|each| each.wrapping_mul(count)))
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn count(&self, class: RoomClass) -> u32 {
        self.0[class as usize]
    }

    /// Those of one class.
    pub fn of_class(&self, class: RoomClass) -> Self {
        Self::new(class, self.count(class))
    }

    /// All classes together, of a difference that may be below zero.
    pub fn balance(&self) -> i64 {
        self.0.iter().map(|count| i64::from(count.cast_signed())).sum()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            *count = count.wrapping_add(more);
        }
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, less: Self) {
        for (count, less) in self.0.iter_mut().zip(less.0) {
            *count = count.wrapping_sub(less);
        }
    }
}
