//! Listening, and ending in order.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use jiff::civil::date;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use snag_warehouse::Warehouse;

use crate::feedback::screenshots;
use crate::metrics::RollupLabels;
use crate::unheard::Worded;
use crate::verify::{self, Report, Window};
use crate::{AppState, router};

/// A request's head has this long to arrive; an idle connection is closed after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests have this long to end when the server stops: longer than a body and an
/// insert take.
const DRAIN: Duration = Duration::from_secs(30);

/// How far back the rollups are compared at start and every [`VERIFY_EVERY`]: longer
/// than the time between two looks, so that none is left out.
const VERIFY_RECEIVED_S: u64 = 2 * 3_600;
const VERIFY_EVERY: Duration = Duration::from_secs(3_600);
/// How soon rollups are compared after an insert failed half way.
const VERIFY_DIRTY_EVERY: Duration = Duration::from_secs(15);

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Certificate chain and key, as PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Serves until `stop` is ready, then finishes what was begun and closes the warehouse.
///
/// # Errors
/// The address can't be had, the certificate can't be used, the rollups can't be verified.
pub async fn serve(
    warehouse: Warehouse,
    state: Arc<AppState>,
    listen: &Listen,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let tls = match &listen.tls {
        Some((certificates, key)) => Some(tls_config(certificates, key)?),
        None => None,
    };
    // Bound before anything long, so that a taken port is known at once.
    let listener = TcpListener::bind(listen.address)
        .with_context(|| format!("can't listen on {}", listen.address))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;

    let window = Window::RecentlyReceived(VERIFY_RECEIVED_S);
    let report = verify::verify(&warehouse, &window, Some(&state.write_gate))
        .await
        .context("can't compare the rollups with the raw rows")?;
    note(&state, &report);
    let watch = tokio::spawn(watch_rollups(Arc::clone(&state)));
    let keeper = tokio::spawn(crate::retention::keep(Arc::clone(&state)));

    let follow = tokio::spawn(screenshots::follow(Arc::clone(&state)));

    let handle = Handle::new();
    let app =
        router::router(Arc::clone(&state)).into_make_service_with_connect_info::<SocketAddr>();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let serving = {
        let handle = handle.clone();
        tokio::spawn(async move {
            match tls {
                Some(config) => {
                    let mut server = axum_server::from_tcp_rustls(listener, config)?.handle(handle);
                    limit(server.http_builder());
                    server.map(Worded).serve(app).await
                }
                None => {
                    let mut server = axum_server::from_tcp(listener)?.handle(handle);
                    limit(server.http_builder());
                    server.map(Worded).serve(app).await
                }
            }
        })
    };
    handle.listening().await;
    println!(
        "snag-server {} listening on {scheme}://{address}",
        env!("CARGO_PKG_VERSION")
    );
    tracing::info!(%address, %scheme, "listening");

    stop.await;
    tracing::info!(connections = handle.connection_count(), "stopping");
    state.draining.store(true, Ordering::Relaxed);
    // Streams end by themselves only when told to.
    state.live.end_streams();
    handle.graceful_shutdown(Some(DRAIN));
    serving.await??;
    for task in [watch, keeper, follow] {
        task.abort();
        drop(task.await);
    }
    state.commits.close().await;
    state.live.close().await;
    state.submissions.close().await;
    drop(state);
    warehouse.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn limit(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(32 << 10)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT);
}

fn tls_config(certificates: &Path, key: &Path) -> anyhow::Result<RustlsConfig> {
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("can't read certificates from {}", certificates.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{} holds no certificate",
        certificates.display()
    );
    let key_der = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("can't read a private key from {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .with_context(|| {
            format!(
                "{} and {} don't belong together",
                certificates.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// Compares rollups on a schedule, and soon after an insert failed half way.
async fn watch_rollups(state: Arc<AppState>) {
    let mut last_full = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(VERIFY_DIRTY_EVERY).await;
        let dirty = std::mem::take(&mut *state.commits.dirty.lock());
        let window = if !dirty.is_empty() {
            let epoch = date(1970, 1, 1);
            let days: BTreeSet<_> = dirty
                .iter()
                .filter_map(|day| epoch.checked_add(jiff::Span::new().days(*day)).ok())
                .collect();
            Window::Days(days)
        } else if last_full.elapsed() >= VERIFY_EVERY {
            last_full = tokio::time::Instant::now();
            Window::RecentlyReceived(VERIFY_RECEIVED_S)
        } else {
            continue;
        };
        match verify::verify(&state.warehouse, &window, Some(&state.write_gate)).await {
            Ok(report) => note(&state, &report),
            Err(error) => {
                tracing::warn!(code = ?error.code, %error, "can't compare the rollups with the raw rows");
                state.commits.dirty.lock().extend(dirty);
            }
        }
    }
}

fn note(state: &AppState, report: &Report) {
    for (rollup, _) in &report.repaired {
        let labels = RollupLabels {
            rollup: rollup.clone(),
        };
        state.metrics.rollup_repairs.get_or_create(&labels).inc();
    }
    tracing::info!(
        rollups = report.rollups.len(),
        days = report.days,
        differences = report.differences.len(),
        repaired = report.repaired.len(),
        remaining = report.remaining.len(),
        "compared the rollups with the raw rows"
    );
}

/// Ready at SIGTERM or SIGINT (Ctrl-C elsewhere) from the call on, which has to be made in
/// a runtime.
pub fn stop_signal() -> impl Future<Output = ()> {
    // Asked for now, not when it is waited for: whoever reads that the server listens may
    // end it at once.
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).and_then(|terminate| {
            signal(SignalKind::interrupt()).map(|interrupt| (terminate, interrupt))
        })
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut terminate, mut interrupt)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        drop(tokio::signal::ctrl_c().await);
    }
}
