//! One request, from its headers to its answer.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use snag_warehouse::{Counts, Query, ReadCounts, Warehouse};
use uuid::Uuid;

use super::access::{Access, Credentials, Scope, denied};
use super::decode::{self, Coding, Intake};
use super::encode::Encoding;
use super::exception::{Exception, code};
use super::head::{self, Ask};
use super::params::{Params, is_own_setting};
use super::reply::{Output, wait_for_end};
use super::session::Hold;
use super::statement::{Action, Statement, analyse};
use super::{Facts, SqlFront, form, format};

/// ClickHouse's default, and the most that `max_query_size` can raise it to.
const QUERY_BYTES: usize = 256 << 10;
const QUERY_BYTES_MAX: usize = 64 << 20;
/// A form holds the query and its parameters.
const FORM_BYTES_MAX: usize = 64 << 20;
/// ClickHouse's default of `http_max_field_value_size`: who asks this front can ask a
/// ClickHouse server in the same way.
const FIELD_BYTES_MAX: usize = 128 << 10;

const EXPOSED: &str = "X-ClickHouse-Query-Id,X-ClickHouse-Summary,X-ClickHouse-Server-Display-Name,\
                       X-ClickHouse-Format,X-ClickHouse-Timezone,X-ClickHouse-Exception-Code,X-ClickHouse-Exception-Tag";

const NO_HANDLE: &str = "There is no handle here\n\nUse / or /ping for health checks.\n\
                         Or /replicas_status for more sophisticated health checks.\n\n\
                         Send queries from your program with POST method or GET /?query=...\n";

pub(super) async fn handle(State(front): State<SqlFront>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_query = match parts.method {
        Method::POST => true,
        Method::GET | Method::HEAD => parts.uri.query().is_some(),
        _ => false,
    };
    if !is_query {
        let at_root = parts.uri.path() == "/" && matches!(parts.method, Method::GET | Method::HEAD);
        return if at_root {
            super::ok(State(front)).await
        } else {
            plain(StatusCode::NOT_FOUND, NO_HANDLE)
        };
    }
    let started = Instant::now();
    let facts = front.facts().await;
    let tag = Output::new_tag();
    let params = Params::parse(parts.uri.query().unwrap_or_default());
    let given_id = params
        .get("query_id")
        .or_else(|| text_header(&parts.headers, "x-clickhouse-query-id"));
    let query_id = given_id
        .filter(|id| !id.is_empty())
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let is_head = parts.method == Method::HEAD;

    let outcome = answer(&front, &parts, body, params, &facts, &tag).await;
    let mut response = outcome.unwrap_or_else(|exception| exception.response(&facts.version));
    if let Some(code) = response.headers().get("x-clickhouse-exception-code") {
        tracing::debug!(
            code = code.to_str().unwrap_or_default(),
            query_id,
            "a query failed"
        );
    }
    if is_head {
        *response.body_mut() = Body::empty();
    }
    let summary = response
        .extensions()
        .get::<Summary>()
        .copied()
        .unwrap_or_default();
    let summary = summary.to_json(started.elapsed().as_nanos());
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.entry(name).or_insert(value);
        }
    };
    set("x-clickhouse-query-id", HeaderValue::try_from(query_id));
    set("x-clickhouse-timezone", Ok(facts.timezone));
    set("x-clickhouse-exception-tag", HeaderValue::try_from(tag));
    set(
        "x-clickhouse-server-display-name",
        Ok(front.inner.display_name.clone()),
    );
    set(
        "access-control-expose-headers",
        Ok(HeaderValue::from_static(EXPOSED)),
    );
    set("x-clickhouse-summary", HeaderValue::try_from(summary));
    set(
        "content-type",
        Ok(HeaderValue::from_static("text/plain; charset=UTF-8")),
    );
    response
}

/// What is known of a query when the headers of its answer go: all of it when the answer
/// waited for its end or is one piece, else what it took to begin.
#[derive(Clone, Copy, Default)]
struct Summary {
    read: Counts,
    written: Counts,
    result: Counts,
}

impl Summary {
    fn to_json(self, elapsed_ns: u128) -> String {
        let Self {
            read,
            written,
            result,
        } = self;
        format!(
            "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\
             \"total_rows_to_read\":\"{}\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\",\"elapsed_ns\":\"{elapsed_ns}\"}}",
            read.rows,
            read.bytes,
            written.rows,
            written.bytes,
            read.rows,
            result.rows,
            result.bytes,
        )
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Checks who asks, then answers; an exception behind that point is encoded as the
/// client wants its answer.
async fn answer(
    front: &SqlFront,
    parts: &Parts,
    body: Body,
    mut params: Params,
    facts: &Facts,
    tag: &str,
) -> Result<Response<Body>, Exception> {
    let credentials = Credentials::of_request(&parts.headers, &params)?;
    let Some(access) = front.inner.gate.admit(&credentials).await else {
        tracing::info!("a caller of the SQL front was refused");
        return Err(denied(&credentials));
    };
    let output = output(parts, &params, facts, tag)?;
    let coding =
        Coding::of_header(text_header(&parts.headers, "content-encoding").unwrap_or_default())?;
    let blocks = params.flag("decompress", false)?;
    let Intake { stream, drained } = decode::intake(body, coding, blocks);
    let hold = front.inner.sessions.hold(&credentials.user, &params)?;
    let asked = async {
        let limit = match params.number("max_query_size")? {
            None => QUERY_BYTES,
            Some(0) => QUERY_BYTES_MAX,
            Some(bytes) => usize::try_from(bytes)
                .unwrap_or(QUERY_BYTES_MAX)
                .min(QUERY_BYTES_MAX),
        };
        let boundary = text_header(&parts.headers, "content-type")
            .and_then(form::boundary)
            .transpose()?;
        match &boundary {
            Some(boundary) => {
                let body = head::read_all(stream, FORM_BYTES_MAX).await?;
                let text = read_form(&form::fields(&body, boundary)?, &mut params)?;
                head::read(
                    &text,
                    Box::pin(futures_util::stream::empty()),
                    FORM_BYTES_MAX,
                )
                .await
                .map(|ask| (ask, true))
            }
            None => {
                let in_url = params.get("query").unwrap_or_default().to_owned();
                head::read(&in_url, stream, limit)
                    .await
                    .map(|ask| (ask, false))
            }
        }
    };
    let outcome = match asked.await {
        Ok((ask, is_form)) => {
            let job = Job::new(front, parts, params, is_form, access, &hold)?;
            job.run(ask, output.clone()).await
        }
        Err(exception) => Err(exception),
    };
    front.inner.sessions.release(&hold);
    match outcome {
        Ok(response) => Ok(response),
        Err(exception) => {
            // Most clients read an answer only when they have sent everything.
            drained.wait().await;
            Ok(output.exception(&exception))
        }
    }
}

/// The query of a form, and its parameters into `params`.
fn read_form(fields: &[form::Field], params: &mut Params) -> Result<String, Exception> {
    let mut text = String::new();
    let in_url = params.get("query").unwrap_or_default().to_owned();
    for field in fields {
        if !field.is_file && field.value.len() > FIELD_BYTES_MAX {
            return Err(Exception::new(
                code::POCO_EXCEPTION,
                format!("HTML Form Exception: Field value too long: {}", field.name),
            ));
        }
        let value = || {
            String::from_utf8(field.value.clone()).map_err(|_| {
                Exception::new(
                    code::BAD_ARGUMENTS,
                    format!("The field {} is not UTF-8", field.name),
                )
            })
        };
        if field.name == "query" {
            text.push_str(&value()?);
        } else if field.name.starts_with("param_") {
            params.push(field.name.clone(), value()?);
        } else if field.is_file {
            return Err(Exception::new(
                code::NOT_IMPLEMENTED,
                "External tables are not supported here; insert the data into a table first",
            ));
        }
    }
    Ok(in_url + &text)
}

fn output(parts: &Parts, params: &Params, facts: &Facts, tag: &str) -> Result<Output, Exception> {
    let accept = text_header(&parts.headers, "accept-encoding").unwrap_or_default();
    // On by default, as in ClickHouse since 24.
    let encoding = if params.flag("enable_http_compression", true)? {
        Encoding::choose(accept)
    } else {
        None
    };
    let level = params.number("http_zlib_compression_level")?.unwrap_or(3);
    Ok(Output {
        encoding,
        blocks: params.flag("compress", false)?,
        level: u32::try_from(level).unwrap_or(3),
        tag: tag.to_owned(),
        version: facts.version.clone(),
    })
}

/// A request that is understood, on its way to the warehouse.
struct Job<'a> {
    front: &'a SqlFront,
    hold: &'a Hold,
    access: Access,
    /// 0: may write, 1 and 2 as in ClickHouse.
    readonly: u8,
    wait_for_end: bool,
    base: Query,
}

impl<'a> Job<'a> {
    fn new(
        front: &'a SqlFront,
        parts: &Parts,
        params: Params,
        is_form: bool,
        access: Access,
        hold: &'a Hold,
    ) -> Result<Self, Exception> {
        let header_or = |header: &str, name: &str| {
            let value = text_header(&parts.headers, header).filter(|v| !v.is_empty());
            value
                .or_else(|| params.get(name).filter(|v| !v.is_empty()))
                .map(str::to_owned)
        };
        let given = params.settings(is_form);
        let mut settings: Vec<(String, String)> = hold
            .state
            .settings
            .iter()
            .filter(|(n, _)| !is_own_setting(n))
            .cloned()
            .collect();
        settings.retain(|(name, _)| !given.iter().any(|(n, _)| n == name));
        settings.extend(given);
        let mut bound = params.bound();
        for (name, value) in &hold.state.bound {
            if !bound.iter().any(|(n, _)| n == name) {
                bound.push((name.clone(), value.clone()));
            }
        }
        let mut job = Self {
            front,
            hold,
            access,
            readonly: readonly(parts, &params, hold)?,
            wait_for_end: params.flag(
                "wait_end_of_query",
                params.flag("http_wait_end_of_query", false)?,
            )?,
            base: Query {
                sql: String::new(),
                params: bound,
                settings,
                format: header_or("x-clickhouse-format", "default_format"),
                database: header_or("x-clickhouse-database", "database")
                    .or_else(|| hold.state.database.clone()),
                readonly: false,
            },
        };
        job.confine()?;
        Ok(job)
    }

    /// Makes the query what [`Access`] allows.
    fn confine(&mut self) -> Result<(), Exception> {
        match &self.access {
            Access::Full => {
                // Settings may still be chosen, in the text, too: that is `readonly = 2`.
                if self.readonly > 0 {
                    self.base
                        .settings
                        .push(("readonly".to_owned(), self.readonly.to_string()));
                }
            }
            Access::ReadOnly(scope) => {
                self.readonly = 1;
                self.base.readonly = true;
                self.check_choosable(scope, &self.base.settings)?;
                if let (Some(asked), Some(own)) = (&self.base.database, &scope.database)
                    && asked != own
                {
                    return Err(Exception::new(
                        code::ACCESS_DENIED,
                        format!("Not enough privileges for database {asked}"),
                    ));
                }
                self.base.database = scope.database.clone().or(self.base.database.take());
                self.base
                    .settings
                    .retain(|(name, _)| !scope.settings.iter().any(|(n, _)| n == name));
                self.base.settings.extend(scope.settings.iter().cloned());
            }
        }
        Ok(())
    }

    fn check_choosable(
        &self,
        scope: &Scope,
        settings: &[(String, String)],
    ) -> Result<(), Exception> {
        match settings
            .iter()
            .find(|(name, _)| !scope.choosable.contains(name))
        {
            Some((name, _)) => Err(Exception::new(
                code::READONLY,
                format!("Cannot modify '{name}' setting in readonly mode"),
            )),
            None => Ok(()),
        }
    }

    async fn run(&self, ask: Ask, output: Output) -> Result<Response<Body>, Exception> {
        match ask {
            Ask::Insert {
                statement,
                format,
                data,
            } => {
                self.check_may_write()?;
                let query = Query {
                    format: Some(format),
                    ..self.query(&text(&statement)?)
                };
                let warehouse = self.warehouse();
                // On a task of its own: a client that leaves when all is sent has still sent all.
                let task = tokio::spawn(async move { warehouse.insert_stream(query, data).await });
                Ok(done(settle(task).await?))
            }
            Ask::Statement(bytes) => {
                let found = analyse(&bytes);
                check_form(&found)?;
                let sql = text(&bytes[..found.end])?;
                self.run_statement(found, sql, output).await
            }
        }
    }

    async fn run_statement(
        &self,
        found: Statement,
        sql: String,
        output: Output,
    ) -> Result<Response<Body>, Exception> {
        match found.action {
            Action::Read => self.stream(found.format, sql, output).await,
            Action::Report => {
                self.check_may_write()?;
                self.stream(found.format, sql, output).await
            }
            Action::Write => {
                self.check_may_write()?;
                let (warehouse, query) = (self.warehouse(), self.query(&sql));
                let task = tokio::spawn(async move { warehouse.execute_counted(query).await });
                Ok(done(settle(task).await?))
            }
            Action::Set(pairs) => {
                self.set(&pairs).await?;
                Ok(done(Counts::default()))
            }
            Action::Use(database) => {
                if let Access::ReadOnly(Scope {
                    database: Some(own),
                    ..
                }) = &self.access
                    && *own != database
                {
                    return Err(Exception::new(
                        code::ACCESS_DENIED,
                        format!("Not enough privileges for database {database}"),
                    ));
                }
                self.probe(Query {
                    database: Some(database.clone()),
                    ..self.query("SELECT 1")
                })
                .await?;
                self.front
                    .inner
                    .sessions
                    .change(self.hold, |state| state.database = Some(database))?;
                Ok(done(Counts::default()))
            }
            Action::Empty => Err(Exception::new(
                code::SYNTAX_ERROR,
                "Syntax error: Empty query",
            )),
            Action::TemporaryTable => Err(not_here(
                "Temporary tables are not supported here: a session keeps settings and its database, no tables. \
                 Create an ordinary table, with the Memory engine if it need not last",
            )),
            Action::Transaction => Err(not_here("Transactions are not supported here")),
            Action::Role => Err(not_here("Roles are not supported here")),
            Action::Shutdown => Err(not_here("The engine can't be stopped from here")),
        }
    }

    async fn stream(
        &self,
        format: Option<String>,
        sql: String,
        output: Output,
    ) -> Result<Response<Body>, Exception> {
        // The text's own format is named beside it, too: how an answer is put together
        // depends on it.
        let default = || self.base.format.clone();
        let name = format
            .or_else(default)
            .unwrap_or_else(|| format::DEFAULT.to_owned());
        let query = Query {
            format: Some(name.clone()),
            ..self.query(&sql)
        };
        let counts = Arc::new(ReadCounts::default());
        let mut data = self
            .warehouse()
            .select_stream_counted(query, Arc::clone(&counts))
            .await?;
        if self.wait_for_end {
            data = wait_for_end(data).await?;
        }
        let mut response = output.stream(data).map_err(|_| {
            Exception::new(
                code::BAD_ARGUMENTS,
                "The answer can't be compressed at this level",
            )
        })?;
        response.extensions_mut().insert(Summary {
            read: counts.read(),
            result: counts.result(),
            written: Counts::default(),
        });
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(format::content_type(&name)),
        );
        if let Ok(name) = HeaderValue::try_from(name) {
            headers.insert("x-clickhouse-format", name);
        }
        Ok(response)
    }

    /// `SET`: the engine judges names and values, the session keeps them.
    async fn set(&self, pairs: &[(String, String)]) -> Result<(), Exception> {
        let settings: Vec<_> = pairs
            .iter()
            .filter(|(n, _)| !n.starts_with("param_") && !is_own_setting(n))
            .cloned()
            .collect();
        if let Access::ReadOnly(scope) = &self.access {
            self.check_choosable(scope, &settings)?;
        }
        let mut query = self.query("SELECT 1");
        query
            .settings
            .retain(|(name, _)| name == "readonly" || !settings.iter().any(|(n, _)| n == name));
        let readonly_at = query
            .settings
            .iter()
            .position(|(n, _)| n == "readonly")
            .unwrap_or(query.settings.len());
        query.settings.splice(readonly_at..readonly_at, settings);
        self.probe(query).await?;
        self.front
            .inner
            .sessions
            .change(self.hold, |state| state.set(pairs))
    }

    async fn probe(&self, query: Query) -> Result<Bytes, Exception> {
        Ok(self.warehouse().select(query).await?)
    }

    fn query(&self, sql: &str) -> Query {
        Query {
            sql: sql.to_owned(),
            ..self.base.clone()
        }
    }

    fn warehouse(&self) -> Warehouse {
        self.front.inner.warehouse.clone()
    }

    fn check_may_write(&self) -> Result<(), Exception> {
        if self.readonly == 0 {
            return Ok(());
        }
        Err(Exception::new(
            code::READONLY,
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. \
             You should use method POST for modifying queries",
        ))
    }
}

/// The answer of a statement that answers nothing; what it wrote goes to the summary.
fn done(counts: Counts) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Summary {
        written: counts,
        result: counts,
        read: Counts::default(),
    });
    response
}

/// `GET` and `HEAD` only read, as in ClickHouse; so does who asks for it.
fn readonly(parts: &Parts, params: &Params, hold: &Hold) -> Result<u8, Exception> {
    let of_session = hold
        .state
        .settings
        .iter()
        .find(|(n, _)| n == "readonly")
        .map(|(_, v)| v.as_str());
    let asked = match params.get("readonly").or(of_session) {
        None | Some("0") => 0,
        Some("1") => 1,
        Some("2") => 2,
        Some(_) => {
            return Err(Exception::new(
                code::BAD_ARGUMENTS,
                "Setting readonly is 0, 1 or 2",
            ));
        }
    };
    Ok(match parts.method {
        Method::POST => asked,
        _ if asked == 0 => 2,
        _ => asked,
    })
}

/// What no statement may be, whatever it does.
fn check_form(found: &Statement) -> Result<(), Exception> {
    if let Some(at) = found.second_at {
        return Err(Exception::new(
            code::SYNTAX_ERROR,
            format!(
                "Syntax error (Multi-statements are not allowed): failed at position {}",
                at + 1
            ),
        ));
    }
    if found.into_outfile {
        return Err(Exception::new(
            code::INTO_OUTFILE_NOT_ALLOWED,
            "INTO OUTFILE is not allowed",
        ));
    }
    if found.from_infile {
        return Err(Exception::new(
            code::UNKNOWN_TYPE_OF_QUERY,
            "Query has infile and was sent directly to server",
        ));
    }
    Ok(())
}

fn not_here(message: &str) -> Exception {
    Exception::new(code::NOT_IMPLEMENTED, message)
}

fn text(bytes: &[u8]) -> Result<String, Exception> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Exception::new(
            code::BAD_ARGUMENTS,
            "The query is not UTF-8; write other bytes as \\x.. in strings",
        )),
    }
}

async fn settle<T>(
    task: tokio::task::JoinHandle<Result<T, snag_warehouse::WarehouseError>>,
) -> Result<T, Exception> {
    match task.await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Exception::new(
            code::SERVER_OVERLOADED,
            "The query was abandoned",
        )),
    }
}
