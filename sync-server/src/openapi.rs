//! The OpenAPI document, generated from the code.
//!
//! It is committed as `sync-server/openapi.json`, so that a change of the contract is
//! seen in review; a test fails where the two differ. `snag-server openapi` prints it.

use std::collections::HashSet;
use std::sync::LazyLock;

use axum::Json;
use http::Method;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi as Document, RefOr, Response};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Snag",
        description = "Where software gets in people's way.\n\n\
            Everything is JSON in `snake_case`; times are RFC 3339 in UTC. A body is an \
            object, sent as `Content-Type: application/json`, and refused without it; only \
            screenshots are sent as they are. Whatever has a \
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
            or a person; each change, each look at a picture and each export is in the audit log \
            under the name of who did it, reading the words is not."),
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

/// A body of bytes as they are, such as a picture. As a list of bytes, which they are to
/// Rust, generated clients would take it for an array of numbers.
pub(crate) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let bytes = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
        bytes.build().into()
    }
}

impl ToSchema for Binary {}

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
        "The body isn't in the type or encoding that the route takes, or doesn't say its type.",
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

/// What can be answered whatever the route: by the router, or by what every route asks.
const EVERYWHERE: [&str; 3] = ["405", "500", "503"];
/// Where a body is read.
const WITH_BODY: [&str; 4] = ["400", "408", "413", "415"];
/// Where somebody has to be known; and such a route takes no parameter that it doesn't have.
const WITH_SECURITY: [&str; 3] = ["400", "401", "403"];
/// Where something is named in the address.
const WITH_NAME: [&str; 1] = ["404"];
/// Where the warehouse is asked: even reading may need room on its disk.
const WITH_WAREHOUSE: [&str; 1] = ["507"];

/// What can be answered beside what the route itself answers.
fn beside(path: &str, operation: &Operation) -> impl Iterator<Item = &'static str> + use<> {
    let body = operation.request_body.is_some();
    let security = operation.security.is_some();
    let mut statuses = EVERYWHERE.to_vec();
    for (can, more) in [
        (body, &WITH_BODY[..]),
        (security, &WITH_SECURITY),
        (path.contains('{'), &WITH_NAME),
        (body || security, &WITH_WAREHOUSE),
    ] {
        if can {
            statuses.extend(more);
        }
    }
    statuses.into_iter()
}

impl Modify for Problems {
    fn modify(&self, document: &mut Document) {
        for (address, path) in &mut document.paths.paths {
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
                let beside = beside(address, operation);
                let responses = &mut operation.responses.responses;
                for status in beside {
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

/// Whether an operation, named by its method and the route's address, takes no parameters
/// and says so where some are given. What operators' tools ask may be asked with any.
pub(crate) fn refuses_parameters(method: &Method, address: &str) -> bool {
    static REFUSING: LazyLock<HashSet<(Method, String)>> = LazyLock::new(|| {
        let mut refusing = HashSet::new();
        for (address, path) in document().paths.paths {
            for (method, operation) in [
                (Method::GET, path.get),
                (Method::POST, path.post),
                (Method::PUT, path.put),
                (Method::PATCH, path.patch),
                (Method::DELETE, path.delete),
            ] {
                let refuses = operation.is_some_and(|operation| {
                    let given = operation.parameters.unwrap_or_default();
                    let asks = operation.security.is_some() || operation.request_body.is_some();
                    let query = |one: &RefOr<Parameter>| match one {
                        RefOr::T(one) => one.parameter_in == ParameterIn::Query,
                        RefOr::Ref(_) => true,
                    };
                    asks && !given.iter().any(query)
                });
                if refuses {
                    refusing.insert((method, address.clone()));
                }
            }
        }
        refusing
    });
    // What is asked of a head is what is asked of the whole.
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    REFUSING.contains(&(method.clone(), address.to_owned()))
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
