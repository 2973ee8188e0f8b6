//! Promises of the command itself: what it prints, how it ends. What needs a running host is tested in `tests/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests speak by failing")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn covet(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_covet"))
        .args(args)
        .current_dir(directory)
        .env_remove("COVET_ADMIN_TOKEN")
        .env_remove("COVET_ADMIN_URL")
        .env_remove("COVET_CONFIG")
        // What plugins of these tests are built from stays for the next run.
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap()
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {output:?}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn manifest(directory: &Path, text: &str) {
    std::fs::write(directory.join("plugin.toml"), text).unwrap();
}

#[test]
fn doctor_tells_as_json_what_is_here_and_its_exit_code_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let output = covet(directory.path(), &["doctor", "--json"]);
    let report = json(&output);
    let checks = report["checks"].as_array().unwrap();
    for name in
        ["rust", "guest-target", "cc", "postgresql", "mariadb", "redis", "state-directory", "listen", "pagemap-scan"]
    {
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report}"));
        assert!(["ok", "missing", "warning", "absent"].contains(&check["status"].as_str().unwrap()), "{check}");
    }
    assert_eq!(report["ok"].as_bool().unwrap(), output.status.success());
}

#[test]
fn doctor_without_a_guest_target_names_both_ways_to_one_and_exits_1() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_covet"))
        .args(["doctor", "--json"])
        .current_dir(directory.path())
        // No rustc at all: the way through rustup is closed.
        .env("PATH", directory.path())
        .env("COVET_GUEST_TOOLCHAIN", "rustup")
        .output()
        .unwrap();
    let report = json(&output);
    let check =
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "guest-target").cloned().unwrap();
    assert_eq!(check["status"], "missing");
    let way_out = check["way_out"].as_str().unwrap();
    assert!(way_out.contains("rustup target add wasm32-wasip2") && way_out.contains("apt-get install"), "{way_out}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn outside_a_project_build_says_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    let output = covet(directory.path(), &["build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no plugin.toml") && stderr(&output).contains("covet new"), "{}", stderr(&output));
}

#[test]
fn an_unknown_key_in_plugin_toml_is_answered_with_the_nearest_one_and_the_line() {
    let directory = tempfile::tempdir().unwrap();
    manifest(directory.path(), "name = \"x\"\nversion = \"0.1.0\"\nmuont = \"/\"\n");
    let output = covet(directory.path(), &["build", "--json"]);
    let error = json(&output)["error"].clone();
    assert_eq!(error["code"], "bad-manifest");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("muont") && message.contains("mount") && message.contains('3'), "{message}");
}

#[test]
fn a_project_with_a_build_command_of_its_own_is_built_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let with = |command: &str| {
        let head = "name = \"x\"\nversion = \"0.1.0\"\n[build]\ncomponent = \"out/x.wasm\"\n";
        manifest(directory.path(), &format!("{head}command = \"\"\"{command}\"\"\"\n"));
        covet(directory.path(), &["build", "--json"])
    };
    // The smallest component: its preamble.
    let output = with(r"mkdir -p out && printf '\\000asm\\015\\000\\001\\000' > out/x.wasm");
    assert!(output.status.success(), "{}", stderr(&output));
    let built = json(&output);
    assert_eq!(built["toolchain"], "command");
    let wasm = std::fs::read(built["path"].as_str().unwrap()).unwrap();
    assert!(wasm.windows(5).any(|part| part == b"out/x"), "the manifest travels in the component");

    let output = with("printf hello > out/x.wasm");
    assert_eq!(json(&output)["error"]["code"], "not-a-component");
    let output = with("echo no such flag >&2; exit 7");
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("no such flag"), "{}", stderr(&output));
    assert!(json(&output)["error"]["message"].as_str().unwrap().contains("exit status: 7"), "{output:?}");

    manifest(directory.path(), "name = \"x\"\n[build]\ncommand = \"true\"\n");
    let output = covet(directory.path(), &["build", "--json"]);
    let message = json(&output)["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("component ="), "{message}");
}

#[test]
fn with_no_host_there_commands_exit_3_and_name_the_address() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_covet"))
        .args(["plugins", "list", "--to", "http://127.0.0.1:9", "--json"])
        .current_dir(directory.path())
        .env("COVET_ADMIN_TOKEN", "x")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = json(&output)["error"].clone();
    assert_eq!(error["code"], "unreachable");
    assert!(error["message"].as_str().unwrap().contains("127.0.0.1:9"), "{error}");
}

#[test]
fn without_a_token_anywhere_deploy_says_where_one_is() {
    let directory = tempfile::tempdir().unwrap();
    let output = covet(directory.path(), &["plugins", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("COVET_ADMIN_TOKEN") && stderr(&output).contains("--token-file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_file_that_is_no_component_is_refused_before_it_travels() {
    let directory = tempfile::tempdir().unwrap();
    for (bytes, what) in [(&b"hello"[..], "not WebAssembly"), (b"\0asm\x01\0\0\0", "core module")] {
        let file = directory.path().join("x.wasm");
        std::fs::write(&file, bytes).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_covet"))
            .args(["deploy", "--json"])
            .arg(&file)
            .env("COVET_ADMIN_TOKEN", "x")
            .output()
            .unwrap();
        let error = json(&output)["error"].clone();
        assert_eq!(error["code"], "not-a-component");
        assert!(error["message"].as_str().unwrap().contains(what), "{error}");
    }
}

#[test]
fn new_leaves_a_directory_that_holds_something_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("notes")).unwrap();
    std::fs::write(directory.path().join("notes/mine"), "").unwrap();
    let output = covet(directory.path(), &["new", "notes", "--json"]);
    assert_eq!(json(&output)["error"]["code"], "exists");
    assert_eq!(std::fs::read_dir(directory.path().join("notes")).unwrap().count(), 1);
}

#[test]
fn every_template_builds_and_passes_its_own_tests() {
    // One path for both, since it is part of the flags: the second finds the SDK built.
    let project = target().join("project");
    for template in ["hello", "blog"] {
        let _ = std::fs::remove_dir_all(&project);
        std::fs::create_dir_all(target()).unwrap();
        let name = format!("my-{template}");
        let created = covet(&target(), &["new", &name, "--template", template, "--path", "project", "--json"]);
        assert!(created.status.success(), "{created:?}");

        let built = covet(&project, &["build", "--json"]);
        assert!(built.status.success(), "{}", stderr(&built));
        let report = json(&built);
        assert_eq!(report["plugin"], name);
        let wasm = std::fs::read(report["path"].as_str().unwrap()).unwrap();
        let manifest = std::fs::read(project.join("plugin.toml")).unwrap();
        assert!(wasm.ends_with(&manifest), "plugin.toml travels inside");

        let tests = Command::new(env!("CARGO"))
            .args(["test", "--quiet"])
            .current_dir(&project)
            .env("CARGO_TARGET_DIR", target())
            .env("COVET_BIN", env!("CARGO_BIN_EXE_covet"))
            .env_remove("CARGO_MANIFEST_DIR")
            .output()
            .unwrap();
        assert!(tests.status.success(), "{template}:\n{}\n{}", String::from_utf8_lossy(&tests.stdout), stderr(&tests));
    }
}

#[test]
fn what_does_not_compile_is_told_in_rustcs_own_words_and_exits_5() {
    let directory = tempfile::tempdir().unwrap();
    let package = "[package]\nname = \"broken\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    std::fs::write(directory.path().join("Cargo.toml"), package).unwrap();
    manifest(directory.path(), "name = \"broken\"\n");
    std::fs::create_dir(directory.path().join("src")).unwrap();
    std::fs::write(directory.path().join("src/lib.rs"), "pub fn f() -> u8 { \"not a number\" }\n").unwrap();
    let output = covet(directory.path(), &["build"]);
    assert_eq!(output.status.code(), Some(5));
    let said = stderr(&output);
    assert!(said.contains("error[E0308]: mismatched types") && said.contains("src/lib.rs:1:20"), "{said}");
}
