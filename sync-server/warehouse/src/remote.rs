//! ClickHouse over HTTP, over the raw paths of the official client.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use clickhouse::query::BytesCursor;
use clickhouse::{Client, Compression};
use futures_util::{StreamExt as _, stream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::embedded::{INSERT_SETTINGS, arrow_stream, insert_statement};
use crate::fields::in_fields;
use crate::query::split_format;
use crate::{ByteStream, ErrorKind, Query, WarehouseError};

/// Where a ClickHouse server is.
#[derive(Clone)]
pub struct RemoteOptions {
    /// Its HTTP address: `http://host:8123` or `https://host:8443`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The database, created by migrations where missing.
    pub database: String,
}

impl std::fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// To reach a server; one that is there answers in milliseconds.
const CONNECT: Duration = Duration::from_secs(10);
/// For an answer to begin: as long as the longest statement may run.
const ANSWER: Duration = Duration::from_secs(300);
/// For the next piece of an answer, or for the server to take the next piece of data.
const NEXT: Duration = Duration::from_secs(60);
/// ClickHouse closes idle connections after three seconds unless told otherwise.
const IDLE: Duration = Duration::from_secs(2);

/// The remote transport.
pub(crate) struct Remote {
    client: Client,
    database: String,
}

impl Remote {
    pub(crate) fn open(options: RemoteOptions) -> Result<Self, WarehouseError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE);
        let client = if options.url.starts_with("https://") {
            connector.enforce_http(false);
            let connector = hyper_rustls::HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                .map_err(|error| {
                    WarehouseError::new(
                        ErrorKind::Unavailable,
                        format!("no certificates to check {} with: {error}", options.url),
                    )
                })?
                .https_only()
                .enable_http1()
                .wrap_connector(connector);
            Client::with_http_client(builder.build(connector))
        } else if options.url.starts_with("http://") {
            Client::with_http_client(builder.build(connector))
        } else {
            return Err(WarehouseError::new(
                ErrorKind::Unavailable,
                format!("{} is not an http:// or https:// address", options.url),
            ));
        };
        Ok(Self {
            client: client
                .with_url(options.url)
                .with_user(options.user)
                .with_password(options.password)
                .with_compression(Compression::Lz4)
                .with_database(&options.database),
            database: options.database,
        })
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The client for one query: its database, settings and parameters.
    fn client(&self, query: &Query, base: &[(&str, &str)]) -> Client {
        let mut client = self.client.clone();
        if let Some(database) = &query.database {
            client = client.with_database(database);
        }
        for (name, value) in base {
            client = client.with_setting(*name, *value);
        }
        for (name, value) in &query.settings {
            client = client.with_setting(name, value);
        }
        if query.readonly {
            // With the second, a server stops a query whose asker has hung up.
            client = client
                .with_setting("readonly", "1")
                .with_setting("cancel_http_readonly_queries_on_client_close", "1");
        }
        for (name, value) in &query.params {
            client = client.with_setting(format!("param_{name}"), value);
        }
        client
    }

    pub(crate) async fn insert(
        &self,
        table: &str,
        rows: RecordBatch,
    ) -> Result<(), WarehouseError> {
        let statement = format!("{} FORMAT ArrowStream", insert_statement(table, &rows));
        let data = Bytes::from(arrow_stream(&rows)?);
        let client = self.client(&Query::default(), &INSERT_SETTINGS);
        let mut insert = client
            .insert_formatted_with(statement)
            .with_timeouts(Some(NEXT), Some(ANSWER));
        insert.send(data).await.map_err(classify)?;
        insert.end().await.map_err(classify)
    }

    pub(crate) async fn execute(&self, query: Query) -> Result<(), WarehouseError> {
        let query = in_fields(query);
        let client = self.client(&query, &[]);
        within(ANSWER, client.query_raw(&query.sql).execute()).await
    }

    pub(crate) async fn select(&self, query: Query) -> Result<Bytes, WarehouseError> {
        let mut cursor = self.cursor(query)?;
        let mut all = match within(ANSWER, cursor.next()).await? {
            Some(first) => first,
            None => return Ok(Bytes::new()),
        };
        // One chunk is the rule for what insights ask, so that it is not copied.
        let mut joined: Option<Vec<u8>> = None;
        while let Some(chunk) = within(NEXT, cursor.next()).await? {
            joined
                .get_or_insert_with(|| all.to_vec())
                .extend_from_slice(&chunk);
        }
        if let Some(joined) = joined {
            all = joined.into();
        }
        Ok(all)
    }

    pub(crate) async fn select_stream(&self, query: Query) -> Result<ByteStream, WarehouseError> {
        let mut cursor = self.cursor(query)?;
        let Some(first) = within(ANSWER, cursor.next()).await? else {
            return Ok(Box::pin(stream::empty()));
        };
        let rest = stream::unfold(Some(cursor), |cursor| async {
            let mut cursor = cursor?;
            match within(NEXT, cursor.next()).await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(cursor))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Box::pin(stream::iter([Ok(first)]).chain(rest)))
    }

    pub(crate) async fn insert_stream(
        &self,
        query: Query,
        mut data: ByteStream,
    ) -> Result<(), WarehouseError> {
        let query = in_fields(query);
        let statement = match &query.format {
            Some(format) => format!("{} FORMAT {format}", query.sql),
            None => match split_format(&query.sql) {
                (_, Some(_)) => query.sql.clone(),
                (statement, None) => format!("{statement} FORMAT Values"),
            },
        };
        let client = self.client(&query, &[("async_insert", "0")]);
        let mut insert = client
            .insert_formatted_with(statement.as_str())
            .with_timeouts(Some(NEXT), Some(ANSWER));
        let mut sent = false;
        loop {
            match tokio::time::timeout(NEXT, data.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => {}
                Ok(Some(Ok(chunk))) => {
                    insert.send(chunk).await.map_err(classify)?;
                    sent = true;
                }
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) if sent => return insert.end().await.map_err(classify),
                // Without data the client sends nothing at all; the statement is to be checked yet.
                Ok(None) => return within(ANSWER, client.query_raw(&statement).execute()).await,
                Err(_) => {
                    return Err(WarehouseError::new(
                        ErrorKind::Rejected,
                        "the data of an insert stopped coming",
                    ));
                }
            }
        }
    }

    fn cursor(&self, query: Query) -> Result<BytesCursor, WarehouseError> {
        let query = in_fields(query);
        self.client(&query, &[])
            .query_raw(&query.sql)
            .fetch_bytes(query.format.as_deref().unwrap_or("TabSeparated"))
            .map_err(classify)
    }
}

/// What a call of the client comes to, unless it takes too long.
async fn within<T>(
    limit: Duration,
    call: impl Future<Output = clickhouse::error::Result<T>>,
) -> Result<T, WarehouseError> {
    match tokio::time::timeout(limit, call).await {
        Ok(outcome) => outcome.map_err(classify),
        Err(_) => Err(classify(clickhouse::error::Error::TimedOut)),
    }
}

fn classify(error: clickhouse::error::Error) -> WarehouseError {
    use clickhouse::error::Error;
    match error {
        Error::BadResponse(message) => WarehouseError::from_clickhouse(message),
        Error::InvalidParams(_) | Error::Unsupported(_) => {
            WarehouseError::new(ErrorKind::Rejected, error.to_string())
        }
        Error::TimedOut => WarehouseError::new(
            ErrorKind::Unavailable,
            "the ClickHouse server did not answer in time",
        ),
        error => {
            // The outer words say only "network error": the cause is further in.
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                message = format!("{message}: {error}");
                source = error.source();
            }
            WarehouseError::new(ErrorKind::Unavailable, message)
        }
    }
}
