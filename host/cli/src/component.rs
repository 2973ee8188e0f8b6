//! The finished `.wasm`: a component, with the plugin's manifest in a custom section of its own.

/// The custom section that carries `plugin.toml`, byte for byte.
pub use covet_server::config::MANIFEST_SECTION;

pub use covet_server::component::section;

const MAGIC: &[u8] = b"\0asm";
/// Version 13, layer 1: a component, not a core module (component model binary format, "preamble").
const COMPONENT: &[u8] = &[0x0d, 0x00, 0x01, 0x00];

pub fn is_wasm(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub fn is_component(bytes: &[u8]) -> bool {
    bytes.strip_prefix(MAGIC).is_some_and(|rest| rest.starts_with(COMPONENT))
}

/// Appends a custom section: id 0, size, name, data; lengths in LEB128.
pub fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = Vec::with_capacity(name.len() + data.len() + 5);
    leb128(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    component.push(0);
    leb128(component, body.len());
    component.extend_from_slice(&body);
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_size_its_name_and_its_data() {
        let mut out = vec![];
        append_section(&mut out, "ab", &[7; 200]);
        assert_eq!(&out[..6], &[0, 0xcb, 0x01, 2, b'a', b'b']);
        assert_eq!(out.len(), 3 + 0xcb);
        assert!(out[6..].iter().all(|&byte| byte == 7));
    }

    #[test]
    fn what_was_appended_is_found_again_and_a_broken_file_yields_nothing() {
        let mut out = b"\0asm\x0d\0\x01\0".to_vec();
        append_section(&mut out, "other", &[1; 300]);
        append_section(&mut out, "covet:manifest", b"name = \"x\"");
        assert_eq!(section(&out, "covet:manifest"), Some(&b"name = \"x\""[..]));
        assert_eq!(section(&out, "none"), None);
        for cut in 0..out.len() {
            assert_ne!(section(&out[..cut], "covet:manifest"), Some(&b"name = \"x\""[..]));
        }
    }

    #[test]
    fn a_core_module_is_no_component() {
        assert!(is_component(b"\0asm\x0d\0\x01\0rest"));
        assert!(!is_component(b"\0asm\x01\0\0\0"));
        assert!(!is_component(b"\0as"));
    }
}
