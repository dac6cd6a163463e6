//! Reloads while clients post, and their use of memory and descriptors.

use super::*;

/// How many file descriptors the gateway has open.
fn descriptors(gateway: &Gateway) -> usize {
    let folder = format!("/proc/{}/fd", gateway.pid());
    std::fs::read_dir(folder).expect("Linux tells").count()
}

/// How much memory the gateway holds, in KiB.
fn memory(gateway: &Gateway) -> u64 {
    let path = format!("/proc/{}/status", gateway.pid());
    let status = std::fs::read_to_string(path).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has some");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn reloads_under_load_lose_no_message_and_leak_nothing() {
    // Each differs from both others in a way of its own.
    let channel = "[frontends.channel]\nmessages_per_s = 0\nrequests_per_s = 0\n";
    let variants = [
        format!("{ROOM}{channel}[frontends.chatroom]\n[frontends.ourchat]\n[frontends.token]\n"),
        format!("{ROOM}{channel}history = 50\n[frontends.chatroom]\nlist_max = 7\n"),
        format!(
            "{ROOM}{channel}[frontends.chatroom]\nallow = [\"127.0.0.0/8\"]\n[frontends.usr_room]\n"
        ),
    ];
    let mut gateway = Gateway::start(&variants[0]);
    let address = gateway.address("channel", "listen");
    let names: Vec<_> = (0..3).map(|n| format!("user{n}")).collect();
    names.iter().for_each(|name| drop(Channel::enroll(address, name)));
    // Once around, so that everything is there that will be.
    for nth in [1, 2, 0] {
        gateway.reload(&variants[nth]);
    }
    let before = descriptors(&gateway);
    let over = AtomicBool::new(false);
    let (sender, posted) = mpsc::channel();
    let acknowledged = thread::scope(|scope| {
        for name in &names {
            let over = &over;
            let sender = sender.clone();
            scope.spawn(move || post_until(address, name, over, &sender));
        }
        drop(sender);
        let mut acknowledged = BTreeSet::new();
        for nth in 1..=60 {
            // Every third comes before the former was answered.
            if nth % 3 == 0 {
                gateway.signal_hup();
            }
            gateway.reload(&variants[nth % 3]);
            acknowledged.insert(posted.recv().expect("they post on"));
        }
        over.store(true, Ordering::Relaxed);
        acknowledged.extend(posted);
        acknowledged
    });
    let mut reader = Channel::connect(address);
    reader.login("user0", "tea for two");
    let stored: Vec<_> = reader.history("TEST").into_iter().map(|(_, text)| text).collect();
    let unique: BTreeSet<_> = stored.iter().cloned().collect();
    assert!(acknowledged.is_subset(&unique), "acknowledged messages are missing");
    assert_eq!(unique.len(), stored.len(), "nothing is there twice");
    for name in &names {
        let numbers: Vec<u32> = stored.iter().filter_map(|text| number(text, name)).collect();
        assert!(numbers.is_sorted(), "{name}'s messages are not in order");
    }
    drop(reader);
    wait_until_all_are_drained(&gateway);
    let after = descriptors(&gateway);
    assert!(after <= before + 2, "{before} descriptors, then {after}");
    assert_eq!(gateway.terminate(), 0);
}

#[test]
fn many_reloads_take_no_more_memory_than_a_few() {
    let toml = |history| format!("[frontends.channel]\nhistory = {history}\n");
    let mut gateway = Gateway::start(&toml(100));
    let mut after = |reloads: u32| {
        (0..reloads).for_each(|nth| gateway.reload(&toml(nth + 1)));
        wait_until_all_are_drained(&gateway);
        memory(&gateway)
    };
    // What is never given back grows in every round; what the allocator holds on to does not.
    let mut before = after(10);
    let growths = [50, 50, 50].map(|reloads| {
        let now = after(reloads);
        now.saturating_sub(std::mem::replace(&mut before, now))
    });
    let grown = growths.into_iter().min().expect("there were some");
    assert!(grown < 2 * 1024, "{grown} KiB more");
}

/// Posts until it is over, on a new connection whenever the gateway ends one. What is acknowledged
/// is sent on.
fn post_until(address: SocketAddr, name: &str, over: &AtomicBool, posted: &mpsc::Sender<String>) {
    let mut channel = Channel::connect(address);
    channel.login(name, "tea for two");
    for nth in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let text = format!("{name} {nth}");
        let body = json!({"name": "TEST", "message": text});
        match channel.try_call("/channel/send", &body, &[]) {
            Ok(response) if response.status == 200 => {
                assert_eq!(response.json()["code"], 0, "{response}");
                posted.send(text).expect("it is waited for");
            }
            Ok(response) => panic!("{response}"),
            Err(_) => channel = channel.reconnect(address),
        }
    }
}

fn number(text: &str, name: &str) -> Option<u32> {
    text.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
}
