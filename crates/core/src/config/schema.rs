//! The JSON Schema of the file, for editors and other programs.

use serde_json::{Map, Value, json};

use super::keys::{Key, Shape, root};

/// The JSON Schema (draft 2020-12) of `tagwarden.toml`. It refuses unknown keys, wrong types and unknown words; a
/// contradiction between two values is found only by [`Config::read`](super::Config::read).
pub fn schema() -> Value {
    let mut schema = table(&root());
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".to_owned(), json!("tagwarden.toml"));
        fields.insert("description".to_owned(), json!("The configuration of tagwarden"));
    }
    schema
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.clone(), described(key))).collect();
    let needed: Vec<&str> = keys.iter().filter(|key| key.needed).map(|key| key.name.as_str()).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (false, Some(fields)) = (needed.is_empty(), schema.as_object_mut()) {
        fields.insert("required".to_owned(), json!(needed));
    }
    schema
}

fn described(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), json!(key.about));
    }
    schema
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Text(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Number => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        Shape::List(item) => json!({ "type": "array", "items": shape(item), "uniqueItems": true }),
        Shape::Table(keys) => table(keys),
        Shape::Named(pattern, keys) => json!({
            "type": "object",
            "propertyNames": { "pattern": pattern },
            "additionalProperties": table(keys),
        }),
        Shape::Either(one, other) => json!({ "anyOf": [shape(one), shape(other)] }),
    }
}
