//! The disk guard: refuses what would fill the disk before the disk is full.
//!
//! ClickHouse needs room to merge and to delete, so a disk is not filled to its end.
//! Below the first floor screenshots are refused, the largest things there are; below
//! the second, records and words, too. Reading and deleting always go on, because
//! deleting is how there comes to be room.
//!
//! **Invariant:** what is refused here is answered before any of it is stored; whoever
//! sent it keeps it and sends it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;

use crate::metrics::{Metrics, RefusalLabels};
use crate::{ApiError, AppState};

/// How often the disk is asked: at the fastest disk's speed, less than the lowest floor
/// fills in the meantime.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Below which free space what is refused, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    /// Screenshots.
    pub screenshots_bytes: u64,
    /// Records and feedback; not above the other.
    pub records_bytes: u64,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            screenshots_bytes: 1_024 << 20,
            records_bytes: 512 << 20,
        }
    }
}

/// What takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// A screenshot.
    Screenshot,
    /// A person's words.
    Feedback,
    /// A batch of records.
    Records,
}

impl Load {
    /// The word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Screenshot => "screenshot",
            Self::Feedback => "feedback",
            Self::Records => "records",
        }
    }

    /// What a request brings, where it brings something.
    fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/v1/events/batch") => Some(Self::Records),
            (&Method::POST, "/v1/feedback") => Some(Self::Feedback),
            (&Method::PUT, path)
                if path.starts_with("/v1/feedback/") && path.ends_with("/screenshot") =>
            {
                Some(Self::Screenshot)
            }
            _ => None,
        }
    }
}

/// What is free, in bytes; `u64::MAX` where it isn't this machine's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// On the disk of the warehouse.
    pub data_bytes: u64,
    /// On the disk of the screenshots.
    pub objects_bytes: u64,
}

/// The folders whose disks are watched.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// The warehouse's; none where it is another server.
    pub data: Option<PathBuf>,
    /// The screenshots'; none where they are kept in S3.
    pub objects: Option<PathBuf>,
}

const ROOM: u8 = 0;
const NO_SCREENSHOTS: u8 = 1;
const NOTHING: u8 = 2;

/// Knows what the disk still takes.
pub struct Guard {
    floors: Floors,
    level: AtomicU8,
    metrics: Arc<Metrics>,
}

impl Guard {
    /// A guard that lets everything in until it is told how much is free.
    #[must_use]
    pub fn new(floors: Floors, metrics: Arc<Metrics>) -> Self {
        Self {
            floors,
            level: AtomicU8::new(ROOM),
            metrics,
        }
    }

    /// Takes note of how many bytes are free.
    pub fn observe(&self, free: Free) {
        let least = free.data_bytes.min(free.objects_bytes);
        let level = if free.data_bytes < self.floors.records_bytes {
            NOTHING
        } else if least < self.floors.screenshots_bytes {
            NO_SCREENSHOTS
        } else {
            ROOM
        };
        self.metrics
            .disk_free_bytes
            .set(i64::try_from(least).unwrap_or(i64::MAX));
        let before = self.level.swap(level, Ordering::Relaxed);
        if before != level {
            let refused = match level {
                NOTHING => "screenshots, feedback and records",
                NO_SCREENSHOTS => "screenshots",
                _ => "nothing",
            };
            if level > before {
                tracing::error!(
                    free_bytes = least,
                    refused,
                    "the disk is nearly full: make room or retain less"
                );
            } else {
                tracing::info!(free_bytes = least, refused, "the disk has room again");
            }
        }
    }

    /// Lets something in, or not.
    ///
    /// # Errors
    /// 507 where the disk has no room for it.
    pub fn admit(&self, load: Load) -> Result<(), ApiError> {
        let level = self.level.load(Ordering::Relaxed);
        let refused = match load {
            Load::Screenshot => level >= NO_SCREENSHOTS,
            Load::Feedback | Load::Records => level >= NOTHING,
        };
        if !refused {
            return Ok(());
        }
        let what = load.as_str();
        self.metrics
            .disk_refusals
            .get_or_create(&RefusalLabels { what })
            .inc();
        Err(ApiError::insufficient_storage())
    }
}

/// Refuses requests that bring what the disk has no room for, before they are read.
///
/// # Errors
/// 507.
pub async fn guard(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(load) = Load::of(request.method(), request.uri().path()) {
        state.disk.admit(load)?;
    }
    Ok(next.run(request).await)
}

/// Looks at the disks of the folders for ever.
pub async fn watch(guard: Arc<Guard>, folders: Folders) {
    if folders.data.is_none() && folders.objects.is_none() {
        return;
    }
    let mut known = true;
    loop {
        let asked = folders.clone();
        let free = tokio::task::spawn_blocking(move || free_bytes(&asked)).await;
        match free {
            Ok(Ok(free)) => {
                known = true;
                guard.observe(free);
            }
            Ok(Err(error)) if known => {
                known = false;
                tracing::error!(%error, "can't tell how full the disk is");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The bytes that are free for this process on the disks of the folders.
///
/// # Errors
/// A folder can't be asked about.
pub fn free_bytes(folders: &Folders) -> std::io::Result<Free> {
    let of = |folder: &Option<PathBuf>| folder.as_deref().map_or(Ok(u64::MAX), free_of);
    Ok(Free {
        data_bytes: of(&folders.data)?,
        objects_bytes: of(&folders.objects)?,
    })
}

#[cfg(unix)]
fn free_of(folder: &std::path::Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The embedded engine runs on Unix alone; elsewhere ClickHouse is another machine.
#[cfg(not(unix))]
fn free_of(_: &std::path::Path) -> std::io::Result<u64> {
    Ok(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let floors = Floors {
            screenshots_bytes: 1_000,
            records_bytes: 100,
        };
        Guard::new(floors, Arc::default())
    }

    #[test]
    fn screenshots_go_first_then_all_and_both_come_back() {
        let guard = guard();
        let admits = |guard: &Guard| {
            [Load::Screenshot, Load::Feedback, Load::Records].map(|load| guard.admit(load).is_ok())
        };
        assert_eq!(admits(&guard), [true; 3], "unknown is not full");
        let free = |data_bytes, objects_bytes| Free {
            data_bytes,
            objects_bytes,
        };
        for (free, expected) in [
            (free(1_000, 1_000), [true, true, true]),
            (free(999, 999), [false, true, true]),
            (free(100, 100), [false, true, true]),
            (free(99, 99), [false, false, false]),
            (free(0, 0), [false, false, false]),
            (free(500, 500), [false, true, true]),
            // The screenshots' disk may be another one.
            (free(5_000, 50), [false, true, true]),
            (free(50, 5_000), [false, false, false]),
            (free(u64::MAX, 999), [false, true, true]),
            (free(5_000, u64::MAX), [true, true, true]),
        ] {
            guard.observe(free);
            assert_eq!(admits(&guard), expected, "{free:?}");
        }
    }

    #[test]
    fn what_brings_something_is_told_by_its_address() {
        let of = |method: Method, path: &str| Load::of(&method, path);
        let id = "/v1/feedback/0199a5f0-0000-7000-8000-000000000000";
        assert_eq!(of(Method::POST, "/v1/events/batch"), Some(Load::Records));
        assert_eq!(of(Method::POST, "/v1/feedback"), Some(Load::Feedback));
        assert_eq!(
            of(Method::PUT, &format!("{id}/screenshot")),
            Some(Load::Screenshot)
        );
        assert_eq!(of(Method::GET, "/v1/feedback"), None);
        assert_eq!(of(Method::DELETE, id), None);
        assert_eq!(of(Method::GET, &format!("{id}/screenshot")), None);
    }

    #[test]
    fn this_disk_has_a_size() {
        let of = |data: PathBuf| {
            free_bytes(&Folders {
                data: Some(data),
                objects: None,
            })
        };
        let here = of(std::env::temp_dir()).unwrap();
        assert!(here.data_bytes > 0 && here.data_bytes < u64::MAX);
        assert_eq!(here.objects_bytes, u64::MAX);
        assert!(of(PathBuf::from("/no/such/folder")).is_err());
    }
}
