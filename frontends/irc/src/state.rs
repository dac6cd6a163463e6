//! The state of a connection.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use core_model::{
    Claim, ConnectionId, GUEST_PREFIX, Gap, MessageId, Person, Refusal, RoomId, Timestamp, Uid,
    UserRef,
};
use frontend_api::{Outbox, Peer};

use crate::Options;
use crate::acknowledging::Acknowledging;
use crate::caps::Caps;
use crate::directory::{Directory, Entry, Unregistered};
use crate::encode;
use crate::holding::Holding;
use crate::mechanisms::{Exchange, Proofs};
use crate::missed::Missed;
use crate::multiline::Multiline;
use crate::names;
use crate::pending_lines::{Label, PendingLines};

pub(crate) struct IrcSession {
    pub(crate) options: Arc<Options>,
    pub(crate) directory: Arc<Directory>,
    /// The entry of this connection in the directory, while it is signed on.
    pub(crate) entry: Option<Entry>,
    /// Counts this connection as one that is not signed on.
    pub(crate) unregistered: Option<Unregistered>,
    pub(crate) now: Timestamp,
    pub(crate) caps: Caps,
    /// What the client has sent of its sign-on; `None` once it has signed on.
    pub(crate) sign_on: Option<Box<SignOn>>,
    pub(crate) sasl: Sasl,
    /// What the client calls its device, if it does.
    pub(crate) device: Option<String>,
    /// The user, once the client has signed on.
    pub(crate) me: Arc<Person>,
    /// The nick; `*` before the client has signed on.
    pub(crate) nick: String,
    /// The channels that the client has joined.
    pub(crate) rooms: BTreeMap<RoomId, Channel>,
    /// This connection, as the host or the event of the client's first entrance names it.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// Whether a token may be sent over the connection: it is encrypted, or comes from this machine.
    pub(crate) may_send_secrets: bool,
    /// The token of an operator of the gateway.
    pub(crate) operator: Option<String>,
    /// The response to the labeled request that is being answered, if there is one.
    pub(crate) label: Option<Label>,
    /// The batch of lines that the client has begun and not ended.
    pub(crate) multiline: Option<Multiline>,
    /// The newest message that this connection has posted.
    pub(crate) own: Option<MessageId>,
    /// The newest of them that was echoed already, as it has a client's id.
    pub(crate) confirmed: Option<MessageId>,
    pub(crate) pending: PendingLines,
    /// Whether the join that was answered last succeeded.
    pub(crate) joined: bool,
    /// What the queries of a WHO or WHOIS have found so far.
    pub(crate) found: Found,
    /// The accounts that the queries of an ISON have found online so far.
    pub(crate) online: Vec<String>,
    /// The last user that has quit, so that a user who leaves several rooms quits once.
    pub(crate) last_quit: Option<(ConnectionId, String)>,
    pub(crate) acknowledging: Acknowledging,
    pub(crate) missed: Missed,
    pub(crate) holding: Holding,
    /// What is gone of the messages that the next history is about.
    pub(crate) history_gap: Result<Option<Gap>, Refusal>,
    /// Markers that the engine does not keep, by the folded name of the channel or nick.
    pub(crate) markers: BTreeMap<String, Timestamp>,
    /// The number of batches begun.
    pub(crate) batches: u64,
    /// When the client last sent anything.
    pub(crate) heard_at: Timestamp,
    /// When the server last sent PING, since the client was silent.
    pub(crate) pinged_at: Timestamp,
    /// Whether the connection ends once the pending replies are sent; lines are ignored.
    pub(crate) leaving: bool,
    pub(crate) over: bool,
}

/// Users with one nick in channels that the client has joined, each with the channel and its marks
/// there.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Vec<(Arc<Person>, String)>);

/// A channel that the client has joined.
pub(crate) struct Channel {
    /// The room name.
    pub(crate) name: String,
    pub(crate) owner: Option<Uid>,
    /// Whether only members can join it.
    pub(crate) closed: bool,
    /// Whether others do not hear of it.
    pub(crate) secret: bool,
}

/// What a client has sent of its sign-on.
#[derive(Default)]
pub(crate) struct SignOn {
    /// Whether the client is negotiating capabilities.
    pub(crate) negotiating: bool,
    /// The name that the requested nick stands for.
    pub(crate) wanted: Option<String>,
    /// The user name, without what masks cannot carry.
    pub(crate) user_name: String,
    /// The real name, once USER has arrived.
    pub(crate) real_name: Option<String>,
    pub(crate) password: Option<String>,
    /// The account that the client has authenticated as.
    pub(crate) account: Option<Arc<Person>>,
}

/// An exchange of SASL.
#[derive(Default)]
pub(crate) struct Sasl {
    /// What the client can prove itself with, besides a password.
    pub(crate) proofs: Proofs,
    /// The exchange that is under way.
    pub(crate) exchange: Option<Exchange>,
    /// The handle that the client has asked to act as, in an exchange that is being decided.
    pub(crate) acting: Option<String>,
    /// The number of wrong passwords.
    pub(crate) failures: u8,
}

impl IrcSession {
    pub(crate) fn new(options: Arc<Options>, directory: Arc<Directory>, peer: &Peer) -> Self {
        let unregistered = Some(directory.add_unregistered());
        Self {
            options,
            directory,
            entry: None,
            unregistered,
            now: Timestamp::default(),
            caps: Caps::default(),
            sign_on: Some(Box::default()),
            sasl: Sasl { proofs: Proofs::of(peer), ..Sasl::default() },
            device: None,
            me: Arc::default(),
            nick: "*".into(),
            rooms: BTreeMap::new(),
            connection: peer.connection,
            secure: peer.secure,
            may_send_secrets: peer.secure || is_of_this_machine(peer),
            operator: None,
            label: None,
            multiline: None,
            own: None,
            confirmed: None,
            pending: PendingLines::default(),
            joined: false,
            found: Found::default(),
            online: Vec::new(),
            last_quit: None,
            acknowledging: Acknowledging::default(),
            missed: Missed::default(),
            holding: Holding::default(),
            history_gap: Ok(None),
            markers: BTreeMap::new(),
            batches: 0,
            heard_at: Timestamp::default(),
            pinged_at: Timestamp::default(),
            leaving: false,
            over: false,
        }
    }

    pub(crate) fn has(&self, cap: Caps) -> bool {
        self.caps.has(cap)
    }

    pub(crate) fn end_now(&mut self, why: &str, out: &mut Outbox) {
        self.leave_directory(out);
        send(farewell(why), out);
        out.close();
        self.over = true;
    }

    // The user and its channels.

    /// The user, as the author of a command.
    pub(crate) fn actor(&self) -> UserRef {
        match self.me.guest_name() {
            None => UserRef::Session,
            Some(name) => UserRef::Claim(claim(name.into())),
        }
    }

    /// The user, as the caller of a query: a guest is anonymous.
    pub(crate) fn caller(&self) -> Option<UserRef> {
        self.me.uid.map(|_| UserRef::Session)
    }

    pub(crate) fn is_me(&self, person: &Person) -> bool {
        person.handle == self.me.handle
    }

    pub(crate) fn channel(&self, room: &str) -> Option<(RoomId, &Channel)> {
        let mut rooms = self.rooms.iter();
        rooms
            .find(|(_, channel)| names::same(&channel.name, room))
            .map(|(id, channel)| (*id, channel))
    }

    /// The name of a room as the client, or another user of irc, has joined it, which may differ in
    /// case; else as it is.
    pub(crate) fn joined_name(&self, room: String) -> String {
        let joined = self.channel(&room).map(|(_, channel)| channel.name.clone());
        joined.or_else(|| self.directory.room_name(&room)).unwrap_or(room)
    }

    /// The real name that a user of irc has given, unless the account has a display name.
    pub(crate) fn real_name(&self, person: &Person) -> String {
        let handle = person.guest_name().unwrap_or(&person.handle);
        let known = if person.name == handle {
            self.directory.find(&names::nick(person)).filter(|known| known.uid == person.uid)
        } else {
            None
        };
        known.map_or_else(|| person.name.clone(), |known| known.real_name)
    }

    /// The user part of a user: the uid of an account, and what a guest of irc has named, with a
    /// mark that it is not proven.
    pub(crate) fn user_name(&self, person: &Person) -> String {
        let known = match person.uid {
            Some(_) => None,
            None => self.directory.find(&names::nick(person)).filter(|known| known.uid.is_none()),
        };
        known.map_or_else(|| encode::user(person), |known| known.user())
    }

    /// Why a user of irc is away, if it is.
    pub(crate) fn away_of(&self, nick: &str) -> Option<String> {
        self.directory.find(nick)?.away
    }

    /// Whether a user of irc has declared itself a bot, if the client reads tags.
    pub(crate) fn is_bot(&self, person: &Person) -> bool {
        self.has(Caps::MESSAGE_TAGS) && self.directory.is_bot(&names::nick(person), person.uid)
    }
}

fn is_of_this_machine(peer: &Peer) -> bool {
    !peer.proxied && peer.address.parse::<IpAddr>().is_ok_and(|it| it.to_canonical().is_loopback())
}

pub(crate) fn is_owner(person: &Person, owner: Option<Uid>) -> bool {
    owner.is_some() && person.uid == owner
}

/// A guest of this name, as the engine describes it.
pub(crate) fn guest(name: &str) -> Person {
    Person { handle: format!("{GUEST_PREFIX}{name}"), name: name.into(), ..Person::default() }
}

/// Sends a line; the host adds the line feed.
pub(crate) fn send(mut line: String, out: &mut Outbox) {
    line.push('\r');
    out.send_text(line);
}

pub(crate) fn farewell(why: &str) -> String {
    format!("ERROR :Closing link: {why}")
}

/// The claim to be a guest of this name, which the engine refuses where an account has it.
pub(crate) fn claim(name: String) -> Claim {
    Claim { name, token: None, address: None, address_left_min_ms: 0, guests: true }
}
