//! Settings of the driver, each with its reason.

/// Settings of a SQLite database. The defaults suit a web backend on a machine with gigabytes of memory.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Long reads at the same time, each with a connection from stock. Default 4: SQLite reads are bound by the CPU, and
    /// short ones run on the workers besides.
    pub readers: usize,
    /// Writes that may wait for the writer; one more is [`crate::DbError::PoolExhausted`]. Default 4,096: at the slowest
    /// rate that a disk with 10 ms an fsync gives (256 writes a group), a full queue drains in 0.2 s.
    pub queue: usize,
    /// Writes that may share one fsync. Default 256: beyond that the fsync's share of each write is below 1 µs, and those
    /// first in the group only wait longer.
    pub group: usize,
    /// Prepared statements kept a connection. Default 256; the one used longest ago goes. About 3 KB each.
    pub statements: usize,
    /// Page cache of the writer, in KiB. Default 16,384: the inner pages of large indexes stay in memory.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB. Default 4,096. It need not be large: a reader forgets its pages after each commit
    /// of the writer, and reads them again from the map of the file.
    pub reader_cache_kib: u32,
    /// How much of the file is mapped into memory, in bytes, 0 for nothing. Default 256 MiB: all connections share one copy,
    /// and a page read costs no system call, which counts because each commit empties the readers' caches.
    /// The price: when the disk fails under the map, the system stops the process instead of giving an error.
    pub mmap_bytes: u64,
    /// Largest answer, in bytes; more is [`crate::DbError::TooLarge`]. Default 64 MiB.
    pub max_result_bytes: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 4096,
            group: 256,
            statements: 256,
            writer_cache_kib: 16 << 10,
            reader_cache_kib: 4 << 10,
            mmap_bytes: 256 << 20,
            max_result_bytes: 64 << 20,
        }
    }
}
