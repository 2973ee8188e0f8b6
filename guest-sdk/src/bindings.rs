//! The wall, as wit-bindgen generates it from `wit/`. Plugin authors do not need anything in here.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, rustdoc::all)]

wit_bindgen::generate!({
    world: "plugin",
    path: "../wit",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "::covet::bindings",
});
