//! A real front over a real engine on a port of the system's choice, one per process.

#![allow(dead_code, unreachable_pub)]

#[path = "../harness/folder.rs"]
mod folder;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;

use snag_server::sql::{SingleUser, SqlFront, serve};
use snag_warehouse::{EmbeddedOptions, Warehouse};

pub const USER: &str = "tester";
pub const PASSWORD: &str = "open:sesame";

pub struct Front {
    pub address: SocketAddr,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// The front of this process: an engine can be opened only once in each.
pub fn front() -> &'static Front {
    static FRONT: OnceLock<Front> = OnceLock::new();
    FRONT.get_or_init(|| {
        let mut options = EmbeddedOptions::new(folder::own());
        options.fsync = false;
        let warehouse = Warehouse::embedded(options)
            .expect("the engine starts; `make engine` fetches its library");
        let front = SqlFront::new(warehouse.clone(), SingleUser::new(USER, PASSWORD));
        let (tell, address) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        // A runtime of its own, since each test has one that ends with it.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("a port");
                tell.send(listener.local_addr().expect("an address"))
                    .expect("the test waits");
                serve(front, listener, async { drop(stopped.await) })
                    .await
                    .expect("the front serves");
            });
            // What still runs ends with the runtime, and lets go of the engine.
            drop(runtime);
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(warehouse.close());
        });
        Front {
            address: address.recv().expect("the front starts"),
            running: Mutex::new(Some(Running { stop, thread })),
        }
    })
}

/// A step of a test, not yet run.
pub type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the steps one after the other, each on a task of its own, and closes the front: the
/// engine's threads must not run into the end of the process.
pub async fn run_steps(steps: Vec<(&'static str, Step)>) {
    let mut failed = Vec::new();
    for (name, step) in steps {
        let started = std::time::Instant::now();
        let outcome = tokio::spawn(step).await;
        println!(
            "{name}: {} in {:.1?}",
            if outcome.is_ok() { "ok" } else { "FAILED" },
            started.elapsed()
        );
        if outcome.is_err() {
            failed.push(name);
        }
    }
    front().close();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// The steps of a test by the names of their functions.
#[macro_export]
macro_rules! steps {
    ($($name:ident),* $(,)?) => {
        vec![$((stringify!($name), Box::pin($name()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>)),*]
    };
}

impl Front {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving and closes the engine.
    pub fn close(&self) {
        let running = self.running.lock().expect("no panic").take();
        if let Some(Running { stop, thread }) = running {
            let _ = stop.send(());
            thread.join().expect("the front closes");
        }
    }
}

/// The folder that `tests/clients/setup.sh` fills, for one of its clients.
pub fn client_folder(client: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let said = std::process::Command::new("sh")
        .arg(here.join("setup.sh"))
        .args(["--where", client])
        .output()
        .expect("sh runs");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let folder = PathBuf::from(String::from_utf8(said.stdout).expect("a path").trim());
    assert!(
        folder.join(".complete").exists(),
        "the {client} client is not set up in {}: run make test",
        folder.display()
    );
    folder
}

/// Runs a client's script against the front and expects it to end well.
pub fn run_client(command: &mut std::process::Command) {
    let front = front();
    let output = command
        .env("SNAG_SQL_HOST", front.address.ip().to_string())
        .env("SNAG_SQL_PORT", front.address.port().to_string())
        .env("SNAG_SQL_USER", USER)
        .env("SNAG_SQL_PASSWORD", PASSWORD)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .output()
        .expect("the client starts");
    front.close();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    let said = text(&output.stdout);
    assert!(said.trim_end().ends_with("all steps passed"), "{said}");
}
