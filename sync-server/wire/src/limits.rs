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

/// JSON of one submission, unpacked. The longest text, trail and state of a program
/// make 300 KB when every character is written plainly.
pub const SUBMISSION_BYTES_MAX: usize = 1 << 20;

/// Characters in a person's words: some four pages.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;

/// Tags of one submission: more than a person would pick.
pub const TAGS_MAX: usize = 20;

/// Characters in a tag: it has to fit a chip on the screen.
pub const TAG_CHARS_MAX: usize = 40;

/// Characters in an address: what every browser and server takes.
pub const URL_CHARS_MAX: usize = 2_000;

/// Steps of a friction trail: the minutes before, and what a person still looks through
/// before approving it.
pub const TRAIL_STEPS_MAX: usize = 100;

/// Characters of a step, and of words drawn on a screenshot.
pub const STEP_CHARS_MAX: usize = 200;

/// A program's own state as compact JSON.
pub const APP_STATE_BYTES_MAX: usize = 64 << 10;

/// Pixels from edge to edge of a screen or window: walls of screens stay below.
pub const EXTENT_PIXELS_MAX: u32 = 100_000;

/// Marks on a screenshot: more than a person draws.
pub const SHAPES_MAX: usize = 200;

/// How far before the server's clock a submission may be dated, in milliseconds: 180
/// days. A device that was off for half a year still gets through; a clock that lost
/// its battery doesn't.
pub const SUBMISSION_AGE_MS_MAX: i64 = 180 * 86_400_000;

/// How far after the server's clock a submission may be dated, in milliseconds: one
/// day, which covers a clock set to the wrong time zone.
pub const SUBMISSION_AHEAD_MS_MAX: i64 = 86_400_000;

/// Bytes of a screenshot: 10 MB hold a picture of a large screen without loss.
pub const SCREENSHOT_BYTES_MAX: usize = 10 << 20;

/// Pixels of a screenshot: three 4K screens side by side are half of it.
pub const SCREENSHOT_PIXELS_MAX: u64 = 50_000_000;
