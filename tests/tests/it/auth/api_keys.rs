//! `api_keys` with names, from a file, and changed while the gateway runs.

use gateway_tests::{Gateway, Http, Launch};

fn get(gateway: &Gateway, key: &str) -> u16 {
    let mut http = Http::connect(gateway.address("usr_room", "listen"));
    http.request("GET", "/time", &[("X-Api-Key", key)], b"").status
}

/// Replaces the file as a whole.
fn write(gateway: &Launch, content: &str) {
    let path = gateway.folder().join("keys.toml");
    let new = path.with_extension("new");
    std::fs::write(&new, content).expect("a file");
    std::fs::rename(&new, &path).expect("the same folder");
}

const TOML: &str = "[frontends.usr_room]\napi_keys_file = \"keys.toml\"\n\
    api_keys = { cron = \"k-cron\", app = [\"k-app\"] }\n";

#[test]
fn keys_have_names_and_are_rotated_while_the_gateway_runs() {
    let launch = Launch::of(TOML);
    write(&launch, "backend = [\"k-old\"]\n");
    let mut gateway = launch.start();
    for (key, status) in
        [("k-cron", 200), ("k-app", 200), ("k-old", 200), ("k-new", 401), ("cron", 401), ("", 401)]
    {
        assert_eq!(get(&gateway, key), status, "{key}");
    }
    // Two are valid while clients change; the file is read by itself.
    write(gateway.launch(), "backend = [\"k-new\", \"k-old\"]\n");
    let was_read = |lines: &[String]| {
        lines.iter().any(|line| line.contains("API keys were read again")).then_some(())
    };
    gateway.log().wait_for("the keys are read again", was_read);
    assert_eq!((get(&gateway, "k-new"), get(&gateway, "k-old")), (200, 200));
    // A file that is wrong changes nothing, by itself or by a reload.
    write(gateway.launch(), "backend = \n");
    gateway.log().wait_for("the mistake", |lines| {
        let why = "keys.toml is not TOML at line 1";
        lines.iter().any(|line| line.contains(why)).then_some(())
    });
    assert_eq!(get(&gateway, "k-old"), 200);
    // And by a reload.
    write(gateway.launch(), "backend = \"k-new\"\n");
    gateway.reload(TOML);
    assert_eq!((get(&gateway, "k-new"), get(&gateway, "k-old")), (200, 401));
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let metrics = String::from_utf8(metrics.body).expect("text");
    let counted = "dragoman_api_key_requests_total{frontend=\"usr_room\",key=\"backend\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    let log = gateway.log().text();
    assert!(
        log.contains("\"api_key\":\"cron\"") && !log.contains("k-"),
        "names and no keys: {log}"
    );
}
