//! Screenshots' bytes: a folder by default, anything that speaks S3 by configuration.
//!
//! An object is named by what it holds: `<organisation>/<first two digits>/<SHA-256>`,
//! its thumbnail by the same and `.thumb.webp`. The same picture sent twice is one object
//! of its organisation; no two organisations share one.
//!
//! A picture is on its way to the disk ([`Objects::stage`]) before it is known to be one,
//! and becomes an object ([`Staged::publish`]) when it is.
//!
//! **Invariants:**
//! - What [`Staged::publish`] returned for is durable: a row may name it.
//! - An object is deleted while [`Objects::gate`] is held for writing and no row names it;
//!   whoever puts one holds the gate for reading until its row is stored.

mod staged;

use std::error::Error as _;
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
};
use uuid::Uuid;

use self::staged::{Folder, StagedFile};
use crate::ApiError;

/// What follows a picture's name in its thumbnail's.
const THUMBNAIL: &str = ".thumb.webp";

/// A store that hasn't answered by now is away.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// There is no room left.
    #[error("there is no room for objects: {0}")]
    Full(String),
    /// It doesn't answer, or not as expected.
    #[error("the object store failed: {0}")]
    Failed(String),
}

impl From<object_store::Error> for ObjectsError {
    fn from(error: object_store::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.downcast_ref().is_some_and(is_full) {
                return Self::Full(error.to_string());
            }
            source = cause.source();
        }
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for ObjectsError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            Self::Full(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<ObjectsError> for ApiError {
    fn from(error: ObjectsError) -> Self {
        tracing::warn!(cause = %error, "the object store did not do what it was asked");
        match error {
            ObjectsError::Full(_) => Self::new(
                snag_wire::Code::InsufficientStorage,
                "The server has no room for it now. Send it again later.",
            )
            .with_retry_after(60),
            ObjectsError::Failed(_) => Self::unavailable(
                "The store of screenshots does not answer now. Try again later.",
                5,
            ),
        }
    }
}

/// An S3-compatible store. Keys come from `AWS_ACCESS_KEY_ID` and
/// `AWS_SECRET_ACCESS_KEY`, or from what else the AWS environment names.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The bucket; it has to exist.
    pub bucket: String,
    /// What all names begin with; may be empty.
    pub prefix: String,
    /// The server, where it isn't AWS: `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` where not given.
    pub region: Option<String>,
    /// Key and secret, instead of those of the environment.
    pub keys: Option<(String, String)>,
}

/// An object as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Whose.
    pub org: Uuid,
    /// SHA-256 of the picture, in hexadecimal.
    pub hash: String,
    /// Whether it is the picture's thumbnail.
    pub thumbnail: bool,
    /// How large it is.
    pub size_bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Where screenshots are. Clones share one.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder, where they are in one.
    folder: Option<Arc<Folder>>,
    /// See the module's invariants.
    pub gate: Arc<tokio::sync::RwLock<()>>,
    what: Arc<str>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Objects").field(&self.what).finish()
    }
}

impl Objects {
    fn new(store: Arc<dyn ObjectStore>, what: impl Into<Arc<str>>) -> Self {
        Self {
            store,
            folder: None,
            gate: Arc::default(),
            what: what.into(),
        }
    }

    /// Objects that are gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()), "memory")
    }

    /// Objects in a folder, made where it is missing. With `fsync`, an object is on the
    /// disk when it is put.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub fn folder(folder: &FilePath, fsync: bool) -> anyhow::Result<Self> {
        let shown = folder.display();
        std::fs::create_dir_all(folder).with_context(|| format!("can't make {shown}"))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .with_context(|| format!("can't use {shown}"))?
            .with_fsync(fsync);
        let staging = Folder::open(folder, fsync).with_context(|| format!("can't use {shown}"))?;
        Ok(Self {
            folder: Some(Arc::new(staging)),
            ..Self::new(Arc::new(store), shown.to_string())
        })
    }

    /// Objects of an S3-compatible store.
    ///
    /// # Errors
    /// The settings don't make an address.
    pub fn s3(s3: &S3) -> anyhow::Result<Self> {
        // The HTTP client takes the process's TLS provider, which another may have set.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&s3.bucket)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 3,
                retry_timeout: ANSWER_MAX,
            })
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(ANSWER_MAX)
                    .with_allow_http(
                        s3.endpoint
                            .as_deref()
                            .is_some_and(|endpoint| endpoint.starts_with("http://")),
                    ),
            );
        if let Some(endpoint) = &s3.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &s3.region {
            builder = builder.with_region(region);
        }
        if let Some((key, secret)) = &s3.keys {
            builder = builder
                .with_access_key_id(key)
                .with_secret_access_key(secret);
        }
        let what = format!("s3://{}/{}", s3.bucket, s3.prefix);
        let store = builder
            .build()
            .with_context(|| format!("can't use {what}"))?;
        let store = PrefixStore::new(store, s3.prefix.as_str());
        Ok(Self::new(Arc::new(store), what))
    }

    /// Brings bytes to where they can become an object at little cost: in a folder they
    /// are on the disk when this returns. Elsewhere nothing is sent yet, as taking back
    /// what was sent would cost more than waiting.
    ///
    /// # Errors
    /// The store's.
    pub async fn stage(&self, bytes: Bytes) -> Result<Staged, ObjectsError> {
        let place = match &self.folder {
            Some(folder) => Place::File(folder.stage(bytes).await?),
            None => Place::Memory(bytes),
        };
        Ok(Staged {
            objects: self.clone(),
            place,
        })
    }

    /// Stores a picture's thumbnail.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_thumbnail(
        &self,
        org: Uuid,
        hash: &str,
        bytes: Bytes,
    ) -> Result<(), ObjectsError> {
        self.put_at(&thumbnail(org, hash), bytes).await
    }

    async fn put_at(&self, path: &Path, bytes: Bytes) -> Result<(), ObjectsError> {
        let payload = PutPayload::from_bytes(bytes);
        self.store.put(path, payload).await?;
        Ok(())
    }

    /// A picture's bytes; `None` where there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, org: Uuid, hash: &str) -> Result<Option<Bytes>, ObjectsError> {
        self.get_at(&picture(org, hash)).await
    }

    /// A thumbnail's bytes; `None` where there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn get_thumbnail(
        &self,
        org: Uuid,
        hash: &str,
    ) -> Result<Option<Bytes>, ObjectsError> {
        self.get_at(&thumbnail(org, hash)).await
    }

    async fn get_at(&self, path: &Path) -> Result<Option<Bytes>, ObjectsError> {
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How large a picture is; `None` where there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn size(&self, org: Uuid, hash: &str) -> Result<Option<u64>, ObjectsError> {
        self.size_at(&picture(org, hash)).await
    }

    /// The bytes of a picture and its thumbnail together; 0 for what isn't there.
    ///
    /// # Errors
    /// The store's.
    pub async fn size_with_thumbnail(&self, org: Uuid, hash: &str) -> Result<u64, ObjectsError> {
        let picture = self.size_at(&picture(org, hash)).await?.unwrap_or(0);
        let thumbnail = self.size_at(&thumbnail(org, hash)).await?.unwrap_or(0);
        Ok(picture + thumbnail)
    }

    /// Whether a picture has its thumbnail.
    ///
    /// # Errors
    /// The store's.
    pub async fn has_thumbnail(&self, org: Uuid, hash: &str) -> Result<bool, ObjectsError> {
        Ok(self.size_at(&thumbnail(org, hash)).await?.is_some())
    }

    async fn size_at(&self, path: &Path) -> Result<Option<u64>, ObjectsError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a picture and its thumbnail, and tells how many bytes the picture and the
    /// thumbnail had; what is gone already is 0. Hold [`Objects::gate`] for writing, and
    /// look first that no row names it.
    ///
    /// # Errors
    /// The store's; a repetition goes on where it stopped.
    pub async fn delete(&self, org: Uuid, hash: &str) -> Result<u64, ObjectsError> {
        let mut freed = 0;
        for path in [thumbnail(org, hash), picture(org, hash)] {
            let Some(size) = self.size_at(&path).await? else {
                continue;
            };
            match self.store.delete(&path).await {
                Ok(()) => freed += size,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(freed)
    }

    /// Every object there is, in no order. Names that aren't of ours are left out.
    #[must_use]
    pub fn list(&self) -> BoxStream<'_, Result<Listed, ObjectsError>> {
        self.store
            .list(None)
            .map_err(ObjectsError::from)
            .try_filter_map(async |meta| {
                Ok(parse(&meta.location).map(|(org, hash, thumbnail)| Listed {
                    org,
                    hash,
                    thumbnail,
                    size_bytes: meta.size,
                    modified_ms: meta.last_modified.timestamp_millis(),
                }))
            })
            .boxed()
    }
}

/// Bytes that may become an object. Dropped, they are gone.
#[derive(Debug)]
pub struct Staged {
    objects: Objects,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(StagedFile),
    Memory(Bytes),
}

impl Staged {
    /// Makes them the picture of this hash; it is durable when this returns. Hold
    /// [`Objects::gate`] for reading until its row is stored.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish(self, org: Uuid, hash: &str) -> Result<(), ObjectsError> {
        let name = picture(org, hash);
        match self.place {
            Place::File(file) => Ok(file.publish(&name).await?),
            Place::Memory(bytes) => self.objects.put_at(&name, bytes).await,
        }
    }
}

fn picture(org: Uuid, hash: &str) -> Path {
    let digits = hash.get(..2).unwrap_or_default();
    Path::from_iter([org.to_string().as_str(), digits, hash])
}

fn thumbnail(org: Uuid, hash: &str) -> Path {
    let digits = hash.get(..2).unwrap_or_default();
    let name = format!("{hash}{THUMBNAIL}");
    Path::from_iter([org.to_string().as_str(), digits, name.as_str()])
}

/// Whose an object is, its hash, and whether it is a thumbnail.
fn parse(path: &Path) -> Option<(Uuid, String, bool)> {
    let parts: Vec<_> = path.parts().collect();
    let [org, digits, name] = parts.as_slice() else {
        return None;
    };
    let org = org.as_ref().parse().ok()?;
    let name = name.as_ref();
    let (hash, thumbnail) = match name.strip_suffix(THUMBNAIL) {
        Some(hash) => (hash, true),
        None => (name, false),
    };
    let of_ours = hash.len() == 64
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && hash.starts_with(digits.as_ref());
    of_ours.then(|| (org, hash.to_owned(), thumbnail))
}
