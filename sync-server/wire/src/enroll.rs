//! `POST /v1/enroll`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::PolicyAnswer;

/// A device asks to join an organisation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrollRequest {
    /// The organisation's enrolment token.
    pub token: String,
    /// What the device is.
    pub device: DeviceFacts,
}

/// What a device says of itself once. No user name, no host name, no serial number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceFacts {
    /// `linux`, `windows` or `macos`.
    pub os: String,
    /// The agent's version.
    pub agent_version: String,
    /// The part of the organisation it belongs to, as IT named it; empty unless set.
    #[serde(default)]
    pub segment: String,
}

/// The device's identity and its first policy.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrollAnswer {
    /// The identity, minted by the server.
    pub device: Uuid,
    /// The device's token, shown once; the server keeps its hash.
    pub device_token: String,
    /// The policy in force.
    pub policy: PolicyAnswer,
}
