//! Every limit of the contract, with its reason. The server enforces them; the
//! agent stays below them, so that only a foreign client ever meets one.

/// Compressed body of a batch. The agent's batches are some 5 KB; a megabyte
/// leaves room for a device that comes back after weeks.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Decompressed body of a batch: JSON of this shape compresses 8 to 12 times.
pub const DECOMPRESSED_BYTES_MAX: usize = 16 << 20;

/// Highest ratio of decompressed to compressed size. Deflate's own limit is
/// 1,032; honest batches stay below 30, so that 200 tells a bomb from a batch.
pub const DECOMPRESSION_RATIO_MAX: usize = 200;

/// Bodies smaller than this when decompressed are exempt from the ratio: a few
/// repeated records compress extremely well and harm nobody.
pub const RATIO_FREE_BYTES: usize = 256 << 10;

/// Records in one batch.
pub const RECORDS_MAX: usize = 10_000;

/// Contexts in one batch; each record names one, so more can't be used.
pub const CONTEXTS_MAX: usize = RECORDS_MAX;

/// Characters in a program's name.
pub const APP_CHARS_MAX: usize = 64;

/// Characters in a product, version or segment.
pub const NAME_CHARS_MAX: usize = 64;

/// Characters in a readable label.
pub const LABEL_CHARS_MAX: usize = 200;

/// Screens in a session's path: enough to tell flows apart, too few to retrace a day.
pub const PATH_SCREENS_MAX: usize = 8;

/// Longest session or run, in milliseconds: 31 days. A mouse that something keeps
/// moving makes sessions of days; longer ones are a clock fault.
pub const DURATION_MS_MAX: u64 = 31 * 86_400_000;

/// Highest count of anything in one record: a thousand a second for 48 hours. Sums
/// over any number of records stay far from overflowing.
pub const COUNT_MAX: u64 = 172_800_000;

/// How far a record may lie before the batch was sent, in milliseconds: 400 days.
pub const AGE_MS_MAX: i64 = 400 * 86_400_000;

/// How far a record may lie after the batch was sent, in milliseconds: one day
/// (the device's own clock says both, so only a jump of the clock gets near it).
pub const AHEAD_MS_MAX: i64 = 86_400_000;

/// Highest sequence number: what a JSON number can carry exactly everywhere.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
