//! Screenshots over HTTP: checked by decoding, stored once, seen by those who may.

mod harness;

use std::io::Cursor;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::StreamExt as _;
use harness::{Answer, Device, Server, slow};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use snag_server::AppState;
use snag_server::feedback::screenshots;
use snag_server::objects::Listed;
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_server::state::Settings;
use uuid::Uuid;

fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(pixels)
        .write_to(&mut bytes, format)
        .expect("memory");
    bytes.into_inner()
}

fn png() -> Vec<u8> {
    encoded(640, 400, ImageFormat::Png)
}

/// A submission of a device; its id.
async fn item(server: &Server, device: &Device) -> Uuid {
    let id = Uuid::now_v7();
    let body = json!({"id": id, "created_at": Timestamp::now().to_string(), "category": "bug",
        "description": "It hangs."});
    let request = Request::post("/v1/feedback")
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    let answer = server.send(request.expect("a request")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    id
}

async fn put(server: &Server, token: &str, id: &str, bytes: Vec<u8>, media_type: &str) -> Answer {
    let mut request = Request::put(format!("/v1/feedback/{id}/screenshot"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    if !media_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    server
        .send(request.body(Body::from(bytes)).expect("a request"))
        .await
}

/// Status, headers and bytes.
async fn fetch(
    server: &Server,
    path: &str,
    token: &str,
    known: Option<&str>,
) -> (u16, axum::http::HeaderMap, Vec<u8>) {
    let mut request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    let request = request.body(Body::empty()).expect("a request");
    server.send_raw(request).await
}

async fn objects(server: &Server) -> Vec<Listed> {
    let mut objects: Vec<Listed> = server
        .state
        .objects
        .list()
        .map(|object| object.expect("an object"))
        .collect()
        .await;
    objects.sort_by_key(|object| (object.hash.clone(), object.thumbnail));
    objects
}

async fn rows(server: &Server) -> String {
    server.sql("SELECT count() FROM screenshots").await
}

#[tokio::test]
async fn a_picture_is_stored_and_seen_as_it_was_sent() {
    let server = Server::start().await;
    let device = server.enroll().await;
    for (format, media_type) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        let id = item(&server, &device).await.to_string();
        let bytes = encoded(800, 600, format);
        let hash = hex::encode(Sha256::digest(&bytes));
        let answer = put(&server, &device.token, &id, bytes.clone(), media_type).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let told = json!({"sha256": hash, "size_bytes": bytes.len(), "width": 800, "height": 600});
        assert_eq!(answer.body, told);
        // Again, with and without saying what it is: nothing changes.
        let answer = put(&server, &device.token, &id, bytes.clone(), "").await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &told));

        let path = format!("/v1/feedback/{id}/screenshot");
        let (status, headers, seen) = fetch(&server, &path, &server.org.analyst_token, None).await;
        assert_eq!(status, 200);
        assert!(seen == bytes, "the very bytes");
        assert_eq!(headers["content-type"], media_type);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; sandbox"
        );
        assert_eq!(headers["cache-control"], "private, no-cache");
        let tag = headers["etag"].to_str().expect("text").to_owned();
        let again = fetch(&server, &path, &server.org.analyst_token, Some(&tag)).await;
        assert_eq!((again.0, again.2.len()), (304, 0));

        // The thumbnail wasn't made yet; whoever asks gets it all the same.
        let path = format!("/v1/feedback/{id}/thumbnail");
        let (status, headers, small) = fetch(&server, &path, &server.org.analyst_token, None).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (200, &"image/webp".parse().expect("a value"))
        );
        let small = image::load_from_memory_with_format(&small, ImageFormat::WebP).expect("WebP");
        assert_eq!((small.width(), small.height()), (480, 360));
        let seen = format!(
            "SELECT count(), uniqExact(actor) FROM audit WHERE target = '{id}' AND action = 'screenshot.read'"
        );
        assert_eq!(server.sql(&seen).await, "3\t1");
        let stored = format!(
            "SELECT hash, size_bytes, media_type, width, height FROM screenshots WHERE feedback = '{id}'"
        );
        assert_eq!(
            server.sql(&stored).await,
            format!("{hash}\t{}\t{media_type}\t800\t600", bytes.len())
        );
    }
    assert_eq!(rows(&server).await, "3");
    let objects = objects(&server).await;
    assert_eq!(objects.len(), 6);
    assert!(objects.iter().all(|object| object.org == server.org.org));
}

#[tokio::test]
async fn the_first_picture_stands() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    assert_eq!(
        put(&server, &device.token, &id, png(), "image/png")
            .await
            .status,
        201
    );
    let other = encoded(10, 10, ImageFormat::Png);
    let answer = put(&server, &device.token, &id, other, "image/png").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "conflict"));
    // A server that stored neither says the same.
    let again = server.restart(snag_server::AppState::system_clock());
    let answer = put(
        &again,
        &device.token,
        &id,
        encoded(10, 10, ImageFormat::Png),
        "",
    )
    .await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "conflict"));
    assert_eq!(put(&again, &device.token, &id, png(), "").await.status, 200);
    assert_eq!(rows(&server).await, "1");
    assert_eq!(objects(&server).await.len(), 1);
}

#[tokio::test]
async fn pictures_at_once_leave_one() {
    let server = Arc::new(Server::start().await);
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let mut senders = tokio::task::JoinSet::new();
    // As many as a device may send at once.
    for side in 1..=4 {
        let (server, token, id) = (Arc::clone(&server), device.token.clone(), id.clone());
        let bytes = encoded(side % 2 + 1, 5, ImageFormat::Png);
        senders.spawn(async move { put(&server, &token, &id, bytes, "").await.status.as_u16() });
    }
    let statuses = senders.join_all().await;
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!(
        (count(201), count(200), count(409)),
        (1, 1, 2),
        "{statuses:?}"
    );
    assert_eq!(rows(&server).await, "1");
    assert_eq!(objects(&server).await.len(), 1);
}

#[tokio::test]
async fn only_the_submitting_device_sends_and_only_the_desk_sees() {
    let server = Server::start().await;
    let (device, other) = (server.enroll().await, server.enroll().await);
    let id = item(&server, &device).await.to_string();
    for (token, id, status) in [
        (&other.token, &id, 404),
        (&device.token, &Uuid::now_v7().to_string(), 404),
        (&device.token, &"7".to_owned(), 404),
        (&server.org.analyst_token, &id, 403),
        (&server.org.admin_token, &id, 403),
        (&server.org.enroll_token, &id, 403),
        (&"snag_device_x".to_owned(), &id, 401),
    ] {
        let answer = put(&server, token, id, png(), "image/png").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    assert_eq!(rows(&server).await, "0");
    assert_eq!(
        put(&server, &device.token, &id, png(), "image/png")
            .await
            .status,
        201
    );
    let new = snag_server::control::NewOrg {
        name: "other",
        contact: "x",
        k: 5,
        local: false,
        policy: snag_server::orgs::OrgPolicy::default(),
    };
    let foreign = snag_server::control::create_org(&server.warehouse, new, Timestamp::now())
        .await
        .expect("an organisation");
    for what in ["screenshot", "thumbnail"] {
        let path = format!("/v1/feedback/{id}/{what}");
        for (token, status) in [
            (&device.token, 403),
            (&foreign.analyst_token, 404),
            (&foreign.admin_token, 404),
            (&server.org.admin_token, 200),
        ] {
            assert_eq!(fetch(&server, &path, token, None).await.0, status);
        }
        let bad = format!("/v1/feedback/x/{what}");
        assert_eq!(
            fetch(&server, &bad, &server.org.admin_token, None).await.0,
            404
        );
    }
    let looks = "SELECT count() FROM audit WHERE action = 'screenshot.read'";
    assert_eq!(server.sql(looks).await, "2");
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let jpeg = encoded(64, 64, ImageFormat::Jpeg);
    let cut = png()[..2_000].to_vec();
    let polyglot = [&png()[..], b"PK\x05\x06 and the rest of an archive"].concat();
    let mut bomb = png();
    bomb[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let many = vec![0; (10 << 20) + 1];
    for (what, bytes, media_type, status, code) in [
        (
            "nothing",
            Vec::new(),
            "image/png",
            415,
            "unsupported_media_type",
        ),
        ("cut off", cut, "image/png", 400, "invalid_body"),
        ("a polyglot", polyglot, "image/png", 400, "invalid_body"),
        ("a bomb", bomb, "image/png", 413, "too_large"),
        ("too many bytes", many, "image/png", 413, "too_large"),
        (
            "a GIF",
            b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(),
            "image/gif",
            415,
            "unsupported_media_type",
        ),
        (
            "a GIF that says PNG",
            b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(),
            "image/png",
            415,
            "unsupported_media_type",
        ),
        (
            "a JPEG that says PNG",
            jpeg.clone(),
            "image/png",
            415,
            "unsupported_media_type",
        ),
        (
            "a picture that says text",
            png(),
            "text/plain",
            415,
            "unsupported_media_type",
        ),
        (
            "a form",
            png(),
            "multipart/form-data; boundary=x",
            415,
            "unsupported_media_type",
        ),
        (
            "SVG",
            b"<svg/>".to_vec(),
            "image/svg+xml",
            415,
            "unsupported_media_type",
        ),
        (
            "HTML",
            b"<html></html>".to_vec(),
            "",
            415,
            "unsupported_media_type",
        ),
    ] {
        let answer = put(&server, &device.token, &id, bytes, media_type).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{what}: {answer:?}"
        );
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{what}"
        );
    }
    let request = Request::put(format!("/v1/feedback/{id}/screenshot"))
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from(harness::gzip(&png())));
    assert_eq!(server.send(request.expect("a request")).await.status, 415);
    assert_eq!(rows(&server).await, "0");
    assert_eq!(objects(&server).await, []);
    // The item is none the worse for it.
    assert_eq!(
        put(&server, &device.token, &id, jpeg, "image/jpeg")
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_at_the_limit() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let endless =
        futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 1 << 16]));
    let request = Request::put(format!("/v1/feedback/{id}/screenshot"))
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .body(Body::from_stream(endless));
    let answer = server.send(request.expect("a request")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "too_large"));
    // One that stops half way is refused when patience ends.
    let some = futures_util::stream::iter([Ok::<_, std::io::Error>(png()[..500].to_vec())]);
    let stuck = some.chain(futures_util::stream::pending());
    let request = Request::put(format!("/v1/feedback/{id}/screenshot"))
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .body(Body::from_stream(stuck));
    let answer = server.send(request.expect("a request")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (408, "timeout"));
    assert_eq!(objects(&server).await, []);
}

async fn shown(server: &Server, id: &str) -> String {
    server
        .sql(&format!(
            "SELECT screenshot FROM feedback FINAL WHERE id = '{id}'"
        ))
        .await
}

#[tokio::test]
async fn thumbnails_follow_the_answer_and_are_made_up_for_after_a_crash() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let bytes = png();
    let hash = hex::encode(Sha256::digest(&bytes));
    let id = item(&server, &device).await.to_string();
    assert_eq!(
        put(&server, &device.token, &id, bytes.clone(), "")
            .await
            .status,
        201
    );
    // As if the process had died right after the answer: nothing has followed.
    assert_eq!(objects(&server).await.len(), 1);
    assert_eq!(shown(&server, &id).await, "");
    let again = server.restart(snag_server::AppState::system_clock());
    screenshots::catch_up(&again.state)
        .await
        .expect("caught up");
    assert_eq!(objects(&server).await.len(), 2);
    assert_eq!(shown(&server, &id).await, hash);
    // Once is enough.
    let versions = "SELECT count() FROM feedback";
    let before = server.sql(versions).await;
    screenshots::catch_up(&again.state)
        .await
        .expect("caught up");
    assert_eq!(server.sql(versions).await, before);

    // Where the server lives on, it does so by itself.
    let work = tokio::spawn(screenshots::follow(Arc::clone(&server.state)));
    let next = item(&server, &device).await.to_string();
    let bytes = encoded(700, 300, ImageFormat::Png);
    assert_eq!(
        put(&server, &device.token, &next, bytes, "").await.status,
        201
    );
    let mut tries = 0;
    while objects(&server).await.len() < 4 || shown(&server, &next).await.is_empty() {
        tries += 1;
        assert!(tries < 400, "no thumbnail after 20 s");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    work.abort();
}

/// Waits until an item shows a screenshot.
async fn until_shown(server: &Server, id: &str) {
    let begun = std::time::Instant::now();
    while shown(server, id).await.is_empty() {
        assert!(begun.elapsed().as_secs() < 90, "the item doesn't show it");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_item_shows_its_picture_though_telling_it_failed() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let work = tokio::spawn(screenshots::follow(Arc::clone(&server.state)));
    // The first of its looks is over once what is queued later was done.
    let before = item(&server, &device).await.to_string();
    assert_eq!(
        put(&server, &device.token, &before, png(), "").await.status,
        201
    );
    until_shown(&server, &before).await;
    let failures = "SELECT sum(value) FROM system.errors WHERE name = 'UNKNOWN_TABLE'";
    let failures_before = server.sql(failures).await;
    server.execute("RENAME TABLE feedback TO away").await;
    assert_eq!(
        put(&server, &device.token, &id, png(), "").await.status,
        201
    );
    let begun = std::time::Instant::now();
    while server.sql(failures).await == failures_before {
        assert!(begun.elapsed().as_secs() < 60, "it doesn't try");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    server.execute("RENAME TABLE away TO feedback").await;
    until_shown(&server, &id).await;
    work.abort();
}

#[tokio::test]
async fn a_picture_that_is_sent_again_is_shown() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let again = server.restart(AppState::system_clock());
    let work = tokio::spawn(screenshots::follow(Arc::clone(&again.state)));
    let before = item(&again, &device).await.to_string();
    assert_eq!(
        put(&again, &device.token, &before, png(), "").await.status,
        201
    );
    until_shown(&again, &before).await;
    // As if the server that took it had died after its answer, and the other lives on.
    assert_eq!(
        put(&server, &device.token, &id, png(), "").await.status,
        201
    );
    assert_eq!(put(&again, &device.token, &id, png(), "").await.status, 200);
    until_shown(&again, &id).await;
    work.abort();
}

#[tokio::test]
async fn a_device_holds_a_few_places_and_leaves_the_others() {
    let rules = FeedbackRules {
        per_device_per_hour: 100,
        per_address_per_hour: 100,
    };
    let policy = OrgPolicy {
        feedback: rules,
        ..OrgPolicy::default()
    };
    let first = Server::with(5, policy, AppState::system_clock()).await;
    let patient = Settings {
        body_timeout: std::time::Duration::from_secs(60),
        ..first.state.settings.clone()
    };
    let server = Arc::new(first.restart_with(patient, AppState::system_clock()));
    let (device, other) = (server.enroll().await, server.enroll().await);
    let mut hanging = Vec::new();
    for _ in 0..4 {
        let id = item(&server, &device).await;
        let late = slow(png());
        let request = Request::put(format!("/v1/feedback/{id}/screenshot"))
            .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
            .body(late.body)
            .expect("a request");
        let sending = tokio::spawn({
            let server = Arc::clone(&server);
            async move { server.send(request).await.status.as_u16() }
        });
        late.asked.await.expect("it is let in");
        hanging.push((sending, late.rest));
    }
    let id = item(&server, &device).await.to_string();
    let refused = put(&server, &device.token, &id, png(), "").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (429, "too_many_requests")
    );
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.headers["retry-after"], "2");
    let others = item(&server, &other).await.to_string();
    assert_eq!(
        put(&server, &other.token, &others, png(), "").await.status,
        201
    );
    for (sending, rest) in hanging {
        rest.send(()).expect("it waits");
        assert_eq!(sending.await.expect("an answer"), 201);
    }
    assert_eq!(
        put(&server, &device.token, &id, png(), "").await.status,
        201
    );
}

#[tokio::test]
async fn a_row_whose_object_is_gone_is_mended_by_the_device() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let id = item(&server, &device).await.to_string();
    let bytes = png();
    let answer = put(&server, &device.token, &id, bytes.clone(), "").await;
    let hash = answer.body["sha256"].as_str().expect("text").to_owned();
    server
        .state
        .objects
        .delete(server.org.org, &hash)
        .await
        .expect("deleted");
    let path = format!("/v1/feedback/{id}/screenshot");
    assert_eq!(
        fetch(&server, &path, &server.org.admin_token, None).await.0,
        404
    );
    assert_eq!(
        put(&server, &device.token, &id, bytes, "").await.status,
        200
    );
    assert_eq!(
        fetch(&server, &path, &server.org.admin_token, None).await.0,
        200
    );
    let row: Value = json!(server.sql("SELECT count() FROM screenshots FINAL").await);
    assert_eq!(row, "1");
}
