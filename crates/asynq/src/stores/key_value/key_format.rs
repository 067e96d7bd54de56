//! The keys that every key-value store accepts.

/// Maximum length of a key of memcached, in bytes. By its `doc/protocol.txt`: "the length limit of a key
/// is set at 250 characters (of course, normally clients wouldn't need to use such long keys); the key
/// must not include control characters or whitespace".
pub(super) const MAX_KEY: usize = 250;

/// Returns whether a key has no spaces and no control characters. Other bytes of UTF-8 are allowed.
pub(super) fn is_plain(key: &[u8]) -> bool {
    key.iter().all(|byte| !byte.is_ascii_control() && *byte != b' ')
}
