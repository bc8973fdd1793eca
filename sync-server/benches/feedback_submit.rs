//! What submitting feedback costs: alone, with a screenshot of 400 KB, and 200 a second.
//!
//! A real server on a port, with every insert and object on the disk before the answer;
//! whoever submits shares the machine. A submission with a screenshot is the time from the
//! first byte of the POST to the answer of the PUT, one after the other on one connection.
//!
//! `cargo bench -p snag-server --bench feedback_submit [-- --number N --seconds N]`

use std::io::Cursor;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::control::{self, NewOrg};
use snag_server::feedback::screenshots;
use snag_server::objects::Objects;
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_server::state::Settings;
use snag_server::{AppState, router};
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};
use uuid::Uuid;

const DEVICES: usize = 50;
const PER_SECOND: u64 = 200;
const PICTURE_BYTES: usize = 400_000;

#[tokio::main]
async fn main() {
    let (mut number, mut seconds) = (200u64, 20u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let value = arguments.next().and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{argument} takes a number"))
        };
        match argument.as_str() {
            "--number" => number = value(),
            "--seconds" => seconds = value(),
            // What cargo passes to every bench.
            "--bench" => {}
            _ => panic!("unknown argument {argument}"),
        }
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let warehouse = Warehouse::embedded(EmbeddedOptions::new(folder.path().join("data")))
        .expect("the engine starts");
    warehouse.migrate_up().await.expect("migrations");
    let organisation = NewOrg {
        name: "bench",
        contact: "",
        k: 5,
        local: false,
        policy: OrgPolicy {
            feedback: FeedbackRules {
                per_device_per_hour: 1_000_000,
                per_address_per_hour: 1_000_000,
            },
            ..OrgPolicy::default()
        },
    };
    let org = control::create_org(&warehouse, organisation, Timestamp::now())
        .await
        .expect("an organisation");
    let settings = Settings {
        objects: Objects::folder(&folder.path().join("objects"), true).expect("a folder"),
        ..Settings::default()
    };
    let state = AppState::new(warehouse.clone(), settings, AppState::system_clock());
    tokio::spawn(screenshots::follow(state.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = router::router(state).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = reqwest::Client::new();
    let mut devices = Vec::new();
    for _ in 0..DEVICES {
        let body =
            json!({"token": org.enroll_token, "device": {"os": "linux", "agent_version": "0.1.0"}});
        let answer = client.post(format!("{url}/v1/enroll")).json(&body).send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("json");
        let token = answer["device_token"].as_str().expect("text").to_owned();
        devices.push(Device {
            client: client.clone(),
            url: url.clone(),
            token,
        });
    }

    let device = &devices[0];
    for picture in pictures() {
        for _ in 0..10 {
            device.submit_with(&picture.bytes).await;
        }
        let (mut without, mut with) = (Vec::new(), Vec::new());
        // In turns, so that whatever else the machine does falls on both.
        for _ in 0..number {
            without.push(device.submit().await.1);
            with.push(device.submit_with(&picture.bytes).await);
            // What follows the answer is over before the next is measured.
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let (without, with) = (Times::of(without), Times::of(with));
        println!(
            "{}, {} KB, {} x {}: without {without}, with {with}: {:.2} times at p50",
            picture.name,
            picture.bytes.len() / 1_000,
            picture.width,
            picture.height,
            with.p50.as_secs_f64() / without.p50.as_secs_f64()
        );
    }

    let began = Instant::now();
    let pace = Duration::from_micros(1_000_000 * DEVICES as u64 / PER_SECOND);
    let mut senders = tokio::task::JoinSet::new();
    for (i, device) in devices.into_iter().enumerate() {
        senders.spawn(async move {
            tokio::time::sleep(pace * i as u32 / DEVICES as u32).await;
            let mut timer = tokio::time::interval(pace);
            let mut times = Vec::new();
            for _ in 0..seconds * PER_SECOND / DEVICES as u64 {
                timer.tick().await;
                times.push(device.submit().await.1);
            }
            times
        });
    }
    let times: Vec<Duration> = senders.join_all().await.into_iter().flatten().collect();
    let took = began.elapsed();
    let sent = times.len();
    println!(
        "{sent} submissions in {took:.1?}: {:.0} a second, asked for {PER_SECOND}; {}",
        sent as f64 / took.as_secs_f64(),
        Times::of(times)
    );
    let query = Query::read("SELECT count(), uniqExact(id) FROM feedback FINAL");
    let rows = warehouse.select(query).await.expect("a count");
    println!(
        "in the table: {}",
        String::from_utf8_lossy(&rows).trim_end()
    );
}

struct Device {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Device {
    /// The new submission's id, and how long it took.
    async fn submit(&self) -> (Uuid, Duration) {
        let id = Uuid::now_v7();
        let body = json!({"id": id, "created_at": Timestamp::now().to_string(), "category": "bug",
            "description": "The export hangs at 90 % and never comes back, every time I try it.",
            "rating": 2, "tags": ["export"], "target": {"app": "excel", "screen": "Export"},
            "friction_trail": [{"before_ms": 4_000, "text": "Clicked Export", "incident": "rage_click"}],
            "app_state": {"rows": 12}, "os": "Debian 13", "agent_version": "0.1.0"});
        let began = Instant::now();
        let answer = self
            .client
            .post(format!("{}/v1/feedback", self.url))
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        let took = began.elapsed();
        assert_eq!(answer.status(), 201);
        (id, took)
    }

    async fn submit_with(&self, picture: &[u8]) -> Duration {
        let began = Instant::now();
        let (id, _) = self.submit().await;
        let answer = self
            .client
            .put(format!("{}/v1/feedback/{id}/screenshot", self.url))
            .bearer_auth(&self.token)
            .body(picture.to_vec())
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        began.elapsed()
    }
}

struct Times {
    p50: Duration,
    p99: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        Self {
            p50: at(50),
            p99: at(99),
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?}", self.p50, self.p99)
    }
}

struct Picture {
    name: &'static str,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

/// Screens of some 400 KB: a window's plain areas and as much detail as makes that size.
fn pictures() -> Vec<Picture> {
    let (width, height) = (1_920, 1_080);
    [
        ("PNG", ImageFormat::Png),
        ("JPEG", ImageFormat::Jpeg),
        ("WebP", ImageFormat::WebP),
    ]
    .into_iter()
    .map(|(name, format)| {
        let (mut low, mut high) = (0, height);
        let mut bytes = Vec::new();
        while high - low > 1 {
            let detailed = (low + high) / 2;
            let mut random = 88_172_645_463_325_252_u64;
            let pixels = RgbImage::from_fn(width, height, |x, y| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let plain = if (x / 160 + y / 90) % 2 == 0 {
                    245
                } else {
                    225
                };
                let detail = if y < detailed { (random % 64) as u8 } else { 0 };
                Rgb([plain - detail, plain - detail / 2, plain])
            });
            let mut encoded = Cursor::new(Vec::new());
            DynamicImage::from(pixels)
                .write_to(&mut encoded, format)
                .expect("memory");
            bytes = encoded.into_inner();
            if bytes.len() < PICTURE_BYTES {
                low = detailed;
            } else {
                high = detailed;
            }
        }
        Picture {
            name,
            bytes,
            width,
            height,
        }
    })
    .collect()
}
