//! Binary frames, taken apart by the `.ksy` that a front end describes itself with: a Kaitai Struct of
//! big-endian numbers, texts with their size, choices by a number, and repetition.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::MASK;
use super::expression::{Names, evaluate};
use super::fields::FrameField;
use super::json::mask_json;
use super::names::{Secrecy, SecretNames};
use super::phrases::has_secret_of;

/// The largest frame that is taken apart.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// The end of the path of a text that is an object of JSON: what is known of a user or room.
const JSON_FIELD: &str = ".info.text";

/// Types within types, and fields of one frame.
const DEPTH_MAX: u8 = 16;
const FIELDS_MAX: usize = 4096;

/// The frames of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Layout {
    #[serde(default)]
    enums: BTreeMap<String, BTreeMap<String, Value>>,
    seq: Vec<Attribute>,
    types: BTreeMap<String, Type>,
}

#[derive(Debug, Deserialize)]
struct Type {
    #[serde(default)]
    instances: BTreeMap<String, Instance>,
    seq: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Attribute {
    id: String,
    #[serde(default)]
    doc: String,
    #[serde(rename = "type")]
    kind: Kind,
    size: Option<String>,
    #[serde(default)]
    size_eos: bool,
    #[serde(rename = "if")]
    condition: Option<String>,
    #[serde(rename = "enum")]
    constants: Option<String>,
    repeat: Option<String>,
    repeat_expr: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kind {
    Named(String),
    Choice {
        #[serde(rename = "switch-on")]
        switch_on: String,
        cases: BTreeMap<String, String>,
    },
}

/// What bytes begin with.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A frame of this many bytes. Not well-formed: a part of it is masked.
    Frame { length: usize, fields: Vec<FrameField>, is_well_formed: bool },
    /// A part of a frame.
    Short,
    /// No frame.
    Wrong,
}

enum Fault {
    Short,
    Wrong,
}

impl Layout {
    /// `None`: the text is none that this module knows.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let layout: Self = serde_json::from_str(text).ok()?;
        let is_stream = matches!(&layout.seq[..], [frames] if frames.repeat.is_some());
        is_stream.then_some(layout)
    }

    /// Takes the first frame apart.
    pub(super) fn read(&self, bytes: &[u8], names: &SecretNames) -> Read {
        let Kind::Named(frame) = &self.seq[0].kind else { return Read::Wrong };
        let mut reader =
            Reader { layout: self, bytes, names, at: 0, fields: Vec::new(), is_well_formed: true };
        let place = Place { path: "", secrecy: Secrecy::Shown, end: bytes.len(), depth: 0 };
        match reader.structure(frame, &place) {
            Ok(()) => Read::Frame {
                length: reader.at,
                fields: reader.fields,
                is_well_formed: reader.is_well_formed,
            },
            Err(Fault::Short) => Read::Short,
            Err(Fault::Wrong) => Read::Wrong,
        }
    }
}

/// Where a structure is.
struct Place<'a> {
    path: &'a str,
    secrecy: Secrecy,
    /// The end of what it is a part of.
    end: usize,
    depth: u8,
}

struct Reader<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
    names: &'a SecretNames,
    at: usize,
    fields: Vec<FrameField>,
    is_well_formed: bool,
}

impl<'a> Reader<'a> {
    fn structure(&mut self, name: &str, place: &Place<'_>) -> Result<(), Fault> {
        let structure = self.layout.types.get(name).ok_or(Fault::Wrong)?;
        if place.depth > DEPTH_MAX {
            return Err(Fault::Wrong);
        }
        let mut scope = Scope::new(self.layout, structure);
        for attribute in &structure.seq {
            if let Some(condition) = &attribute.condition
                && scope.value(condition)? == 0
            {
                continue;
            }
            let times = match attribute.repeat_expr.as_deref() {
                Some(times) => usize::try_from(scope.value(times)?).map_err(|_| Fault::Wrong)?,
                None => 1,
            };
            for _ in 0..times {
                self.attribute(attribute, &mut scope, place)?;
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        attribute: &Attribute,
        scope: &mut Scope<'_>,
        place: &Place<'_>,
    ) -> Result<(), Fault> {
        if self.fields.len() >= FIELDS_MAX {
            return Err(Fault::Wrong);
        }
        let path = match place.path {
            "" => attribute.id.clone(),
            path => format!("{path}.{}", attribute.id),
        };
        let secrecy = if attribute.doc.contains("secret") {
            Secrecy::Secret
        } else {
            match place.secrecy {
                Secrecy::Secret => Secrecy::Secret,
                _ => self.names.secrecy(&attribute.id),
            }
        };
        let end = match &attribute.size {
            Some(size) => self.sized_end(scope.value(size)?, place)?,
            None => place.end,
        };
        let kind = match &attribute.kind {
            Kind::Named(name) => Some(name.as_str()),
            Kind::Choice { switch_on, cases } => {
                cases.get(&scope.value(switch_on)?.to_string()).map(String::as_str)
            }
        };
        let is_whole = attribute.size.is_some() || attribute.size_eos;
        let inner = Place { path: &path, secrecy, end, depth: place.depth + 1 };
        match kind {
            Some("str") if is_whole => {
                self.text(attribute, &inner);
                Ok(())
            }
            Some(kind) if number_bytes(kind).is_some() => {
                let value = self.number(kind, attribute, &inner, secrecy)?;
                scope.fields.insert(attribute.id.clone(), value);
                Ok(())
            }
            Some(kind) if !is_whole => self.structure(kind, &inner),
            Some(kind) => {
                let begin = (self.at, self.fields.len());
                let done = self.structure(kind, &inner);
                if done.is_err() || self.at != end {
                    self.mask_rest(begin, attribute, &inner);
                }
                Ok(())
            }
            None if is_whole => {
                self.mask_rest((self.at, self.fields.len()), attribute, &inner);
                Ok(())
            }
            None => Err(Fault::Wrong),
        }
    }

    /// Where a part of this size ends.
    fn sized_end(&self, size: i128, place: &Place<'_>) -> Result<usize, Fault> {
        let size = usize::try_from(size).ok().filter(|size| *size <= FRAME_BYTES_MAX);
        let end = self.at + size.ok_or(Fault::Wrong)?;
        if end <= place.end { Ok(end) } else { Err(self.missing(place.end)) }
    }

    /// Bytes are missing: the frame is not whole yet, or is not what it says.
    fn missing(&self, end: usize) -> Fault {
        if end == self.bytes.len() { Fault::Short } else { Fault::Wrong }
    }

    fn number(
        &mut self,
        kind: &str,
        attribute: &Attribute,
        place: &Place<'_>,
        secrecy: Secrecy,
    ) -> Result<i128, Fault> {
        let length = number_bytes(kind).ok_or(Fault::Wrong)?;
        if self.at + length > place.end {
            return Err(self.missing(place.end));
        }
        let bytes = &self.bytes[self.at..self.at + length];
        let unsigned = bytes.iter().fold(0_i128, |value, byte| value << 8 | i128::from(*byte));
        let bits = 8 * length;
        let is_negative = kind.starts_with('s') && unsigned >> (bits - 1) == 1;
        let value = if is_negative { unsigned - (1 << bits) } else { unsigned };
        let constant = attribute.constants.as_deref().and_then(|of| {
            let constant = self.layout.enums.get(of)?.get(&value.to_string())?;
            constant.get("id").unwrap_or(constant).as_str()
        });
        // The size of a secret text is none.
        let is_secret = secrecy == Secrecy::Secret && attribute.id != "byte_count";
        let text = match constant {
            _ if is_secret => MASK.to_owned(),
            Some(constant) => format!("{value} {constant}"),
            None => value.to_string(),
        };
        self.push(length, place.path, text, attribute, is_secret);
        Ok(value)
    }

    fn text(&mut self, attribute: &Attribute, place: &Place<'_>) {
        let length = place.end - self.at;
        let text = String::from_utf8_lossy(&self.bytes[self.at..place.end]);
        // Anything could be in what is to be JSON and is not.
        let is_to_be_json = place.path.ends_with(JSON_FIELD) && !text.is_empty();
        let (value, masked) = if place.secrecy.hides(&text) {
            (MASK.to_owned(), true)
        } else {
            match mask_json(&text, self.names) {
                Some(json) => (json.text, json.masked),
                None if is_to_be_json || has_secret_of(self.names, &text) => {
                    (MASK.to_owned(), true)
                }
                None => (text.into_owned(), false),
            }
        };
        self.push(length, place.path, value, attribute, masked);
    }

    /// What was taken apart since `begin`, a place and a number of fields, is not what it should be.
    fn mask_rest(&mut self, begin: (usize, usize), attribute: &Attribute, place: &Place<'_>) {
        let (at, fields) = begin;
        self.at = at;
        self.fields.truncate(fields);
        self.is_well_formed = false;
        let length = place.end - at;
        self.push(length, place.path, format!("{MASK} (malformed)"), attribute, length > 0);
    }

    fn push(
        &mut self,
        length: usize,
        path: &str,
        value: String,
        attribute: &Attribute,
        masked: bool,
    ) {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        self.fields.push(FrameField {
            offset: number(self.at),
            length: number(length),
            name: path.to_owned(),
            value,
            about: attribute.doc.clone(),
            masked,
        });
        self.at += length;
    }
}

fn number_bytes(kind: &str) -> Option<usize> {
    Some(match kind {
        "u1" | "s1" => 1,
        "u2" | "s2" => 2,
        "u4" | "s4" => 4,
        "u8" | "s8" => 8,
        _ => return None,
    })
}

/// The numbers of a structure that was read so far.
struct Scope<'a> {
    layout: &'a Layout,
    structure: &'a Type,
    fields: BTreeMap<String, i128>,
    /// How deep instances refer to each other.
    depth: Cell<u8>,
}

impl<'a> Scope<'a> {
    fn new(layout: &'a Layout, structure: &'a Type) -> Self {
        Self { layout, structure, fields: BTreeMap::new(), depth: Cell::new(0) }
    }

    fn value(&self, expression: &str) -> Result<i128, Fault> {
        evaluate(expression, self).ok_or(Fault::Wrong)
    }
}

impl Names for Scope<'_> {
    fn field(&self, name: &str) -> Option<i128> {
        if let Some(value) = self.fields.get(name) {
            return Some(*value);
        }
        let instance = self.structure.instances.get(name)?;
        let depth = self.depth.get();
        if depth > DEPTH_MAX {
            return None;
        }
        self.depth.set(depth + 1);
        let value = evaluate(&instance.value, self);
        self.depth.set(depth);
        value
    }

    fn constant(&self, of: &str, name: &str) -> Option<i128> {
        let mut constants = self.layout.enums.get(of)?.iter();
        let (value, _) =
            constants.find(|(_, constant)| constant.get("id").unwrap_or(constant) == name)?;
        value.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = include_str!("../../../schemas/token/token.ksy");

    fn read(hex: &str) -> Read {
        let layout = Layout::parse(TOKEN).expect("the layout of token");
        let bytes = data_encoding::HEXLOWER.decode(hex.replace(' ', "").as_bytes()).unwrap();
        layout.read(&bytes, &SecretNames::default())
    }

    fn values(read: Read) -> Vec<String> {
        let Read::Frame { fields, .. } = read else { panic!("no frame: {read:?}") };
        let shown = |field: FrameField| {
            format!("{}+{} {}={}", field.offset, field.length, field.name, field.value)
        };
        fields.into_iter().map(shown).collect()
    }

    #[test]
    fn each_byte_of_a_frame_has_its_field() {
        let create_room = "00 00 00 17 00 03 00 00 00 05 00 07 11 22 10 f4 7d e9 81 15 00 00 00 03 \
                           7b 7d 20";
        assert_eq!(
            values(read(create_room)),
            [
                "0+4 length=23",
                "4+2 content.command=3",
                "6+4 content.sequence=5",
                "10+2 content.body.app_code=7",
                "12+8 content.body.token=***",
                "20+4 content.body.info.byte_count=3",
                "24+3 content.body.info.text={} ",
            ]
        );
        let no_json = create_room.replace("7b 7d 20", "70 3d 53");
        assert_eq!(values(read(&no_json)).last().unwrap(), "24+3 content.body.info.text=***");
        let failed = "00 00 00 0b 80 02 00 00 00 05 00 0a 00 01 78";
        assert_eq!(
            values(read(failed))[3..],
            [
                "10+2 content.result=10 e_command",
                "12+2 content.body.reason.byte_count=1",
                "14+1 content.body.reason.text=x"
            ]
        );
    }

    #[test]
    fn secrets_and_what_is_malformed_are_masked() {
        let login = "00 00 00 1a 00 02 00 00 00 01 00 02 6f 31 00 06 77 65 63 68 61 74 00 00 00 00 \
                     00 00 00 00";
        let shown = values(read(login));
        assert!(shown.contains(&"12+2 content.body.openid.text=***".to_owned()), "{shown:?}");
        assert!(
            shown.contains(&"16+6 content.body.openid_type.text=wechat".to_owned()),
            "{shown:?}"
        );
        let too_long = "00 00 00 0a 00 02 00 00 00 01 00 09 6f 31";
        let Read::Frame { length: 14, fields, is_well_formed: false } = read(too_long) else {
            panic!("{:?}", read(too_long))
        };
        assert_eq!(fields.last().unwrap().value, "*** (malformed)");
        assert_eq!(read("00 00 00 1a 00 02"), Read::Short);
        assert_eq!(read("6f 31 00 06 77 65"), Read::Wrong);
    }
}
