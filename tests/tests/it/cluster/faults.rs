//! What happens to gateways and servers while clients post and read.

use std::time::Instant;

use gateway_tests::Irc;
use rustix::process::{Pid, Signal, kill_process};

use super::observer::Observer;
use super::posters::Posters;
use super::site::Site;

pub(super) struct Faults {
    pub(super) site: Site,
    pub(super) posters: Posters,
    /// Of each gateway, the former ones too. Nothing happens to the first gateway but to its servers.
    pub(super) observers: [Vec<Observer>; 3],
}

/// A server by its part.
type Choice = fn(&Faults) -> (&'static str, usize);

impl Faults {
    pub(super) fn begin(site: Site) -> Self {
        let observers = std::array::from_fn(|gateway| {
            vec![Observer::join(&site, gateway, &format!("observer{gateway}"))]
        });
        let posters = Posters::start(&site.gateways);
        posters.all_go_on(10);
        Self { site, posters, observers }
    }

    /// A user who joins the room on a gateway, as the first observer sees.
    fn guest(&mut self, gateway: usize, nick: &str) -> Irc {
        let mut guest = Irc::sign_on(self.site.address(gateway, "irc", "listen"), nick, None);
        guest.join("#TEST");
        self.observers[0][0].wait_for(&format!(":{nick}!"));
        guest
    }

    /// The first observer sees the user go.
    #[track_caller]
    fn is_gone(&mut self, nick: &str) {
        let left = self.observers[0][0].wait_for(&format!(":{nick}!"));
        assert!(left.contains(" QUIT ") || left.contains(" PART "), "{left}");
    }

    /// The gateway has ended its connections, and has another observer from here on.
    fn observe_anew(&mut self, gateway: usize) {
        let former = &mut self.observers[gateway];
        former.last().expect("there is one").wait_for_end();
        let nick = format!("observer{gateway}-{}", former.len());
        former.push(Observer::join(&self.site, gateway, &nick));
    }

    fn start_again(&mut self, gateway: usize) {
        let from = Instant::now();
        self.site.restart(gateway);
        self.posters.follow(gateway, &self.site.gateways[gateway]);
        self.posters.go_on(gateway, 3);
        println!("gateway {gateway} serves {:?} after its start", from.elapsed());
        self.observe_anew(gateway);
    }

    /// Its clients' seats go, with the events of connections that end; started again, it serves again.
    pub(super) fn kill_a_gateway(&mut self) {
        let _ghost = self.guest(2, "killed");
        self.site.gateways[2].kill();
        let from = Instant::now();
        self.posters.go_on(0, 5);
        self.posters.go_on(1, 5);
        println!("gateway killed: the others go on after {:?}", from.elapsed());
        self.is_gone("killed");
        println!("gateway killed: its seats are gone after {:?}", from.elapsed());
        self.start_again(2);
    }

    /// It begins with the snapshot and all that came after it.
    pub(super) fn add_a_gateway(&mut self) {
        let from = Instant::now();
        self.site.join();
        println!("gateway added: it serves after {:?}", from.elapsed());
        self.posters.all_go_on(1);
    }

    /// The others end its run. When it goes on, it notices, closes its streams and begins another.
    pub(super) fn stop_a_gateway(&mut self) {
        let mut ghost = self.guest(1, "stopped");
        let run = self.site.metric(1, "dragoman_cluster_run");
        let pid = Pid::from_raw(self.site.gateways[1].pid() as i32).expect("it is no 0");
        kill_process(pid, Signal::STOP).expect("it is our child");
        self.is_gone("stopped");
        kill_process(pid, Signal::CONT).expect("it is our child");
        let from = Instant::now();
        // Its connection ends: it would be in a room for itself alone.
        ghost.receive_until("ERROR ");
        assert!(self.site.metric(1, "dragoman_cluster_run") > run);
        self.posters.go_on(1, 3);
        println!("gateway stopped: it serves {:?} after it goes on", from.elapsed());
        self.observe_anew(1);
    }

    /// It says so, and refuses. The others end its run, so that its clients' seats go.
    pub(super) fn cut_a_gateway_off(&mut self) {
        let _ghost = self.guest(2, "cut-off");
        self.site.cut(2);
        let noticed = self.site.wait_for_readiness(2, 503);
        println!("gateway cut off: it says so after {noticed:?}");
        self.posters.are_refused(2, 3);
        self.posters.go_on(1, 5);
        let (_, text) = self.site.readiness(2);
        assert!(text.starts_with("cut off from the log of the cluster: "), "{text}");
        self.is_gone("cut-off");
        self.site.heal(2);
        let back = self.posters.go_on(2, 1);
        println!("gateway cut off: it serves {back:?} after it is healed");
        self.site.wait_for_readiness(2, 200);
        self.observe_anew(2);
    }

    pub(super) fn the_leader(&self) -> (&'static str, usize) {
        ("leader", self.site.leader())
    }

    pub(super) fn a_follower(&self) -> (&'static str, usize) {
        ("follower", (self.site.leader() + 1) % 3)
    }

    pub(super) fn kill_a_server(&mut self, which: Choice) {
        let (part, server) = which(self);
        self.site.servers[server].kill();
        println!("{part} killed: the gateways go on after {:?}", self.posters.all_go_on(3));
        self.site.servers[server].run();
        self.site.wait_until_whole();
    }

    pub(super) fn stop_a_server(&mut self, which: Choice) {
        let (part, server) = which(self);
        self.site.servers[server].stop();
        println!("{part} stopped: the gateways go on after {:?}", self.posters.all_go_on(3));
        self.site.servers[server].go_on();
        self.site.wait_until_whole();
    }

    pub(super) fn cut_a_server_off(&mut self, which: Choice) {
        let (part, server) = which(self);
        self.site.cut_server(server);
        println!("{part} cut off: the gateways go on after {:?}", self.posters.all_go_on(3));
        self.site.heal_server(server);
        self.posters.all_go_on(1);
    }

    /// Its last entry ends its run, so that its seats are gone when it is.
    pub(super) fn terminate_a_gateway(&mut self) {
        let _ghost = self.guest(2, "drained");
        assert_eq!(self.site.gateways[2].terminate(), 0);
        self.is_gone("drained");
        self.posters.go_on(0, 3);
        self.start_again(2);
    }
}
