//! The OpenAPI document, generated from the code.
//!
//! It is committed as `sync-server/openapi.json`, so that a change of the contract is
//! seen in review; a test fails where the two differ. `snag-server openapi` prints it.

use axum::Json;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi as Document, RefOr, Response};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Snag",
        description = "Where software gets in people's way.\n\n\
            Everything is JSON in `snake_case`; times are RFC 3339 in UTC. Whatever has a \
            status from 400 up is `application/problem+json` with a stable `code` and, \
            where one parameter or field is at fault, its name in `field`.",
    ),
    paths(
        crate::health::get,
        crate::metrics::get,
        crate::enroll::post,
        crate::policy::get,
        crate::ingest::post,
        get,
    ),
    tags(
        (name = "devices", description = "What agents ask and send"),
        (name = "insights", description = "What analysts ask. Every answer is of the token's \
            organisation alone. What fewer than k people stand behind is withheld: rows are left \
            out and counted, figures are null; so are figures from which, with the unfiltered \
            ones, those of fewer than k people could be told. Not covered: taking one period's \
            figures from those of a slightly longer one."),
        (name = "accounts", description = "The people of an organisation: who they are, what they may do"),
        (name = "feedback", description = "What the desk reads and does. No answer names a device \
            or a person; each act is in the audit log under the name of who did it."),
        (name = "administration", description = "What an organisation's administrators change"),
        (name = "live", description = "What happens, as it happens"),
        (name = "operation", description = "What operators ask"),
    ),
    components(schemas(snag_wire::Problem)),
    modifiers(&Tokens)
)]
struct Api;

/// The kinds of token.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (name, who) in [
            ("device", "A device's token, from POST /v1/enroll"),
            ("viewer", "A token of scope viewer, analyst or admin"),
            ("analyst", "A token of scope analyst or admin"),
            ("admin", "A token of scope admin"),
        ] {
            let bearer = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(who))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
        let cookie = ApiKeyValue::with_description(
            "snag_session",
            "The cookie of POST /v1/login (`__Host-snag_session` over TLS); what changes something \
             takes the header X-CSRF-Token besides, from POST /v1/login or GET /v1/me",
        );
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
        components.add_security_scheme("session", cookie);
    }
}

/// What routes answer beside: a route names the status, its meaning and type are here,
/// once. What the router answers around every route is added to each.
struct Problems;

const MEANINGS: &[(&str, &str)] = &[
    (
        "400",
        "The request is not what the route takes; `detail` says what it does take.",
    ),
    ("401", "No token, or none that is known."),
    ("403", "The token is known and may not do this."),
    ("404", "Nothing is at this address."),
    ("405", "The address takes other methods."),
    ("408", "The body took too long to arrive."),
    ("409", "It doesn't fit what is there; `detail` says why."),
    (
        "413",
        "The body is larger than the limit; send less at once.",
    ),
    (
        "415",
        "The body isn't in the type or encoding that the route takes.",
    ),
    (
        "429",
        "Asked too often; wait as long as `Retry-After` says.",
    ),
    ("500", "The server is at fault."),
    (
        "507",
        "The server's disk is nearly full; wait as long as `Retry-After` says.",
    ),
    (
        "503",
        "The server can't answer now; wait as long as `Retry-After` says.",
    ),
];

/// Answered by the router, whatever the route.
const EVERYWHERE: [&str; 3] = ["405", "500", "503"];

impl Modify for Problems {
    fn modify(&self, document: &mut Document) {
        for path in document.paths.paths.values_mut() {
            let operations = [
                &mut path.get,
                &mut path.post,
                &mut path.put,
                &mut path.patch,
                &mut path.delete,
            ];
            for operation in operations.into_iter().flatten() {
                // What takes a token of a role takes the session of somebody with it, too.
                if let Some(security) = &mut operation.security
                    && ["viewer", "analyst", "admin"]
                        .iter()
                        .any(|role| security.contains(&SecurityRequirement::new(*role, [""; 0])))
                {
                    security.push(SecurityRequirement::new("session", [""; 0]));
                }
                let responses = &mut operation.responses.responses;
                for status in EVERYWHERE {
                    responses
                        .entry(status.to_owned())
                        .or_insert_with(|| RefOr::T(Response::new("")));
                }
                for (status, meaning) in MEANINGS {
                    if let Some(RefOr::T(response)) = responses.get_mut(*status)
                        && response.content.is_empty()
                    {
                        *response = problem(meaning);
                    }
                }
            }
        }
    }
}

fn problem(meaning: &str) -> Response {
    let schema = utoipa::openapi::Ref::from_schema_name("Problem");
    let mut response = Response::new(meaning);
    response.content.insert(
        "application/problem+json".to_owned(),
        RefOr::T(ContentBuilder::new().schema(Some(schema)).build()),
    );
    response
}

/// The whole document.
#[must_use]
pub fn document() -> Document {
    let mut document = Api::openapi();
    // Nested, their paths would begin with two slashes.
    document.merge(crate::insights::Routes::openapi());
    document.merge(crate::admin::Routes::openapi());
    document.merge(crate::accounts::Routes::openapi());
    document.merge(crate::feedback::Routes::openapi());
    document.merge(crate::audit::read::Routes::openapi());
    document.merge(crate::feedback::DeskRoutes::openapi());
    document.merge(crate::figures::Routes::openapi());
    document.merge(crate::forget::Routes::openapi());
    document.merge(crate::feedback::analytics::Routes::openapi());
    document.merge(crate::feedback::groups::Routes::openapi());
    document.merge(crate::live::stream::Routes::openapi());
    document.merge(crate::retention::Routes::openapi());
    Problems.modify(&mut document);
    document
}

/// The document as it is printed and committed.
///
/// # Panics
/// Never: the document is JSON by its types.
#[must_use]
pub fn printed() -> String {
    let mut text = document()
        .to_pretty_json()
        .expect("the document's types are JSON");
    text.push('\n');
    text
}

/// This document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "operation",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value))
)]
pub async fn get() -> Json<Document> {
    Json(document())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_that_of_the_code() {
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let printed = super::printed();
        if std::env::var_os("SNAG_BLESS").is_some() {
            std::fs::write(committed, &printed).expect("the document can be written");
        }
        let committed = std::fs::read_to_string(committed).expect("the document is committed");
        assert!(
            committed == printed,
            "sync-server/openapi.json is not what the code says. If the contract was meant to \
             change: snag-server openapi > sync-server/openapi.json"
        );
    }

    #[test]
    fn every_problem_is_typed_and_every_route_is_described() {
        let document = serde_json::to_value(super::document()).expect("JSON");
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let what = format!("{method} {path}");
                assert!(path.starts_with('/') && !path.starts_with("//"), "{what}");
                assert!(operation["summary"].is_string(), "{what} says what it is");
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    let content = response["content"].as_object();
                    let health = path == "/health" && status == "503";
                    if status.as_str() >= "400" && !health {
                        let types: Vec<&String> =
                            content.into_iter().flatten().map(|c| c.0).collect();
                        assert_eq!(types, ["application/problem+json"], "{what} {status}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'d>(value: &'d serde_json::Value, found: &mut Vec<&'d str>) {
            match value {
                serde_json::Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(serde_json::Value::as_str));
                    fields.values().for_each(|field| references(field, found));
                }
                serde_json::Value::Array(items) => {
                    items.iter().for_each(|item| references(item, found));
                }
                _ => {}
            }
        }
        let document = serde_json::to_value(super::document()).expect("JSON");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 30, "references are found at all");
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
