//! The client's codec, on the same tables: decodes the bytes of a transcript.

use frontend_token::fields::{
    self, Body, FAILURE, Field, HEADER, NOTIFICATIONS, Operation, REPLY, RESULTS, Value,
};

/// A client's frame with the length of `body`.
pub(crate) fn request(name: &str, sequence: u32, values: &[Value<'_>]) -> Vec<u8> {
    let operations = &mut fields::OPERATIONS.iter();
    let operation = operations.find(|operation| operation.name == name).expect("an operation");
    let mut body = Vec::new();
    fields::write(operation.request, values, &mut body);
    let length = 6 + u32::try_from(body.len()).unwrap();
    let header = [Value::U32(length), Value::U16(operation.command()), Value::U32(sequence)];
    let mut frame = Vec::new();
    fields::write(HEADER, &header, &mut frame);
    [frame, body].concat()
}

/// Adds the decoded frames to every line of bytes in a transcript; a line of the peer gets the
/// frames that it completes.
pub(crate) fn annotate(transcript: &str) -> String {
    let mut annotated = String::new();
    let mut stream = Vec::new();
    for line in transcript.lines() {
        annotated += &format!("{line}\n");
        let mut said = Vec::new();
        if let Some(hex) = line.strip_prefix("<hex") {
            stream.extend(bytes(hex));
            while let Some(frame) = first_frame(&mut stream) {
                said.push(describe_request(&frame));
            }
        } else if let Some(hex) = line.strip_prefix("    send ") {
            said.push(describe(&bytes(hex)));
        } else if let Some(hex) =
            line.strip_prefix("    broadcast ").filter(|hex| *hex != "nothing")
        {
            said.push(describe(&bytes(hex)));
        }
        said.iter().for_each(|said| annotated += &format!("      ; {said}\n"));
    }
    annotated
}

/// The complete client frames of a transcript, each as if alone, and the gateway's frames.
pub(crate) fn of(transcript: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut sent = Vec::new();
    let mut told = Vec::new();
    let mut stream = Vec::new();
    for line in transcript.lines() {
        if let Some(hex) = line.strip_prefix("<hex") {
            stream.extend(bytes(hex));
            while let Some(frame) = first_frame(&mut stream) {
                // After an invalid frame the boundaries are unknown.
                sent.extend(Some(frame).filter(|frame| parts(frame).is_some()));
            }
        } else if let Some(hex) =
            line.strip_prefix("    send ").or_else(|| line.strip_prefix("    broadcast "))
            && hex != "nothing"
        {
            told.push(bytes(hex));
        }
    }
    (sent, told)
}

/// Every `info` of a transcript, with the definition that describes it.
pub(crate) fn infos(transcript: &str) -> Vec<(&'static str, String)> {
    let mut infos = Vec::new();
    let mut stream = Vec::new();
    for line in transcript.lines() {
        if let Some(hex) = line.strip_prefix("<hex") {
            stream.extend(bytes(hex));
            while let Some(frame) = first_frame(&mut stream) {
                let Some((command, _, body)) = parts(&frame) else { continue };
                let operation = Operation::of(command);
                let info = operation.and_then(|row| info(row.request, body));
                infos.extend(info.map(|info| ("ClientInfo", info)));
            }
        } else if let Some(hex) =
            line.strip_prefix("    send ").or_else(|| line.strip_prefix("    broadcast "))
            && hex != "nothing"
        {
            infos.extend(info_of(&bytes(hex)));
        }
    }
    infos
}

/// The `info` in a gateway frame.
fn info_of(frame: &[u8]) -> Option<(&'static str, String)> {
    let (command, _, body) = parts(frame)?;
    if let Some(row) = NOTIFICATIONS.iter().find(|row| row.command() == command) {
        return Some(("MemberInfo", info(row.body, body)?));
    }
    let operation = Operation::of(command & !REPLY)?;
    let body = body.strip_prefix(&[0, 0])?;
    let of_room = operation.reply.iter().any(|field| field.name == "room_id");
    Some((if of_room { "RoomInfo" } else { "UserInfo" }, info(operation.reply, body)?))
}

fn info(fields: &'static [Field], body: &[u8]) -> Option<String> {
    let Body { fields, values } = fields::read(fields, body).ok()?;
    let at = fields.iter().position(|field| field.name == "info")?;
    match &values[at] {
        Value::Text(text) if !text.is_empty() => Some((*text).to_owned()),
        _ => None,
    }
}

/// Decodes hexadecimal digits and ignores everything between them.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Takes the first frame off a stream, or the whole stream if the boundary is unknown.
fn first_frame(stream: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*stream.first_chunk()?);
    if !(6..=65_536).contains(&length) {
        return Some(std::mem::take(stream));
    }
    let end = 4 + length as usize;
    (stream.len() >= end).then(|| stream.drain(..end).collect())
}

/// A client's frame as text: `login #1 openid="o1" …`.
pub(crate) fn describe_request(frame: &[u8]) -> String {
    let Some((command, sequence, body)) = parts(frame) else {
        return "not to be told".into();
    };
    let body = match Operation::of(command) {
        Some(operation) => describe_body(operation.request, body),
        None => String::new(),
    };
    format!("{} #{sequence}{body}", name_of(command))
}

/// A gateway frame as text: `login #1 OK uid=10000 …`, `message room_id=1 …`.
pub(crate) fn describe(frame: &[u8]) -> String {
    let (command, sequence, body) = parts(frame).expect("the gateway sends frames");
    if let Some(row) = NOTIFICATIONS.iter().find(|row| row.command() == command) {
        assert_eq!(sequence, 0, "the sequence of a notification");
        return format!("{}{}", row.name, describe_body(row.body, body));
    }
    let command = command & !REPLY;
    let (result, body) = body.split_first_chunk().expect("a reply has a result");
    let result = u16::from_be_bytes(*result);
    let row = RESULTS.iter().find(|row| row.code as u16 == result).expect("a known result");
    let fields = match Operation::of(command) {
        Some(operation) if result == 0 => operation.reply,
        _ => FAILURE,
    };
    format!("{} #{sequence} {}{}", name_of(command), row.name, describe_body(fields, body))
}

/// Command, sequence and the rest, if the length is correct.
fn parts(frame: &[u8]) -> Option<(u16, u32, &[u8])> {
    let (header, body) = frame.split_at_checked(10)?;
    match fields::read(HEADER, header).expect("ten bytes").values[..] {
        [Value::U32(length), Value::U16(command), Value::U32(sequence)] => {
            (length as usize == frame.len() - 4).then_some((command, sequence, body))
        }
        _ => unreachable!("a header has three numbers"),
    }
}

fn name_of(command: u16) -> String {
    Operation::of(command).map_or(format!("command {command:#x}"), |row| row.name.to_owned())
}

fn describe_body(fields: &'static [Field], body: &[u8]) -> String {
    match fields::read(fields, body) {
        Ok(Body { fields, values }) => {
            let rows = fields.iter().zip(values);
            rows.map(|(field, value)| format!(" {}={}", field.name, show(&value))).collect()
        }
        Err(why) => format!(" malformed: {why}"),
    }
}

fn show(value: &Value<'_>) -> String {
    match value {
        Value::U8(number) => number.to_string(),
        Value::U16(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::I32(number) => number.to_string(),
        Value::Text(text) if text.starts_with('{') => (*text).to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Array(elements) => format!("{elements:?}"),
    }
}
