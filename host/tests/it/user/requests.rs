//! Malformed requests to every operation of the API: each is refused in a sentence that names the
//! field or parameter, and nothing of the program's own types is in it.

use super::*;

const DOCUMENT: &str = include_str!("../../../../schemas/admin/openapi.json");

/// Words of the program, which say nothing to a client.
const INNER_WORDS: [&str; 12] = [
    "struct",
    "deserialize",
    "sequence",
    "u32",
    "u64",
    "i128",
    "enum",
    "serde",
    "Option",
    "variant",
    "invalid type",
    "Error(",
];

/// An operation, as its document has it.
struct Operation {
    method: String,
    path: String,
    /// The names of the parameters of the query, and whether each is a number.
    query: Vec<(String, bool)>,
    /// The fields of the body.
    body: Value,
}

impl Operation {
    /// The first field that it needs.
    fn required(&self) -> Option<&str> {
        self.body["required"][0].as_str()
    }

    fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.body["properties"].as_object().into_iter().flatten()
    }
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let schemas = &document["components"]["schemas"];
    let body = |operation: &Value| {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let name = schema.as_str().and_then(|schema| schema.rsplit('/').next());
        name.map_or(Value::Null, |name| schemas[name].clone())
    };
    let is_number = |schema: &Value| schema["type"].to_string().contains("integer");
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().expect("a list").iter();
            let query = parameters.filter(|one| one["in"] == "query").map(|one| {
                (one["name"].as_str().expect("a name").to_owned(), is_number(&one["schema"]))
            });
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                query: query.collect(),
                body: body(operation),
            });
        }
    }
    operations
}

/// Status and body of the answer to a request whose body may be any bytes.
fn ask(admin: SocketAddr, line: &str, media_type: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(admin).expect("it listens");
    let lines = "x-dragoman-admin: 1\r\nconnection: close";
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {admin}\r\n{lines}\r\ncontent-type: {media_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    assert!(head.to_lowercase().contains("application/problem+json"), "{line}: {head}");
    (status, serde_json::from_str(body).expect("JSON"))
}

/// Bodies that are wrong for an operation, each with what is named: a JSON Pointer.
fn bodies(operation: &Operation) -> Vec<(u16, &'static str, Vec<u8>, String)> {
    let json = "application/json";
    let whole = || "#".to_owned();
    let mut bodies = vec![
        (400, json, b"[]".to_vec(), whole()),
        (400, json, b"\"hunter2\"".to_vec(), whole()),
        (400, json, b"null".to_vec(), whole()),
        (400, json, b"7".to_vec(), whole()),
        (400, json, b"{\"a\":".to_vec(), whole()),
        (400, json, b"{\"a\":\"\xff\"}".to_vec(), whole()),
        (400, json, b"{\"hunter\":2}".to_vec(), "#/hunter".into()),
        (400, json, b"{\"a\":1,\"a\":1}".to_vec(), "#/a".into()),
        (415, "text/xml", b"<a/>".to_vec(), whole()),
        (415, "application/x-www-form-urlencoded", b"a=1".to_vec(), whole()),
        (413, json, vec![b' '; 70_000], whole()),
    ];
    if let Some(field) = operation.required() {
        bodies.push((400, json, Vec::new(), format!("#/{field}")));
        bodies.push((400, json, b"{}".to_vec(), format!("#/{field}")));
    }
    for (name, schema) in operation.fields() {
        let wrong: &[&str] = match schema["type"].to_string() {
            kind if kind.contains("integer") => &["-1", "1e30", "1.5", "\"7\"", "[]"],
            kind if kind.contains("string") => &["7", "true", "[\"hunter2\"]", "{}"],
            kind if kind.contains("boolean") => &["7", "\"true\"", "[true]"],
            kind if kind.contains("array") => &["7", "\"hunter2\"", "{}"],
            _ => &["7", "\"hunter2, a word that is none\"", "[]"],
        };
        for value in wrong {
            let body = format!("{{\"{name}\":{value}}}").into_bytes();
            bodies.push((400, json, body, format!("#/{name}")));
        }
        let twice = format!("{{\"{name}\":null,\"{name}\":null}}").into_bytes();
        bodies.push((400, json, twice, format!("#/{name}")));
    }
    bodies
}

/// Queries that are wrong for an operation, each with the parameter that is named.
fn queries(operation: &Operation) -> Vec<(String, String)> {
    let mut queries = vec![
        ("hunter=2".to_owned(), "hunter".to_owned()),
        ("%zz=1".into(), "%zz".into()),
        ("a=%ff".into(), "a".into()),
    ];
    for (name, is_number) in &operation.query {
        queries.push((format!("{name}=1&{name}=1"), name.clone()));
        queries.push((format!("{name}=%c3%28"), name.clone()));
        if *is_number {
            for value in ["", "x", "-1", "1e3", "18446744073709551616"] {
                queries.push((format!("{name}={value}"), name.clone()));
            }
        }
    }
    queries
}

fn check(said: &Value, key: &str, named: &str, what: &str) {
    let errors = said["errors"].as_array().unwrap_or_else(|| panic!("{what}: no errors: {said}"));
    let has_it = errors.iter().any(|one| one[key] == named);
    assert!(has_it, "{what}: {key} {named} is not named: {said}");
    let text = said.to_string();
    for word in INNER_WORDS {
        assert!(!text.contains(word), "{what}: {word:?} in {said}");
    }
}

#[test]
fn every_operation_names_what_is_wrong_with_a_request() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let operations = operations();
    assert!(operations.len() > 60, "{}", operations.len());
    for operation in &operations {
        let path = operation.path.replace("{user}", "bob");
        let path: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "7" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let line = format!("{} {path}", operation.method);
        for (query, named) in queries(operation) {
            let line = format!("{line}?{query}");
            let (status, said) = ask(admin, &line, "application/json", b"");
            assert_eq!(status, 400, "{line}: {said}");
            check(&said, "parameter", &named, &line);
        }
        let needed = operation.query.iter().filter_map(|(name, _)| match name.as_str() {
            "messages" => Some("messages=keep".to_owned()),
            "list" => Some("list=ban".to_owned()),
            "target" | "identity" | "mask" => Some(format!("{name}=x")),
            _ => None,
        });
        let line = format!("{line}?{}", needed.collect::<Vec<_>>().join("&"));
        for (status, media_type, body, named) in bodies(operation) {
            let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
            let what = format!("{line} {shown}");
            let (got, said) = ask(admin, &line, media_type, &body);
            assert_eq!(got, status, "{what}: {said}");
            check(&said, "pointer", &named, &what);
            assert!(!said.to_string().contains("hunter2\"]"), "{what}: {said}");
        }
        if let Some((before, name)) = operation.path.split_once('{') {
            let name = name.split_once('}').expect("a place").0;
            let line = format!(
                "{} {before}%ff{}",
                operation.method,
                &operation.path[before.len() + name.len() + 2..]
            );
            let (status, said) = ask(admin, &line, "application/json", b"");
            assert_eq!(status, 400, "{line}: {said}");
            check(&said, "parameter", name, &line);
        }
    }
    let users = json_at(admin, "/api/v1/users");
    assert_eq!(users["items"].as_array().map(Vec::len), Some(2), "nothing was changed: {users}");
    assert_eq!(json_at(admin, "/api/v1/rooms")["items"], json!([]), "nothing was changed");
    gateway.end();
}

fn json_at(admin: SocketAddr, path: &str) -> Value {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nx-dragoman-admin: 1");
    let (status, _, body) = http(admin, &head, "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Requests that only a look into the store refuses: the line, the body, the status, and the part that is
/// named.
const NAMED: &[(&str, &str, u16, &str, &str)] = &[
    ("GET /api/v1/users/zed", "", 404, "parameter", "user"),
    ("GET /api/v1/users/a/views", "", 404, "parameter", "user"),
    ("GET /api/v1/rooms/nope", "", 404, "parameter", "room"),
    ("GET /api/v1/rooms/nope/views", "", 404, "parameter", "room"),
    ("GET /api/v1/rooms/nope/messages", "", 404, "parameter", "room"),
    ("GET /api/v1/sessions?user=zed", "", 404, "parameter", "user"),
    ("GET /api/v1/sessions?room=nope", "", 404, "parameter", "room"),
    ("GET /api/v1/sessions?frontend=nope", "", 404, "parameter", "frontend"),
    ("GET /api/v1/sessions?address=nope", "", 400, "parameter", "address"),
    ("GET /api/v1/sessions?after=x", "", 400, "parameter", "after"),
    ("GET /api/v1/tap?session=7", "", 404, "parameter", "session"),
    ("GET /api/v1/tap?peer=x", "", 400, "parameter", "peer"),
    ("DELETE /api/v1/sessions/7", "", 404, "parameter", "session"),
    ("DELETE /api/v1/sessions/x", "", 400, "parameter", "session"),
    ("DELETE /api/v1/messages/x", "", 400, "parameter", "message"),
    ("DELETE /api/v1/messages/7", "", 404, "parameter", "message"),
    ("GET /api/v1/messages/7/trace", "", 404, "parameter", "message"),
    ("GET /api/v1/messages?text=!", "", 400, "parameter", "text"),
    ("GET /api/v1/messages", "", 400, "parameter", "text"),
    ("GET /api/v1/messages?text=x&author=zed", "", 404, "parameter", "author"),
    ("GET /api/v1/frontends/nope", "", 404, "parameter", "frontend"),
    ("POST /api/v1/webhooks/nope/replay", "", 404, "parameter", "webhook"),
    ("DELETE /api/v1/tokens/nope", "", 404, "parameter", "token"),
    ("DELETE /api/v1/bans?target=network:10.0.0.0/8", "", 404, "parameter", "target"),
    ("DELETE /api/v1/bans?target=x", "", 400, "parameter", "target"),
    ("POST /api/v1/bans", r#"{"target":"user:zed"}"#, 404, "pointer", "#/target"),
    ("POST /api/v1/bans", r#"{"target":"x"}"#, 400, "pointer", "#/target"),
    (
        "POST /api/v1/bans",
        r#"{"target":"network:10.0.0.0/8","reason":"LONG"}"#,
        400,
        "pointer",
        "#/reason",
    ),
    ("POST /api/v1/users", r#"{"handle":"bob"}"#, 409, "pointer", "#/handle"),
    ("POST /api/v1/users", r#"{"handle":""}"#, 400, "pointer", "#/handle"),
    (
        "POST /api/v1/users",
        r#"{"handle":"eve","identities":["x"]}"#,
        400,
        "pointer",
        "#/identities",
    ),
    ("POST /api/v1/users", r#"{"handle":"eve","name":"guest:x"}"#, 400, "pointer", "#/name"),
    ("POST /api/v1/users", r#"{"handle":"eve","password":""}"#, 400, "pointer", "#/password"),
    ("PATCH /api/v1/users/bob", r#"{"name":"guest:x"}"#, 400, "pointer", "#/name"),
    ("PUT /api/v1/users/bob/password", "", 400, "pointer", "#/password"),
    (
        "PUT /api/v1/users/bob/password",
        r#"{"password_hash":"x"}"#,
        400,
        "pointer",
        "#/password_hash",
    ),
    ("POST /api/v1/users/bob/enable", "", 409, "parameter", "user"),
    ("POST /api/v1/users/bob/identities", r#"{"identity":"x"}"#, 400, "pointer", "#/identity"),
    ("DELETE /api/v1/users/bob/identities?identity=tel/7", "", 409, "parameter", "identity"),
    ("POST /api/v1/rooms", r#"{"name":"den"}"#, 409, "pointer", "#/name"),
    ("POST /api/v1/rooms", r#"{"name":""}"#, 400, "pointer", "#/name"),
    ("POST /api/v1/rooms", r#"{"name":"x","owner":"zed"}"#, 404, "pointer", "#/owner"),
    ("PATCH /api/v1/rooms/den", "", 400, "pointer", "#"),
    ("PATCH /api/v1/rooms/den/policy", "", 400, "pointer", "#"),
    ("PUT /api/v1/rooms/den/owner", r#"{"owner":"zed"}"#, 404, "pointer", "#/owner"),
    ("POST /api/v1/rooms/den/kick", r#"{"user":"zed"}"#, 404, "pointer", "#/user"),
    ("POST /api/v1/rooms/den/kick", r#"{"user":"bob"}"#, 409, "pointer", "#/user"),
    (
        "POST /api/v1/rooms/den/kick",
        r#"{"user":"bob","reason":"LONG"}"#,
        400,
        "pointer",
        "#/reason",
    ),
    ("POST /api/v1/rooms/den/unmute", r#"{"user":"ann"}"#, 409, "pointer", "#/user"),
    ("POST /api/v1/rooms/den/masks", r#"{"list":"ban","mask":"a!b!c"}"#, 400, "pointer", "#/mask"),
    ("DELETE /api/v1/rooms/den/masks?list=ban&mask=a", "", 404, "parameter", "mask"),
    (
        "PUT /api/v1/rooms/den/roles",
        r#"{"user":"bob","role":"operator","held":true}"#,
        409,
        "pointer",
        "#/user",
    ),
    ("POST /api/v1/rooms/den/announce", r#"{"text":""}"#, 400, "pointer", "#/text"),
    ("POST /api/v1/announce", r#"{"text":"x","name":"bob"}"#, 409, "pointer", "#/name"),
    ("POST /api/v1/tokens", r#"{"role":"monitor","label":"LONG"}"#, 400, "pointer", "#/label"),
    ("POST /api/v1/config/apply", r#"{"file":"/etc/passwd"}"#, 400, "pointer", "#/file"),
];

/// What can only be found out by looking into the store names its part too.
#[test]
fn what_an_operation_does_not_find_or_take_is_named() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let ask = |line: &str, body: &str| ask(admin, line, "application/json", body.as_bytes());
    let made = http(
        admin,
        &format!("POST /api/v1/rooms HTTP/1.1\r\nhost: {admin}\r\nx-dragoman-admin: 1"),
        r#"{"name":"den","owner":"bob"}"#,
    );
    assert_eq!(made.0, 200, "{}", made.2);
    let long = "x".repeat(300);
    for (line, body, status, key, named) in NAMED {
        let (got, said) = ask(line, &body.replace("LONG", &long));
        assert_eq!(got, *status, "{line} {body}: {said}");
        check(&said, key, named, line);
    }
    gateway.end();
}
