//! The document as a page for people. It loads nothing from anywhere.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;\
padding:0 1rem;color:#1b1f24;background:#fff}code,pre{font-family:ui-monospace,monospace}\
pre{background:#f4f5f7;padding:.75rem;overflow:auto;border-radius:4px}\
h2{margin-top:2.5rem;border-top:1px solid #d8dce1;padding-top:1rem}\
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;\
vertical-align:top}@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}\
pre{background:#1e2227}h2{border-color:#333a41}}";

/// A page loads nothing, and runs nothing.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) async fn serve() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, page()).into_response()
}

fn page() -> String {
    let document = serde_json::to_value(super::document()).unwrap_or_default();
    let mut page = String::new();
    let about = document["info"]["description"].as_str().unwrap_or_default();
    let version = document["info"]["version"].as_str().unwrap_or_default();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Sealift</title>\
         <style>{STYLE}</style><h1>Sealift {}</h1><p>{}</p>\
         <p>The same for programs: <a href=\"openapi.json\"><code>/openapi.json</code></a>.</p>",
        escaped(version),
        escaped(about)
    );
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            write_operation(&mut page, &document, method, path, operation);
        }
    }
    page.push_str("</html>");
    page
}

fn write_operation(
    page: &mut String,
    document: &Value,
    method: &str,
    path: &str,
    operation: &Value,
) {
    let text = |name: &str| escaped(operation[name].as_str().unwrap_or_default());
    let _ = write!(
        page,
        "<h2><code>{} {}</code></h2><p><strong>{}</strong></p><p>{}</p>",
        method.to_uppercase(),
        escaped(path),
        text("summary"),
        text("description")
    );
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    write_schema(page, document, "Body", schema);
    let done = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    write_schema(page, document, "Answer", done);
    page.push_str("<table><tr><th>status</th><th>when</th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let when = response["description"].as_str().unwrap_or_default();
        let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escaped(status), escaped(when));
    }
    page.push_str("</table>");
}

fn write_schema(page: &mut String, document: &Value, title: &str, schema: &Value) {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let Some(name) = name else { return };
    let schema = &document["components"]["schemas"][name];
    let needed = schema["required"].as_array();
    let _ = write!(page, "<p>{title}:</p><table>");
    for (field, about) in schema["properties"].as_object().into_iter().flatten() {
        let is_needed = needed.is_some_and(|needed| needed.iter().any(|name| name == field));
        let kind = kind_of(about);
        let about = about["description"].as_str().unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}{}</td><td>{}</td></tr>",
            escaped(field),
            escaped(&kind),
            if is_needed { "" } else { ", may be left out" },
            escaped(about)
        );
    }
    page.push_str("</table>");
}

fn kind_of(schema: &Value) -> String {
    let last = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    match (&schema["type"], schema["$ref"].as_str()) {
        (_, Some(reference)) => last(reference),
        (Value::String(kind), None) if kind == "array" => {
            format!("array of {}", kind_of(&schema["items"]))
        }
        (Value::String(kind), None) => kind.clone(),
        (Value::Array(kinds), None) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "value".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
