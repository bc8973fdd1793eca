//! A notification daemon of a test's own, which says of itself what it is told to.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "test binaries include it as a module, and each uses a part of it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What it says of itself.
#[derive(Default)]
pub struct Held {
    /// As dunst has it.
    pub paused: AtomicBool,
    /// As KDE has it.
    pub inhibited: AtomicBool,
}

struct Notifications(Arc<Held>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    async fn get_capabilities(&self) -> Vec<String> {
        vec!["actions".to_owned(), "body".to_owned()]
    }

    #[zbus(property)]
    async fn inhibited(&self) -> bool {
        self.0.inhibited.load(Ordering::SeqCst)
    }
}

struct Dunst(Arc<Held>);

#[zbus::interface(name = "org.dunstproject.cmd0")]
impl Dunst {
    #[zbus(property, name = "paused")]
    async fn paused(&self) -> bool {
        self.0.paused.load(Ordering::SeqCst)
    }
}

/// Runs on the bus of this address, for as long as the connection is kept.
pub async fn daemon(address: &str, held: &Arc<Held>) -> zbus::Connection {
    let path = "/org/freedesktop/Notifications";
    zbus::connection::Builder::address(address)
        .expect("an address")
        .serve_at(path, Notifications(Arc::clone(held)))
        .expect("a path")
        .serve_at(path, Dunst(Arc::clone(held)))
        .expect("a path")
        .name("org.freedesktop.Notifications")
        .expect("a name")
        .build()
        .await
        .expect("the bus answers")
}
