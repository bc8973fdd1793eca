//! The OpenAPI document, generated from the code.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Snag",
        description = "Where software gets in people's way. Errors are application/problem+json.",
    ),
    paths(
        crate::health::get,
        crate::enroll::post,
        crate::policy::get,
        crate::ingest::post,
    ),
    components(schemas(snag_wire::Problem)),
    modifiers(&Tokens)
)]
struct Document;

struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, who) in [
            ("device", "A device's token, from POST /v1/enroll"),
            ("analyst", "A token of scope analyst or admin"),
            ("admin", "A token of scope admin"),
        ] {
            let bearer = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(who))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
    }
}

/// The whole document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// `GET /v1/openapi.json`.
pub async fn get() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
