//! What every key-value store takes as a key.

/// How long a key of memcached may be, in bytes. By its `doc/protocol.txt`: "the length limit of a key
/// is set at 250 characters (of course, normally clients wouldn't need to use such long keys); the key
/// must not include control characters or whitespace".
pub(super) const MAX_KEY: usize = 250;

/// Whether there are no spaces or control characters in it. Bytes of UTF-8 may be.
pub(super) fn is_plain(key: &[u8]) -> bool {
    key.iter().all(|byte| !byte.is_ascii_control() && *byte != b' ')
}
