//! The cost of TLS, beside servers that do nothing else on bare tokio-rustls.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rustls::{ClientConnection, HandshakeKind};
use socket2::{Domain, Socket, Type};

use super::Run;
use super::http::CALLS;
use super::load::TLS_CHATS;
use super::server::{CHATROOM_WEBSOCKET, FLOOR, Server, Side};
use super::table::{Bound, FigureRow, Goal, LoadRow, median};
use crate::load::Encryption;

/// What TLS may cost, as a multiple of what it costs the floor.
const COST_MAX: f64 = 1.15;

/// How much more memory an idle connection may have than a plain one.
const MEMORY_KIB_MAX: f64 = 24.0;

const IDLE_CONNECTIONS: u32 = 5000;

/// Clients that shake hands at once.
const SHAKING: u32 = 4;

/// The call over HTTP whose cost is measured over TLS too.
const READ: &str = "chatroom /auth/user_data";

impl Run {
    /// A room and a read over HTTP, plain and encrypted.
    pub(super) fn tls_loads(&self) -> io::Result<Vec<LoadRow>> {
        let mut rows = Vec::new();
        for chat in TLS_CHATS {
            rows.extend(with_goal(self.chat(chat)?));
        }
        let read = CALLS.iter().find(|call| call.name == READ).expect("it is one of them");
        let sides = &[Side::GatewayTls, Side::Gateway, Side::FloorHttpTls, Side::FloorHttp];
        rows.extend(with_goal(self.call_on(read, sides)?));
        Ok(rows)
    }

    /// Handshakes, and the memory of idle connections.
    pub(super) fn tls_figures(&self) -> io::Result<Vec<FigureRow>> {
        let mut rows = Vec::new();
        for (kind, resumes) in [("full", false), ("resumed", true)] {
            rows.extend(self.handshakes(kind, resumes)?);
        }
        let [plain, tls] = [Side::Gateway, Side::GatewayTls].map(|side| self.idle_kib(side));
        let more = tls? - plain?;
        rows.push(FigureRow {
            what: format!("resident memory of TLS, {IDLE_CONNECTIONS} idle, more than plain"),
            is: more,
            unit: "KiB",
            goal: Some(Goal::new("memory", more, Bound::AtMost(MEMORY_KIB_MAX))),
        });
        Ok(rows)
    }

    fn idle_kib(&self, side: Side) -> io::Result<f64> {
        Ok(self.idle_on(side, IDLE_CONNECTIONS)?.0)
    }

    fn handshakes(&self, kind: &str, resumes: bool) -> io::Result<Vec<FigureRow>> {
        let mut all = [Side::GatewayTls, Side::FloorHandshakes].map(|side| (side, vec![], vec![]));
        for nth in 1..=self.turns {
            for (side, per_s, cpu_us) in &mut all {
                self.say(&format!("{kind} handshakes: {} {nth}", side.name()));
                let server = self.stage.start(*side, 1)?;
                let client = self.stage.identity.client(resumes);
                self.shake(&server, *side, &client)?;
                let before = (server.cpu(), Instant::now());
                let done = self.shake(&server, *side, &client)?;
                per_s.push(done as f64 / before.1.elapsed().as_secs_f64());
                cpu_us.push(server.cpu().seconds_since(&before.0) * 1e6 / done.max(1) as f64);
            }
        }
        let [(_, gateway_per_s, gateway_us), (_, floor_per_s, floor_us)] =
            all.map(|(side, per_s, cpu_us)| (side, median(per_s), median(cpu_us)));
        let row = |what: &str, side: Side, is, unit, goal| FigureRow {
            what: format!("{kind} handshakes, {what}, {}", side.name()),
            is,
            unit,
            goal,
        };
        let goal = Goal::new("CPU", gateway_us / floor_us, Bound::AtMost(COST_MAX));
        Ok(vec![
            row("rate", Side::GatewayTls, gateway_per_s, "/s", None),
            row("rate", Side::FloorHandshakes, floor_per_s, "/s", None),
            row("CPU", Side::GatewayTls, gateway_us, "µs", Some(goal)),
            row("CPU", Side::FloorHandshakes, floor_us, "µs", None),
        ])
    }

    /// Shakes hands as often as it goes, for one turn. The number of handshakes.
    fn shake(&self, server: &Server, side: Side, client: &Encryption) -> io::Result<u64> {
        let port = if side.is_gateway() { CHATROOM_WEBSOCKET } else { FLOOR };
        let until = Instant::now() + self.span;
        let done = AtomicU64::new(0);
        let shake = |nth: usize| {
            let from = server.clients[nth % server.clients.len()];
            while Instant::now() < until {
                handshake(server.at(port), from, client)?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, io::Error>(())
        };
        thread::scope(|threads| {
            let shaking: Vec<_> =
                (0..SHAKING as usize).map(|nth| threads.spawn(move || shake(nth))).collect();
            let mut ended = shaking.into_iter().map(|one| one.join().expect("it does not panic"));
            ended.try_for_each(|ended| ended)
        })?;
        Ok(done.into_inner())
    }
}

/// Shakes hands, and waits for the tickets, so that the next may be resumed.
fn handshake(to: SocketAddr, from: IpAddr, client: &Encryption) -> io::Result<HandshakeKind> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&to.into())?;
    let mut stream = TcpStream::from(socket);
    let session = ClientConnection::new(client.config.clone(), client.host.clone());
    let mut session = session.map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    while session.tls13_tickets_received() == 0 {
        if session.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        session.process_new_packets().map_err(io::Error::other)?;
    }
    session.handshake_kind().ok_or_else(|| io::Error::other("there was no handshake"))
}

/// What TLS adds to the gateway, beside what it adds to the floor. The rows are of the gateway
/// encrypted and plain, and of the floor encrypted and plain.
fn with_goal(mut rows: Vec<LoadRow>) -> Vec<LoadRow> {
    let cpu = |side: Side| rows.iter().find(|row| row.side == side).map_or(0.0, |row| row.cpu_us);
    let floor = cpu(Side::FloorWsTls) + cpu(Side::FloorHttpTls);
    let floor_adds = floor - cpu(Side::FloorWs) - cpu(Side::FloorHttp);
    let gateway_adds = cpu(Side::GatewayTls) - cpu(Side::Gateway);
    rows[0].goals =
        vec![Goal::new("CPU of TLS", gateway_adds / floor_adds, Bound::AtMost(COST_MAX))];
    rows
}
