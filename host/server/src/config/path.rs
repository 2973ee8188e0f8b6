//! Names, mounts and hosts, as both files and the admin API give them.

/// Bytes of the longest plugin name.
pub const MAX_PLUGIN_NAME: usize = 63;
/// Bytes of the longest mount.
pub const MAX_MOUNT: usize = 256;

/// # Errors
/// Why `name` cannot name a plugin.
pub fn check_name(name: &str) -> Result<(), String> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.len() <= MAX_PLUGIN_NAME;
    if good {
        return Ok(());
    }
    Err(format!(
        "\"{name}\" cannot name a plugin: small letters, digits and dashes, a letter first, at most {MAX_PLUGIN_NAME}, as \"my-notes\""
    ))
}

/// A mount without the slash at its end; `/` stays.
///
/// # Errors
/// Why `mount` is not a place to serve under.
pub fn check_mount(mount: &str) -> Result<String, String> {
    if !mount.starts_with('/') {
        return Err(format!("mount \"{mount}\" does not begin with a slash; write \"/{mount}\""));
    }
    if mount.len() > MAX_MOUNT {
        return Err(format!("the mount is {} bytes, {MAX_MOUNT} is the most", mount.len()));
    }
    let trimmed = mount.trim_end_matches('/');
    if trimmed.is_empty() && mount == "/" {
        return Ok("/".to_owned());
    }
    if mount.ends_with("//") || trimmed.is_empty() {
        return Err(format!("mount \"{mount}\" has an empty segment; write it with single slashes"));
    }
    for segment in trimmed.split('/').skip(1) {
        let plain = segment.chars().all(|c| c.is_alphanumeric() || "-._~!$&'()+,;=:@".contains(c));
        if segment.is_empty() {
            return Err(format!("mount \"{mount}\" has an empty segment; write it with single slashes"));
        }
        if segment == "." || segment == ".." || !plain {
            return Err(format!(
                "mount \"{mount}\": \"{segment}\" is no plain segment (no dots alone, no braces, no spaces)"
            ));
        }
    }
    Ok(trimmed.to_owned())
}

/// A host name in lower case, without port.
///
/// # Errors
/// Why `host` is none.
pub fn check_host(host: &str) -> Result<String, String> {
    let lower = host.to_ascii_lowercase();
    let bracketed = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !lower.is_empty()
                && lower.len() <= 253
                && lower.split('.').all(|label| {
                    !label.is_empty()
                        && label.len() <= 63
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                })
        }
    };
    if good {
        Ok(lower)
    } else {
        Err(format!("\"{host}\" is not a host name; write it without port, as \"example.com\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_one_clean_prefix() {
        assert_eq!(check_mount("/").as_deref(), Ok("/"));
        assert_eq!(check_mount("/blog/").as_deref(), Ok("/blog"));
        assert_eq!(check_mount("/a/b").as_deref(), Ok("/a/b"));
        for bad in ["", "blog", "//", "/a//b", "/a/../b", "/{x}", "/a b", "/a%20b", "/a?b"] {
            assert!(check_mount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_names_without_ports() {
        assert_eq!(check_host("Example.COM").as_deref(), Ok("example.com"));
        assert_eq!(check_host("[::1]").as_deref(), Ok("[::1]"));
        for bad in ["", "a:80", "a..b", "a b", "http://a", "[x]"] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
    }
}
