//! The client beside a gateway that is played here, frame by frame.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use dragoman_token::{Client, Code, Error, Event, Options};

/// A request: its command and body.
type Asked = (u16, Vec<u8>);

/// The other end of a connection.
struct Gateway(TcpStream);

impl Gateway {
    fn accept(listener: &TcpListener) -> Self {
        Self(listener.accept().unwrap().0)
    }

    /// Reads the next request and answers it.
    fn answer(&mut self, result: u16, body: &[u8]) -> Asked {
        let (sequence, asked) = self.hear();
        let mut frame = Vec::from(u32::try_from(8 + body.len()).unwrap().to_be_bytes());
        frame.extend((asked.0 | 0x8000).to_be_bytes());
        frame.extend(sequence.to_be_bytes());
        frame.extend(result.to_be_bytes());
        frame.extend(body);
        self.0.write_all(&frame).unwrap();
        asked
    }

    fn hear(&mut self) -> (u32, Asked) {
        let length = u32::from_be_bytes(self.array());
        let command = u16::from_be_bytes(self.array());
        let sequence = u32::from_be_bytes(self.array());
        let mut body = vec![0; length as usize - 6];
        self.0.read_exact(&mut body).unwrap();
        (sequence, (command, body))
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }
}

const LOGIN: u16 = 2;
const ENTER_ROOM: u16 = 4;
const LEAVE_ROOM: u16 = 6;
const HEARTBEAT: u16 = 9;
const E_ROOM_NOT_EXIST: u16 = 5;
const E_SERVER: u16 = 12;

/// A reason, of no length.
const NO_REASON: [u8; 2] = [0; 2];

fn user() -> Vec<u8> {
    [&10_000_u64.to_be_bytes()[..], &2_u32.to_be_bytes(), b"{}"].concat()
}

fn room(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &2_u32.to_be_bytes(), b"{}"].concat()
}

fn options() -> Options {
    Options { messages: false, backoff_first: Duration::from_millis(1), ..Options::default() }
}

/// A test that fails ends, and does not wait for ever.
fn next(client: &Client) -> Event {
    client.next_event_within(Duration::from_secs(30)).expect("something happens")
}

#[test]
fn a_new_connection_has_the_login_and_the_rooms_that_are_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let played = thread::spawn(move || {
        let mut first = Gateway::accept(&listener);
        first.answer(0, &user());
        for number in [1, 2, 3] {
            first.answer(0, &room(number));
        }
        assert_eq!(first.answer(0, &2_u32.to_be_bytes()).0, LEAVE_ROOM);
        first.hear();
        drop(first);
        // A gateway in trouble: the client tries again, with all that it had.
        assert_eq!(Gateway::accept(&listener).answer(E_SERVER, &NO_REASON).0, LOGIN);
        let mut third = Gateway::accept(&listener);
        let (command, body) = third.answer(0, &user());
        // The info is stored, and the account is there: neither is said again.
        assert_eq!((command, &body[body.len() - 8..]), (LOGIN, &[0; 8][..]));
        let entered = [third.answer(E_ROOM_NOT_EXIST, &NO_REASON), third.answer(0, &room(3))];
        assert_eq!(entered, [1_u32, 3].map(|room| (ENTER_ROOM, room.to_be_bytes().to_vec())));
        assert_eq!(third.answer(0, &[]).0, HEARTBEAT);
    });

    let client = Client::connect_with(&address, options()).unwrap();
    client.login("o1", "wechat", 1, "{}").unwrap();
    for number in [1, 2, 3] {
        client.enter_room(number).unwrap();
    }
    client.leave_room(2).unwrap();
    // The connection ends while this is under way.
    assert!(matches!(client.heartbeat(), Err(Error::Lost)));
    assert!(matches!(next(&client), Event::Disconnected(_)));
    let Event::RoomLost { room_id: 1, refused } = next(&client) else { panic!() };
    assert_eq!(refused.code, Code::ERoomNotExist);
    assert_eq!(next(&client), Event::Reconnected);
    client.heartbeat().unwrap();
    played.join().unwrap();
}

#[test]
fn a_connection_on_which_nothing_comes_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heartbeat = Duration::from_millis(20);
    let client = Client::connect_with(&address, Options { heartbeat, ..options() }).unwrap();
    let mut silent = Gateway::accept(&listener);
    assert_eq!(silent.hear().1.0, HEARTBEAT);
    assert!(matches!(next(&client), Event::Disconnected(_)));
    let _again = Gateway::accept(&listener);
    assert_eq!(next(&client), Event::Reconnected);
}

#[test]
fn closing_ends_calls_and_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect_with(&listener.local_addr().unwrap().to_string(), options());
    let client = client.unwrap();
    let mut gateway = Gateway::accept(&listener);
    thread::scope(|scope| {
        let call = scope.spawn(|| client.heartbeat());
        let event = scope.spawn(|| client.next_event());
        gateway.hear();
        client.close();
        assert!(matches!(call.join().unwrap(), Err(Error::Closed)));
        assert_eq!(event.join().unwrap(), None);
    });
    assert!(matches!(client.heartbeat(), Err(Error::Closed)));
}
