//! `plugin.toml`: what the author says. It travels inside the `.wasm`, in the custom section `covet:manifest`.

use super::{
    limits::LimitsTable,
    path::{check_mount, check_name},
    reader::{ConfigError, Section, Source, process_env},
};

/// Name of the component's custom section that holds `plugin.toml`.
pub const MANIFEST_SECTION: &str = "covet:manifest";
/// Bytes of the largest manifest.
pub const MAX_MANIFEST: usize = 64 << 10;

/// `plugin.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The plugin's name: small letters, digits, dashes.
    pub name: String,
    /// Default `0.0.0`.
    pub version: String,
    pub description: Option<String>,
    /// How it is built where cargo does not build it; nothing for the host.
    pub build: Option<BuildCommand>,
    /// Where the author wants it; the operator's word wins. Default `/`.
    pub mount: Option<String>,
    /// Limits that the author asks for; they count where they are lower than the operator's.
    pub limits: LimitsTable,
}

/// `[build]`: another language's, or another build tool's, way to the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildCommand {
    /// For `sh -c`, in the directory of `plugin.toml`.
    pub command: String,
    /// The component that it writes, relative to that directory.
    pub component: String,
}

impl BuildCommand {
    fn read(mut section: Section<'_, '_>) -> Option<BuildCommand> {
        let (command, component) = (section.text("command"), section.text("component"));
        if command.is_none() || component.is_none() {
            section.refuse("it takes both: command = \"make plugin.wasm\" and component = \"plugin.wasm\"");
        }
        section.close();
        Some(BuildCommand { command: command?, component: component? })
    }
}

impl Manifest {
    /// Reads `plugin.toml`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn parse(text: &str) -> Result<Manifest, ConfigError> {
        let source = Source::new("plugin.toml", text, &process_env);
        let tree = source.parse();
        let mut root = Section::root(&source, &tree);
        let mut manifest = Manifest { version: "0.0.0".to_owned(), ..Manifest::default() };
        match root.get("name") {
            None => source.problem(0, "name", "the key \"name\" is missing; write name = \"my-plugin\""),
            Some(value) => {
                let name = value.text().unwrap_or_default();
                if let Err(why) = check_name(&name) {
                    value.refuse(why);
                }
                manifest.name = name;
            }
        }
        if let Some(value) = root.get("version") {
            manifest.version = value.text().unwrap_or_default();
            if manifest.version.is_empty() || manifest.version.len() > 64 {
                value.refuse("a version is 1 to 64 characters, as \"0.1.0\"");
            }
        }
        manifest.description = root.text("description");
        if let Some(value) = root.get("mount") {
            manifest.mount = value.text().map(|mount| {
                check_mount(&mount).unwrap_or_else(|why| {
                    value.refuse(why);
                    mount
                })
            });
        }
        manifest.build = root.section("build").and_then(BuildCommand::read);
        if let Some(limits) = root.section("limits") {
            manifest.limits = LimitsTable::read(limits);
        }
        root.close();
        source.finish(manifest)
    }
}
