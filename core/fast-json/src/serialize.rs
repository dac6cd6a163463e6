//! A serde serializer that writes compact JSON, byte for byte as serde_json does.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{self, Error as _, Serializer};
use serde_json::Error;

use crate::text::{append_string, needs_escape};

/// The initial capacity of a document, in bytes: most packets fit.
const INITIAL_BYTES: usize = 256;

/// Writes the value as JSON.
///
/// # Errors
/// A key of a map is neither text, number nor boolean, or the value's own `Serialize` fails.
pub fn to_vec(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(INITIAL_BYTES);
    append(value, &mut out)?;
    Ok(out)
}

/// As [`to_vec`], as text.
pub fn to_string(value: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    Ok(String::from_utf8(to_vec(value)?).expect("every part is written from UTF-8"))
}

/// As [`to_vec`], at the end of `out`.
pub fn append(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer(out))
}

/// Writes one value.
struct Writer<'a>(&'a mut Vec<u8>);

/// Writes the elements of a list or an object.
struct Elements<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static [u8],
}

impl<'a> Writer<'a> {
    fn word(self, word: &'static [u8]) {
        self.0.extend_from_slice(word);
    }

    fn list(self) -> Elements<'a> {
        self.0.push(b'[');
        Elements { out: self.0, is_first: true, end: b"]" }
    }

    fn object(self) -> Elements<'a> {
        self.0.push(b'{');
        Elements { out: self.0, is_first: true, end: b"}" }
    }

    /// Writes `{"Variant":`. The caller closes the object.
    fn variant(&mut self, variant: &'static str) {
        self.0.push(b'{');
        name(variant, self.0);
    }
}

impl Elements<'_> {
    fn comma(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.comma();
        append(value, self.out)
    }

    #[inline(always)]
    fn field(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.comma();
        name(key, self.out);
        append(value, self.out)
    }

    /// Writes the key of a map, in quotes whatever its type.
    fn key(&mut self, key: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.comma();
        let at = self.out.len();
        append(key, self.out)?;
        match self.out[at..] {
            [b'"', ..] => (),
            [b'0'..=b'9' | b'-' | b't' | b'f', ..] => {
                self.out.insert(at, b'"');
                self.out.push(b'"');
            }
            _ => return Err(Error::custom("key must be a string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn end(self) {
        self.out.extend_from_slice(self.end);
    }
}

/// Writes the name of a field or variant, and the colon. Names need no escape: they are Rust
/// identifiers or `serde(rename)`.
///
/// Always inlined into the caller, where the name is a constant, so that the compiler stores it
/// instead of calling `memcpy`.
#[inline(always)]
fn name(name: &'static str, out: &mut Vec<u8>) {
    debug_assert!(!name.bytes().any(needs_escape), "the field name {name:?} needs an escape");
    let length = name.len();
    let mut bytes = [0; NAME_BYTES_MAX];
    if length + 3 > NAME_BYTES_MAX {
        return long_name(name, out);
    }
    bytes[0] = b'"';
    bytes[1..=length].copy_from_slice(name.as_bytes());
    bytes[length + 1..length + 3].copy_from_slice(b"\":");
    out.extend_from_slice(&bytes[..length + 3]);
}

/// The longest name that is written at once, with its quotes and colon.
const NAME_BYTES_MAX: usize = 32;

#[cold]
fn long_name(name: &'static str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

macro_rules! whole_numbers {
    ($($serialize:ident($number:ty))*) => {
        $(fn $serialize(self, number: $number) -> Result<(), Error> {
            self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            Ok(())
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Elements<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Elements<'a>;
    type SerializeStructVariant = Elements<'a>;

    fn serialize_bool(self, is: bool) -> Result<(), Error> {
        self.word(if is { b"true" } else { b"false" });
        Ok(())
    }

    whole_numbers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32)
        serialize_u64(u64) serialize_u128(u128)
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        serde_json::to_writer(self.0, &number)
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        serde_json::to_writer(self.0, &number)
    }

    fn serialize_char(self, char: char) -> Result<(), Error> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, string: &str) -> Result<(), Error> {
        append_string(string, self.0);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.word(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        append(value, self.0)?;
        self.0.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, Error> {
        self.variant(variant);
        Ok(Elements { end: b"]}", ..self.list() })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Elements<'a>, Error> {
        Ok(self.object())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Error> {
        Ok(self.object())
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, Error> {
        self.variant(variant);
        Ok(Elements { end: b"}}", ..self.object() })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.serialize_str(&value.to_string())
    }
}

macro_rules! elements {
    ($($of:ident: $serialize:ident($($key:ident)?) by $write:ident;)*) => {
        $(impl ser::$of for Elements<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $serialize<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), Error> {
                self.$write($($key,)? value)
            }

            fn end(self) -> Result<(), Error> {
                self.end();
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq: serialize_element() by element;
    SerializeTuple: serialize_element() by element;
    SerializeTupleStruct: serialize_field() by element;
    SerializeTupleVariant: serialize_field() by element;
    SerializeStruct: serialize_field(key) by field;
    SerializeStructVariant: serialize_field(key) by field;
}

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        append(value, self.out)
    }

    fn end(self) -> Result<(), Error> {
        self.end();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(i64, bool),
        Struct { name: &'static str, none: Option<u32> },
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Newtype(i128);

    #[derive(Serialize)]
    struct Tuple(f32, f64);

    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Tagged {
        Said { text: char },
    }

    #[derive(Serialize)]
    struct LongNames {
        a_name_of_twenty_nine_byte_xx: u8,
        a_name_of_exactly_thirty_bytes: u8,
        a_name_that_is_longer_than_those_of_any_protocol_field: u8,
    }

    /// Checks that both write the same, and returns it.
    #[track_caller]
    fn check(value: &(impl Serialize + ?Sized)) -> String {
        let expected = serde_json::to_string(value).unwrap();
        assert_eq!(to_string(value).unwrap(), expected);
        expected
    }

    #[test]
    fn every_shape_is_as_serde_json_writes_it() {
        let shapes = [
            Shape::Unit,
            Shape::Newtype(7),
            Shape::Tuple(i64::MIN, true),
            Shape::Struct { name: "", none: None },
        ];
        assert_eq!(
            check(&shapes),
            r#"["Unit",{"Newtype":7},{"Tuple":[-9223372036854775808,true]},{"Struct":{"name":"","none":null}}]"#
        );
        check(&(Unit, Newtype(i128::MAX), Tuple(0.1, 1e300), u128::MAX, (), [0u8; 0]));
        check(&(f64::NAN, f32::INFINITY, 1.0, -0.0, 5e-324, 1e16));
        check(&(1i8, 2i16, 3i32, 4u8, 5u16, 6u32, u64::MAX, Some("x"), 'é', b"bytes"));
        check(&Tagged::Said { text: '"' });
        check(&LongNames {
            a_name_of_twenty_nine_byte_xx: 1,
            a_name_of_exactly_thirty_bytes: 2,
            a_name_that_is_longer_than_those_of_any_protocol_field: 3,
        });
    }

    #[test]
    fn keys_are_text_numbers_or_booleans() {
        check(&BTreeMap::from([("a\"b", 1), ("", 2)]));
        check(&BTreeMap::from([(-1, "x"), (20, "y")]));
        check(&BTreeMap::from([(true, ()), (false, ())]));
        check(&BTreeMap::<u8, u8>::new());
        for refused in [to_vec(&BTreeMap::from([([1], 1)])), to_vec(&BTreeMap::from([((), 1)]))] {
            assert_eq!(refused.unwrap_err().to_string(), "key must be a string");
        }
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does_at_every_offset() {
        for char in (0..0x80).map(char::from).chain(['é', '小', '𝄞', '\u{2028}', '\u{7f}']) {
            for before in 0..40 {
                check(&format!("{}{char}{}", "a".repeat(before), "ü".repeat(before % 19)));
            }
            check(&char.to_string().repeat(50));
        }
    }

    #[test]
    fn append_keeps_the_bytes_before() {
        let mut out = b"data: ".to_vec();
        append(&["x"], &mut out).unwrap();
        assert_eq!(out, br#"data: ["x"]"#);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_as_serde_json_writes_it(text in "\\PC*|[\\x00-\\x7f]{0,80}") {
            check(&text);
        }
    }
}
