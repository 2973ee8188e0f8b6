//! A component's bytes, as far as they are read without compiling them.

/// The contents of the last custom section `name` at the top of a component (Binary.md: id 0, size, name, bytes).
pub fn section<'w>(wasm: &'w [u8], name: &str) -> Option<&'w [u8]> {
    let mut rest = wasm.get(8..)?;
    let mut found = None;
    while let Some((id, after)) = rest.split_first() {
        let (size, after) = leb(after)?;
        let (contents, next) = after.split_at_checked(size)?;
        if *id == 0 {
            let (length, contents) = leb(contents)?;
            let (given, bytes) = contents.split_at_checked(length)?;
            if given == name.as_bytes() {
                found = Some(bytes);
            }
        }
        rest = next;
    }
    found
}

/// An unsigned LEB128 of at most 32 bits.
fn leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (n, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(n + 1..)?));
        }
    }
    None
}
