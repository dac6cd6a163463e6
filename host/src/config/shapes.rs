//! The kinds of values that a JSON Schema of an option accepts.

use serde_json::Value;

/// What an option may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Shapes {
    /// A number, true or false.
    pub(super) scalar: bool,
    pub(super) text: bool,
    pub(super) list: bool,
}

impl Shapes {
    /// Of the option `key` in the schema of all options.
    pub(super) fn of(options: &Value, key: &str) -> Self {
        let mut shapes = Self::default();
        shapes.add(&options["properties"][key], &options["$defs"]);
        shapes
    }

    fn add(&mut self, schema: &Value, defs: &Value) {
        let one = schema["type"].as_str();
        let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for kind in one.into_iter().chain(several) {
            match kind {
                "boolean" | "integer" | "number" => self.scalar = true,
                "string" => self.text = true,
                "array" => self.list = true,
                _ => (),
            }
        }
        for value in
            schema.get("const").into_iter().chain(schema["enum"].as_array().into_iter().flatten())
        {
            self.scalar |= value.is_boolean() || value.is_number();
            self.text |= value.is_string();
        }
        for alternatives in ["anyOf", "oneOf"] {
            for schema in schema[alternatives].as_array().into_iter().flatten() {
                self.add(schema, defs);
            }
        }
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
        if let Some(name) = target {
            // A definition of options refers to no option, so this ends.
            self.add(&defs[name], &Value::Null);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_declare_a_type_is_read() {
        let options = json!({
            "properties": {
                "plain": { "type": "string" },
                "either": { "type": ["string", "integer"] },
                "optional": { "anyOf": [{ "$ref": "#/$defs/Words" }, { "type": "null" }] },
                "choice": { "oneOf": [{ "const": true }, { "const": "once" }] },
            },
            "$defs": { "Words": { "type": "array" } },
        });
        let of = |key| {
            let Shapes { scalar, text, list } = Shapes::of(&options, key);
            (scalar, text, list)
        };
        assert_eq!(of("plain"), (false, true, false));
        assert_eq!(of("either"), (true, true, false));
        assert_eq!(of("optional"), (false, false, true));
        assert_eq!(of("choice"), (true, true, false));
        assert_eq!(of("unknown"), (false, false, false));
    }
}
