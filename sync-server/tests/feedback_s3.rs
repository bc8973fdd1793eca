//! Screenshots in an S3-compatible store: a real server on a port of the system's choice.

mod harness;

use std::path::Path;

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use harness::{Device, Server, put_object};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use snag_server::feedback::screenshots;
use snag_server::objects::{Objects, S3};
use snag_server::state::Settings;
use snag_server::verify::{self, Window};
use snag_server::{AppState, forget};
use uuid::Uuid;

const KEY: &str = "tester";
const SECRET: &str = "open-sesame";

/// A store over a folder; its address. It ends with the test's runtime.
async fn store(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("pictures")).expect("a bucket");
    let files = s3s_fs::FileSystem::new(folder).expect("a store");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build().into_shared();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                drop(
                    server
                        .serve_connection(TokioIo::new(connection), service)
                        .await,
                );
            });
        }
    });
    format!("http://{address}")
}

fn settings(endpoint: &str, secret: &str) -> S3 {
    S3 {
        bucket: "pictures".to_owned(),
        prefix: "snag/eu".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: None,
        keys: Some((KEY.to_owned(), secret.to_owned())),
    }
}

#[tokio::test]
async fn objects_go_to_and_come_from_s3() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = store(folder.path()).await;
    let objects = Objects::s3(&settings(&endpoint, SECRET)).expect("a store");
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let hash = "ab".repeat(32);
    assert_eq!(objects.get(one, &hash).await.expect("an answer"), None);
    // What is staged is no object yet.
    let staged = objects.stage(Bytes::from_static(b"picture")).await;
    let staged = staged.expect("staged");
    assert_eq!(objects.get(one, &hash).await.expect("an answer"), None);
    staged.publish(one, &hash).await.expect("stored");
    put_object(&objects, one, &hash, &b"picture"[..])
        .await
        .expect("stored again");
    objects
        .put_thumbnail(one, &hash, Bytes::from_static(b"small"))
        .await
        .expect("stored");
    put_object(&objects, two, &hash, &b"theirs"[..])
        .await
        .expect("stored");
    let path = format!("pictures/snag/eu/{one}/ab/{hash}");
    let stored = std::fs::read(folder.path().join(path)).expect("the object");
    assert_eq!(stored, b"picture");
    assert_eq!(
        objects.get(one, &hash).await.expect("an answer").as_deref(),
        Some(&b"picture"[..])
    );
    assert_eq!(objects.size(one, &hash).await.expect("an answer"), Some(7));
    assert!(objects.has_thumbnail(one, &hash).await.expect("an answer"));
    assert!(!objects.has_thumbnail(two, &hash).await.expect("an answer"));
    let mut listed: Vec<_> = objects.list().try_collect().await.expect("a list");
    listed.sort_by_key(|object| (object.org, object.thumbnail));
    let found: Vec<_> = listed
        .iter()
        .map(|o| (o.org, o.thumbnail, o.size_bytes))
        .collect();
    assert_eq!(found, [(one, false, 7), (one, true, 5), (two, false, 6)]);
    assert!(
        listed
            .iter()
            .all(|object| object.hash == hash && object.modified_ms > 0)
    );
    assert_eq!(objects.delete(one, &hash).await.expect("deleted"), 12);
    assert_eq!(objects.delete(one, &hash).await.expect("deleted"), 0);
    assert_eq!(objects.get(one, &hash).await.expect("an answer"), None);
    assert_eq!(
        objects.get(two, &hash).await.expect("an answer").as_deref(),
        Some(&b"theirs"[..])
    );
    // A wrong key is an error, not an empty store.
    let stranger = Objects::s3(&settings(&endpoint, "wrong")).expect("a store");
    assert!(stranger.get(two, &hash).await.is_err());
    assert!(
        put_object(&stranger, two, &hash, Bytes::new())
            .await
            .is_err()
    );
}

/// The same server with its objects in a store.
fn in_s3(server: &Server, endpoint: &str) -> Server {
    server.restart_with(
        Settings {
            objects: Objects::s3(&settings(endpoint, SECRET)).expect("a store"),
            ..Settings::default()
        },
        AppState::system_clock(),
    )
}

fn request(request: axum::http::request::Builder, token: &str, body: Body) -> Request<Body> {
    request
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("a request")
}

fn put(id: Uuid, device: &Device, picture: &[u8]) -> Request<Body> {
    Request::put(format!("/v1/feedback/{id}/screenshot"))
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .body(Body::from(picture.to_vec()))
        .expect("a request")
}

fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_pixel(900, 500, image::Rgb([shade; 3]));
    image::DynamicImage::from(pixels)
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("memory");
    bytes.into_inner()
}

/// A submission with its picture.
async fn item(server: &Server, device: &Device, picture: &[u8]) -> Uuid {
    let id = Uuid::now_v7();
    let body = json!({"id": id, "created_at": Timestamp::now().to_string(), "category": "bug",
        "description": "It hangs."});
    let post = request(
        Request::post("/v1/feedback"),
        &device.token,
        body.to_string().into(),
    );
    assert_eq!(server.send(post).await.status, 201);
    assert_eq!(server.send(put(id, device, picture)).await.status, 201);
    id
}

#[tokio::test]
async fn what_is_deleted_is_gone_from_s3() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = store(folder.path()).await;
    let server = Server::start().await;
    let (stays, goes) = (server.enroll().await, server.enroll().await);
    let server_s3 = in_s3(&server, &endpoint);
    let objects = &server_s3.state.objects;
    let org = server.org.org;
    let of = |picture: &[u8]| hex::encode(Sha256::digest(picture));
    let (shared, alone, own) = (picture(1), picture(2), picture(3));
    let first = item(&server_s3, &stays, &shared).await;
    let second = item(&server_s3, &stays, &shared).await;
    let third = item(&server_s3, &stays, &alone).await;
    item(&server_s3, &goes, &own).await;
    item(&server_s3, &goes, &shared).await;
    screenshots::catch_up(&server_s3.state)
        .await
        .expect("caught up");
    let listed = async || -> Vec<String> {
        let listed: Vec<_> = objects.list().try_collect().await.expect("a list");
        let mut hashes: Vec<String> = listed.into_iter().map(|object| object.hash).collect();
        hashes.sort();
        hashes
    };
    // Each picture once, each with its thumbnail.
    let with_thumbnails = |pictures: &[&[u8]]| -> Vec<String> {
        let mut hashes: Vec<String> = pictures.iter().flat_map(|p| [of(p), of(p)]).collect();
        hashes.sort();
        hashes
    };
    assert_eq!(listed().await, with_thumbnails(&[&shared, &alone, &own]));
    let bytes = async |picture: &[u8]| objects.size_with_thumbnail(org, &of(picture)).await;
    let (alone_bytes, own_bytes) = (bytes(&alone).await, bytes(&own).await);
    let (alone_bytes, own_bytes) = (alone_bytes.expect("bytes"), own_bytes.expect("bytes"));
    assert!(alone_bytes > alone.len() as u64);

    let delete = async |server: &Server, path: String| {
        let token = &server.org.admin_token;
        let delete = request(Request::delete(path), token, Body::empty());
        server.send(delete).await
    };
    let of_item = |id: Uuid| format!("/v1/feedback/{id}");
    // Another item shows the same picture: it keeps it.
    let receipt = delete(&server_s3, of_item(first)).await;
    assert_eq!(receipt.status, 200, "{receipt:?}");
    assert_eq!(receipt.body["bytes_freed"], 0);
    assert_eq!(listed().await, with_thumbnails(&[&shared, &alone, &own]));
    let receipt = delete(&server_s3, of_item(third)).await;
    assert_eq!(receipt.body["bytes_freed"], alone_bytes, "{receipt:?}");
    assert_eq!(listed().await, with_thumbnails(&[&shared, &own]));
    let receipt = delete(&server_s3, format!("/v1/admin/people/{}", goes.id)).await;
    assert_eq!(receipt.body["bytes_freed"], own_bytes, "{receipt:?}");
    assert_eq!(receipt.body["what"]["feedback"], 2);
    assert_eq!(listed().await, with_thumbnails(&[&shared]));

    // The store goes away in the middle: what was begun is finished once it is back.
    let away = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", away.local_addr().expect("an address"));
    drop(away);
    let shared_bytes = bytes(&shared).await.expect("bytes");
    let server_away = in_s3(&server, &nobody);
    let answer = delete(&server_away, of_item(second)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "unavailable")
    );
    assert_eq!(listed().await, with_thumbnails(&[&shared]));
    forget::resume(&server_s3.state).await.expect("finished");
    assert_eq!(listed().await, Vec::<String>::new());
    let receipt = delete(&server_s3, of_item(second)).await;
    assert_eq!(receipt.status, 200, "{receipt:?}");
    assert_eq!(receipt.body["bytes_freed"], shared_bytes);
    assert_eq!(server.sql("SELECT count() FROM screenshots").await, "0");
    let report = verify::verify(&server.warehouse, &Window::All, None).await;
    assert_eq!(report.expect("a report").differences, []);
}

#[tokio::test]
async fn a_screenshot_goes_the_whole_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = store(folder.path()).await;
    let server = Server::start().await;
    let device = server.enroll().await;
    let server_s3 = in_s3(&server, &endpoint);
    let picture = picture(0);
    let id = item(&server_s3, &device, &picture).await;
    screenshots::catch_up(&server_s3.state)
        .await
        .expect("caught up");
    let listed: Vec<_> = server_s3
        .state
        .objects
        .list()
        .try_collect()
        .await
        .expect("a list");
    assert_eq!(listed.len(), 2, "the picture and its thumbnail");
    let get = Request::get(format!("/v1/feedback/{id}/screenshot"));
    let get = request(get, &server.org.analyst_token, Body::empty());
    let (status, _, bytes) = server_s3.send_raw(get).await;
    assert!(status == 200 && bytes == picture);

    // A store that is away costs the picture, for now, and nothing else.
    let away = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", away.local_addr().expect("an address"));
    drop(away);
    let server_away = in_s3(&server, &nobody);
    server.execute("TRUNCATE TABLE screenshots").await;
    let again = put(id, &device, &picture);
    let answer = server_away.send(again).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "unavailable")
    );
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(server.sql("SELECT count() FROM screenshots").await, "0");
}
