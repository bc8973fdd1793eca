//! libchdb's C interface, loaded at run time, as much of it as is used.
//!
//! The signatures are those of `chdb.h` of [`crate::ENGINE_VERSION`]. Handles are opaque
//! pointers; lengths are explicit everywhere, so that zero bytes are data.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use libloading::Library;

use crate::{ENGINE_VERSION, ErrorKind, WarehouseError};

/// `chdb_connection`: one session of the engine.
pub(super) type RawConnection = *mut c_void;
/// `chdb_result *`: a result, a chunk of one, or the handle of a streamed query.
pub(super) type RawResult = *mut c_void;
/// `chdb_insert_stream`: a streamed insert.
pub(super) type RawInsert = *mut c_void;

/// `chdb_query_analysis_v1`: what a statement would do.
#[repr(C)]
#[derive(Default)]
pub(super) struct RawAnalysis {
    /// Set by the caller to the size of this struct.
    pub(super) struct_size: u32,
    pub(super) statement_count: u32,
    pub(super) flags: u32,
    pub(super) query_class: u32,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    /// Registers a function that gets the status a process exits with.
    pub(super) fn on_exit(
        function: extern "C" fn(c_int, *mut c_void),
        argument: *mut c_void,
    ) -> c_int;
    /// Ends the process here and now.
    pub(super) fn _exit(status: c_int) -> !;
}

macro_rules! symbols {
    ($($name:ident: fn($($argument:ty),*) $(-> $answer:ty)?,)*) => {
        /// The functions of the loaded library.
        pub(super) struct Symbols {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $answer)?,)*
            /// Keeps the functions where they are. Never unloaded: the engine's own threads
            /// may outlive every connection.
            _library: &'static Library,
        }

        impl Symbols {
            /// Loads the library and looks up every function.
            pub(super) fn load(path: &Path) -> Result<Self, WarehouseError> {
                let unavailable = |error: libloading::Error| {
                    WarehouseError::new(
                        ErrorKind::Unavailable,
                        format!("{} can't be used as the embedded ClickHouse library: {error}", path.display()),
                    )
                };
                // SAFETY: the library's initialisers are ClickHouse's own and need nothing of us;
                // the file is the one the operator installed.
                let library = unsafe { Library::new(path) }.map_err(unavailable)?;
                let library: &'static Library = Box::leak(Box::new(library));
                let symbols = Self {
                    $(
                        // SAFETY: the type is the function's in the `chdb.h` of this version.
                        $name: *unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }
                            .map_err(unavailable)?,
                    )*
                    _library: library,
                };
                // SAFETY: takes nothing and returns a string that is part of the library.
                let version = unsafe { CStr::from_ptr((symbols.chdb_version)()) }.to_string_lossy();
                if version != ENGINE_VERSION {
                    tracing::warn!(%version, expected = ENGINE_VERSION, "another version of the ClickHouse library");
                }
                Ok(symbols)
            }
        }
    };
}

symbols! {
    chdb_version: fn() -> *const c_char,
    chdb_set_signal_handlers_enabled: fn(c_int),
    chdb_connect: fn(c_int, *const *const c_char) -> *mut RawConnection,
    chdb_close_conn: fn(*mut RawConnection),
    chdb_result_rows_read: fn(RawResult) -> u64,
    chdb_result_bytes_read: fn(RawResult) -> u64,
    chdb_result_storage_rows_read: fn(RawResult) -> u64,
    chdb_result_storage_bytes_read: fn(RawResult) -> u64,
    chdb_result_rows_written: fn(RawResult) -> u64,
    chdb_result_bytes_written: fn(RawResult) -> u64,
    chdb_query_with_params_n: fn(RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize) -> RawResult,
    chdb_stream_query_with_params_n: fn(RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize) -> RawResult,
    chdb_stream_fetch_result: fn(RawConnection, RawResult) -> RawResult,
    chdb_stream_cancel_query: fn(RawConnection, RawResult),
    chdb_destroy_query_result: fn(RawResult),
    chdb_classify_query_n: fn(RawConnection, *const c_char, usize, *const c_char, usize, *mut RawAnalysis) -> c_int,
    chdb_stream_insert_with_params_n: fn(RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize) -> RawInsert,
    chdb_stream_append: fn(RawInsert, *const c_void, usize) -> c_int,
    chdb_stream_done: fn(RawInsert) -> RawResult,
    chdb_stream_cancel_insert: fn(RawInsert),
    chdb_stream_insert_error: fn(RawInsert) -> *const c_char,
    chdb_destroy_insert_stream: fn(RawInsert),
    chdb_result_buffer: fn(RawResult) -> *const u8,
    chdb_result_length: fn(RawResult) -> usize,
    chdb_result_error: fn(RawResult) -> *const c_char,
}
