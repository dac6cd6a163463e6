//! Makes an account and a room, says hello in it, and shows what others say there, in whatever
//! dialect, until it has heard enough.
//!
//!     cargo run --example token -- [NAME [ROOM [ADDRESS [HOW_MANY]]]]
//!
//! NAME and ROOM without quotes and backslashes: they go into JSON as they are.

use dragoman_token::{Client, Error, Event, Notification};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let name = next(&format!("ann-{}", std::process::id()));
    let room = next(&format!("tea-{}", std::process::id()));
    let address = next("127.0.0.1:5100");
    let how_many: u32 = next("1").parse().expect("HOW_MANY is a number");

    let client = Client::connect(&address)?;
    client.create_account(&name, "example", &format!(r#"{{"name":"{name}"}}"#))?;
    let own_uid = client.login(&name, "example", 0, "")?.uid;
    println!("signed in: {name}");

    let token = client.apply_for_token()?.token;
    let info = format!(r#"{{"name":"{room}"}}"#);
    let room_id =
        client.create_room_once(1, token, &format!("{name} makes {room}"), &info)?.room_id;
    client.enter_room(room_id)?;
    client.post(room_id, &format!("hello from {name}"))?;
    println!("said hello in: {room}");

    let mut heard = 0;
    while heard < how_many {
        match client.next_event() {
            Some(Event::Notified(Notification::Message(message))) if message.uid != own_uid => {
                println!("heard {}: {}", message.uid, message.text);
                client.post(room_id, &format!("thanks for {}", message.text))?;
                heard += 1;
            }
            Some(Event::Reconnected) => println!("connected again"),
            Some(Event::Disconnected(why)) => println!("connection lost: {why}"),
            Some(_) => (),
            None => return Err(Error::Closed),
        }
    }

    match client.enter_room(4_000_000_000) {
        Err(Error::Refused(error)) => {
            println!("refused: TokenError {}: {}", error.code.number(), error.reason);
            Ok(())
        }
        Err(error) => Err(error),
        Ok(reply) => panic!("there is a room {}", reply.room_id),
    }
}
