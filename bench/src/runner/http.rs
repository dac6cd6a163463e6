//! Jobs over HTTP: the most frequent calls of each dialect, on persistent connections.

use std::io;

use super::Run;
use super::load::{TEXT_BYTES, Turn, row};
use super::server::{CHANNEL, CHATROOM, FLOOR, Server, Side, USR_ROOM};
use super::table::{Bound, Goal, LoadRow};
use crate::load::{HttpCall, Pace, Seat, Talk, prepare};

/// Connections, each with one request in flight.
const CONNECTIONS: u32 = 64;

/// The target for the cost of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Read,
    /// Commits something.
    Write,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "http-read",
            Self::Write => "http-post",
        }
    }
}

/// A call of a dialect.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    port: u16,
    /// Builds the call from what was prepared and the number of the connection.
    make: fn(&Prepared, u32) -> HttpCall,
}

/// What the calls need: a user `bench` with openid `o-bench` in room 1, and some messages there.
pub(super) struct Prepared {
    /// The token of `bench` in the channel dialect.
    token: String,
}

pub(super) const CALLS: &[Call] = &[
    Call {
        name: "usr_room /usr/info",
        kind: Kind::Read,
        port: USR_ROOM,
        make: |_, _| post("/usr/info", "", r#"{"openid":"o-bench"}"#, "\"response_code\":1"),
    },
    Call {
        name: "usr_room /room/get_message of 20",
        kind: Kind::Read,
        port: USR_ROOM,
        make: |_, _| {
            post("/room/get_message", "", r#"{"room_id":1,"limit":20}"#, "\"response_code\":1")
        },
    },
    Call {
        name: "chatroom /auth/user_data",
        kind: Kind::Read,
        port: CHATROOM,
        make: |_, _| get("/auth/user_data?user_name=bench", "\"res\""),
    },
    Call {
        name: "chatroom /chatroom/list of 10",
        kind: Kind::Read,
        port: CHATROOM,
        make: |_, _| get("/chatroom/list", ""),
    },
    Call {
        name: "channel /user/info",
        kind: Kind::Read,
        port: CHANNEL,
        make: |prepared, _| {
            post("/user/info", &prepared.token, r#"{"name":"bench"}"#, "\"code\":0")
        },
    },
    Call {
        name: "channel /channel/receive of none",
        kind: Kind::Read,
        port: CHANNEL,
        make: |prepared, _| {
            post("/channel/receive", &prepared.token, r#"{"name":"bench-1"}"#, "\"code\":0")
        },
    },
    Call {
        name: "usr_room /room/send_message",
        kind: Kind::Write,
        port: USR_ROOM,
        make: |_, _| {
            let text = HttpCall::text(TEXT_BYTES);
            let body = format!(r#"{{"room_id":1,"openid":"o-bench","message":"{text}"}}"#);
            post("/room/send_message", "", &body, "\"response_code\":1")
        },
    },
    Call {
        name: "chatroom /chatroom/room in and out",
        kind: Kind::Write,
        port: CHATROOM,
        make: |_, nth| {
            let request = |status| {
                let target = format!(
                    "/chatroom/room?room_name=bench-2&user_name=guest-{nth}&status={status}"
                );
                HttpCall::request(&target, "", None)
            };
            HttpCall { requests: vec![request(1), request(0)], expect: "\"res\":".into() }
        },
    },
    Call {
        name: "channel /channel/send",
        kind: Kind::Write,
        port: CHANNEL,
        make: |prepared, _| {
            let text = HttpCall::text(TEXT_BYTES);
            let body = format!(r#"{{"name":"bench-0","message":"{text}"}}"#);
            post("/channel/send", &prepared.token, &body, "\"code\":0")
        },
    },
];

fn get(target: &str, expect: &str) -> HttpCall {
    HttpCall { requests: vec![HttpCall::request(target, "", None)], expect: expect.into() }
}

/// `token`, if there is one, is sent as a header.
fn post(target: &str, token: &str, body: &str, expect: &str) -> HttpCall {
    HttpCall { requests: vec![HttpCall::request(target, token, Some(body))], expect: expect.into() }
}

impl Run {
    /// A call, with its floors.
    pub(super) fn call(&self, call: &Call) -> io::Result<Vec<LoadRow>> {
        let sides: &'static [Side] = match call.kind {
            Kind::Read => &[Side::Gateway, Side::FloorHttp],
            Kind::Write => &[Side::Gateway, Side::FloorHttp, Side::FloorDurable, Side::FloorWs],
        };
        let mut rows = self.call_on(call, sides)?;
        let cpu =
            |side: Side| rows.iter().find(|row| row.side == side).map_or(0.0, |row| row.cpu_us);
        let floor = cpu(Side::FloorHttp);
        let goal = match call.kind {
            Kind::Read => Goal::new("CPU", cpu(Side::Gateway) / floor, Bound::AtMost(1.8)),
            Kind::Write => {
                // The share of a commit: floor-durable less floor-ws.
                let commit = (cpu(Side::FloorDurable) - cpu(Side::FloorWs)).max(0.0);
                Goal::new("CPU", cpu(Side::Gateway) / (floor + commit), Bound::AtMost(1.5))
            }
        };
        rows[0].goals.push(goal);
        Ok(rows)
    }

    /// A call on these sides, the gateway first.
    pub(super) fn call_on(&self, call: &Call, sides: &'static [Side]) -> io::Result<Vec<LoadRow>> {
        let mut all: Vec<(Side, Vec<Turn>)> =
            self.sides(sides).map(|side| (side, Vec::new())).collect();
        for nth in 1..=self.turns {
            for (side, turns) in &mut all {
                self.say(&format!("{}: {} {nth}", call.name, side.name()));
                let server = self.stage.start(*side, 10)?;
                let seats = call.seats(&server, *side)?;
                if let (true, Talk::Http(http)) =
                    (!side.is_encrypted() && side.is_gateway(), &seats[0].talk)
                {
                    // As long as the gateway's reply, so that both write as much.
                    let reply =
                        crate::load::prepare::succeed(seats[0].address, &http.requests[0], "");
                    self.stage.reply_bytes.set(reply?.len());
                }
                turns.push(self.turn(&server, &seats, Pace::OneEach)?);
            }
        }
        Ok(all.iter().map(|(side, turns)| row(call.name, *side, turns)).collect())
    }
}

impl Call {
    fn seats(&self, server: &Server, side: Side) -> io::Result<Vec<Seat>> {
        let prepared = match side {
            side if side.is_gateway() => prepare(server)?,
            // As long as a real one.
            _ => Prepared { token: format!("token: {}\r\n", "x".repeat(43)) },
        };
        let seat = |nth: u32| {
            let (port, talk) = match side {
                Side::FloorHttp | Side::FloorHttpTls | Side::FloorHandshakes => {
                    let call = HttpCall { expect: "\"res\"".into(), ..(self.make)(&prepared, nth) };
                    (FLOOR, Talk::Http(call))
                }
                Side::FloorWs | Side::FloorWsTls | Side::FloorDurable => {
                    (FLOOR, Talk::Floor { room: nth })
                }
                Side::Gateway | Side::GatewayBefore | Side::GatewayPlugin | Side::GatewayTls => {
                    (self.port, Talk::Http((self.make)(&prepared, nth)))
                }
            };
            server.seat(port, nth, talk)
        };
        Ok((0..CONNECTIONS).map(seat).collect())
    }
}

fn prepare(server: &Server) -> io::Result<Prepared> {
    let account = r#"{"name":"bench","password":"bench","password_repete":"bench"}"#;
    server.ask(CHANNEL, "/register", Some(account))?;
    let token = prepare::sign_in(server.at(CHANNEL), "bench", "bench")?;
    let token = format!("token: {token}\r\n");
    server.ask(USR_ROOM, "/usr/complete", Some(r#"{"openid":"o-bench","sex":"1"}"#))?;
    server.ask(USR_ROOM, "/usr/join", Some(r#"{"room_id":1,"openid":"o-bench"}"#))?;
    let text = HttpCall::text(TEXT_BYTES);
    let message = format!(r#"{{"room_id":1,"openid":"o-bench","message":"{text}"}}"#);
    for _ in 0..20 {
        server.ask(USR_ROOM, "/room/send_message", Some(&message))?;
    }
    Ok(Prepared { token })
}
