//! The shape of a report in JSON, for programs: a JSON Schema that is made from the types.
//!
//! **Invariant:** what is not described here is not written. The descriptions are the doc comments
//! of the fields, so a field without one does not compile.

use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Writes the schema of `R`, which calls itself `name`, with a newline at its end.
pub(super) fn write<R: schemars::JsonSchema>(name: &str, title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema: Value = settings.into_generator().into_root_schema_for::<R>().to_value();
    schema["title"] = title.into();
    schema["$id"] = format!("urn:{}", name.replace('/', ":")).into();
    schema["properties"]["schema"]["const"] = name.into();
    close(&mut schema);
    #[expect(clippy::expect_used, reason = "a schema is texts and lists of them")]
    let mut json = serde_json::to_string_pretty(&schema).expect("a schema has a JSON form");
    json.push('\n');
    json
}

/// Forbids properties that the schema does not name: a reader learns of a field that is new to him.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
