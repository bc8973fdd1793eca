//! `snag-agent enroll`: joins an organisation.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use snag_wire::{DeviceFacts, EnrollRequest};

use super::{VERSION, client};
use crate::config::{Identity, IdentityError, Paths};
use crate::convert;

/// Whom to join, and as what.
#[derive(clap::Args)]
pub struct Options {
    /// The server's address, https://…
    #[arg(long)]
    server: String,
    /// The organisation's enrolment token
    #[arg(long, env = "SNAG_ENROLL_TOKEN", hide_env_values = true)]
    token: String,
    /// PEM file of the certificate authority behind the server's certificate
    #[arg(long)]
    ca: Option<PathBuf>,
    /// What the organisation calls the set of programs it looks at
    #[arg(long, default_value = "default")]
    product: String,
    /// The part of the organisation this device belongs to
    #[arg(long, default_value = "")]
    segment: String,
    /// Enrol again even though the device is enrolled
    #[arg(long)]
    again: bool,
}

/// Joins, and keeps the identity.
///
/// # Errors
/// When the device is enrolled already, the server refuses, or its policy can't be followed.
pub async fn run(paths: &Paths, options: Options) -> Result<()> {
    match Identity::load(&paths.identity()) {
        Ok(identity) if !options.again => bail!(
            "this device is enrolled with {} already; --again replaces that",
            identity.server
        ),
        Err(error @ IdentityError::Unusable { .. }) if !options.again => return Err(error.into()),
        _ => {}
    }
    let ca = options
        .ca
        .map(std::path::absolute)
        .transpose()
        .context("the CA file")?;
    let request = EnrollRequest {
        token: options.token,
        device: DeviceFacts {
            os: std::env::consts::OS.to_owned(),
            agent_version: VERSION.to_owned(),
            segment: options.segment,
        },
    };
    let answer = client(&options.server, ca.as_deref())?
        .enroll(&request)
        .await?;
    convert::policy(&answer.policy, &[]).context(
        "the organisation's policy can't be followed; its administrator has to correct it",
    )?;
    let organisation = answer.policy.organisation.clone();
    let identity = Identity {
        server: options.server,
        ca,
        product: options.product,
        device: answer.device,
        device_token: answer.device_token,
        policy: answer.policy,
    };
    identity
        .save(&paths.identity())
        .context("the identity can't be kept")?;
    println!(
        "Enrolled with {} (ask {}).",
        organisation.name, organisation.contact
    );
    Ok(())
}
