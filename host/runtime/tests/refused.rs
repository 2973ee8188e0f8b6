//! What is not a plugin is refused with one clear error, and nothing else happens. (Real plugins: the end-to-end tests.)

#![allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]

use covet_runtime::{Engine, EngineOptions, Limits, LoadError, Plugin, Services};

async fn load(wasm: &[u8]) -> LoadError {
    let engine =
        Engine::new(EngineOptions { memory_budget: 64 << 20, max_memory: 256 << 20, cache_dir: None, workers: 1 })
            .unwrap();
    let error = Plugin::load(&engine, "test", 1, wasm, Services::default(), Limits::default()).await.unwrap_err();
    assert_eq!(engine.memory_used(), 0);
    error
}

async fn load_text(text: &str) -> LoadError {
    load(&wat::parse_str(text).unwrap()).await
}

/// Exports of the right names with nothing in them.
const HOLLOW: &str = r#"
    (instance $none)
    (export "covet:plugin/description@0.1.0" (instance $none))
    (export "covet:http/handler@0.1.0" (instance $none))
"#;

#[tokio::test]
async fn what_is_not_wasm_is_told_by_its_first_bytes() {
    for (bytes, found) in [(&b"<!DOCTYPE html>"[..], "3c 21 44 4f"), (b"", "empty"), (b"\0as", "00 61 73")] {
        let error = load(bytes).await;
        assert!(matches!(error, LoadError::NotWasm { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
        assert_eq!(error.code(), "not-wasm");
    }
}

#[tokio::test]
async fn a_core_module_is_told_how_to_become_a_component() {
    let error = load_text("(module (func))").await;
    assert!(matches!(error, LoadError::CoreModule), "{error}");
    assert!(error.to_string().contains("wasm32-wasip2"));
}

#[tokio::test]
async fn an_upload_cut_off_anywhere_is_refused() {
    let whole = wat::parse_str(format!("(component (core module (func)) {HOLLOW})")).unwrap();
    for end in 4..whole.len() {
        let error = load(&whole[..end]).await;
        assert!(
            matches!(error, LoadError::Malformed(_) | LoadError::MissingExport { .. } | LoadError::Compile(_)),
            "{end}: {error}"
        );
    }
}

#[tokio::test]
async fn a_component_of_another_world_is_told_what_it_lacks() {
    let error = load_text("(component)").await;
    assert!(
        matches!(&error, LoadError::MissingExport { export } if export == "covet:plugin/description@0.1.0"),
        "{error}"
    );
    let error = load_text(&format!("(component {HOLLOW})")).await;
    assert!(error.to_string().contains("covet:http/handler@0.1.0#serve"), "{error}");
    assert_eq!(error.code(), "wrong-world");
}

#[tokio::test]
async fn an_import_that_the_host_does_not_offer_is_named() {
    for import in ["acme:mail/send@1.0.0", "wasi:http/outgoing-handler@0.2.0", "covet:orm/query@0.9.0"] {
        let error =
            load_text(&format!("(component (import \"{import}\" (instance (export \"f\" (func)))) {HOLLOW})")).await;
        assert!(matches!(&error, LoadError::UnknownImport { import: named } if named == import), "{import}: {error}");
        assert_eq!(error.code(), "wrong-world");
    }
}

#[tokio::test]
async fn an_import_of_other_types_is_refused() {
    let error = load_text(&format!(
        "(component (import \"covet:config/config@0.1.0\" (instance (export \"get\" (func (param \"key\" u32))))) {HOLLOW})"
    ))
    .await;
    assert!(matches!(&error, LoadError::WrongTypes(why) if why.contains("covet:config/config")), "{error}");
}

#[tokio::test]
async fn too_large_a_component_is_not_even_read() {
    let error = load(&vec![0; (64 << 20) + 1]).await;
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn more_memory_at_the_start_than_an_instance_may_have_is_refused_at_deploy() {
    for (pages, says) in [(2_000, "limits.memory is 67108864"), (20_000, "1310720000")] {
        let module = format!("(core module $m (memory {pages}))");
        let error = load_text(&format!("(component {module} (core instance (instantiate $m)) {HOLLOW})")).await;
        assert!(matches!(&error, LoadError::TooManyResources(why) if why.contains(says)), "{error}");
    }
}
