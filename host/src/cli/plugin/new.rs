//! `patchbay plugin new`: a project of its own, made of the example channel of its language, which builds without this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::{build::Language, sources};

/// What a project can be called, and its plugin's `id`.
const NAME_MAX: usize = 40;
/// Where the projects' stand-in listens, unless told otherwise.
pub(super) const STAND_IN: &str = "127.0.0.1:9200";

pub(super) fn new(name: &str, language: Language, folder: Option<PathBuf>) -> anyhow::Result<()> {
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= NAME_MAX && name.chars().all(named),
        "{name:?} is no name of a plugin: lower case letters, digits and hyphens, at most {NAME_MAX}, a letter first, like acme-chat"
    );
    let folder = folder.unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() && std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?.next().is_some() {
        bail!("{} is there already and holds something: take another --folder", folder.display());
    }
    let project = Project { folder: &folder, name, language };
    project.write_template()?;
    project.write_vendor()?;
    project.write_local()?;
    print!("{}", project.next_steps());
    Ok(())
}

struct Project<'a> {
    folder: &'a Path,
    name: &'a str,
    language: Language,
}

impl Project<'_> {
    /// `Acme Chat`.
    fn title(&self) -> String {
        self.words().collect::<Vec<_>>().join(" ")
    }

    /// `Acme`, `Chat`.
    fn words(&self) -> impl Iterator<Item = String> {
        self.name.split('-').filter(|word| !word.is_empty()).map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
        })
    }

    /// What stands in the example, and what stands in its place here. The longer ones first.
    fn replacements(&self) -> Vec<(&'static str, String)> {
        let name = self.name.to_owned();
        let channel_type = self.name.to_uppercase().replace('-', "_");
        let title = self.title();
        let of_language: Vec<(&str, String)> = match self.language {
            Language::Rust => vec![
                ("patchbay-acme-rust", name.clone()),
                ("acme-rust", name.clone()),
                ("ACME_RUST", channel_type),
                ("Acme Chat (Rust)", title.clone()),
                ("../../sdk", "vendor/plugins/sdk".to_owned()),
            ],
            Language::Javascript => vec![
                ("acme-javascript", name.clone()),
                ("ACME_JAVASCRIPT", channel_type),
                ("Acme Chat (JavaScript)", title.clone()),
                ("../../sdk-javascript", "vendor/patchbay-plugin".to_owned()),
            ],
            Language::Python => vec![
                ("acme-python", name.clone()),
                ("ACME_PYTHON", channel_type),
                ("Acme Chat (Python)", title.clone()),
                ("../../sdk-python", "vendor/patchbay-plugin".to_owned()),
                ("acme_chat", self.name.replace('-', "_")),
            ],
        };
        let of_all = [
            ("acme-chat.example", format!("{name}.example")),
            ("AcmeChat", self.words().collect()),
            ("Acme Chat", title),
            ("\"acme\"", format!("\"{name}\"")),
            ("'acme'", format!("'{name}'")),
            ("`acme`", format!("`{name}`")),
        ];
        of_language.into_iter().chain(of_all).collect()
    }

    fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let file = self.folder.join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        std::fs::write(&file, text).with_context(|| file.display().to_string())
    }

    fn write_template(&self) -> anyhow::Result<()> {
        let replacements = self.replacements();
        let replaced = |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        for (path, text) in sources::below(&format!("plugins/examples/{}", self.language.word())) {
            self.write(&replaced(path), &replaced(text))?;
        }
        Ok(())
    }

    /// The contract and the SDK as they are in this program.
    fn write_vendor(&self) -> anyhow::Result<()> {
        for (path, text) in sources::contract() {
            self.write(&format!("vendor/wit/{path}"), text)?;
        }
        let (from, to) = match self.language {
            // As far from the contract as in this repository: the SDK reads it when it is built.
            Language::Rust => ("plugins/sdk", "vendor/plugins/sdk"),
            Language::Javascript => ("plugins/sdk-javascript", "vendor/patchbay-plugin"),
            Language::Python => ("plugins/sdk-python", "vendor/patchbay-plugin"),
        };
        for (path, text) in sources::below(from) {
            self.write(&format!("{to}/{path}"), text)?;
        }
        if self.language == Language::Rust {
            self.write("vendor/Cargo.toml", &vendor_workspace()?)?;
            let manifest = std::fs::read_to_string(self.folder.join("Cargo.toml"))?;
            self.write("Cargo.toml", &format!("{manifest}\n[workspace]\nexclude = [\"vendor\"]\n"))?;
            // The very versions that the SDK is tested with; cargo takes out what isn't needed.
            self.write("Cargo.lock", source_file("Cargo.lock")?)?;
        }
        Ok(())
    }

    /// A gateway of the author's own, with the stand-in in the provider's place.
    fn write_local(&self) -> anyhow::Result<()> {
        self.write(".gitignore", "target\nnode_modules\n__pycache__\n")?;
        let host = format!("api.{}.example", self.name);
        self.write(
            "local.toml",
            &format!(
                "# A gateway to try the plugin with: patchbay --config local.toml serve\n# It runs what `patchbay plugin build .` puts into \
                 target/plugins.\ndata = \"target/gateway\"\n\n[plugins]\nfolder = \"target/plugins\"\n\n# The provider's place is taken by \
                 `patchbay plugin stand-in .`\n[egress.redirect]\n\"{host}\" = \"http://{STAND_IN}\"\n"
            ),
        )
    }

    fn next_steps(&self) -> String {
        let test = match self.language {
            Language::Rust => "cargo test",
            Language::Javascript => "node --test",
            Language::Python => "python3 -m unittest tests.test_channel",
        };
        let settings = r#"{"token": "a-token-of-mine"}"#;
        format!(
            "{folder} is a plugin for {title} in {language} now.

  cd {folder}
  {test}
  patchbay plugin build .
  patchbay plugin test .
  patchbay --config local.toml serve            # in another terminal; it prints KEY
  patchbay plugin stand-in .                    # in a third: plays the provider
  curl -H \"apikey: $KEY\" http://127.0.0.1:8080/rest/v1/channel_accounts -H 'content-type: application/json' \\
    -d '{{\"organization_id\": \"acme\", \"name\": \"First\", \"type\": \"{kind}\", \"is_active\": true, \"settings\": {settings}}}'
  curl -X POST -H \"apikey: $KEY\" http://127.0.0.1:8080/rest/v1/channel_accounts/$ACCOUNT/connect
  patchbay plugin dev . --key $KEY              # rebuilds and swaps at each change, and shows the accounts' log

docs/plugin-authors.md goes through it, with the answers.
",
            folder = self.folder.display(),
            title = self.title(),
            language = self.language.title(),
            kind = self.name.to_uppercase().replace('-', "_"),
        )
    }
}

/// A workspace for the SDK, which names its dependencies' versions there.
fn vendor_workspace() -> anyhow::Result<String> {
    let root: toml::Table = source_file("Cargo.toml")?.parse().context("the workspace's Cargo.toml")?;
    let workspace = root.get("workspace").and_then(toml::Value::as_table).context("Cargo.toml has no workspace")?;
    let part = |name: &str| workspace.get(name).cloned().with_context(|| format!("the workspace has no {name}"));
    let mut dependencies = part("dependencies")?;
    let sdk = source_file("plugins/sdk/Cargo.toml")?;
    if let Some(dependencies) = dependencies.as_table_mut() {
        dependencies.retain(|name, _| sdk.contains(&format!("\n{name}.workspace = true")));
    }
    let mut vendor = toml::Table::new();
    vendor.insert("resolver".to_owned(), "3".into());
    vendor.insert("members".to_owned(), toml::Value::Array(vec!["plugins/sdk".into()]));
    for (name, value) in [("package", part("package")?), ("dependencies", dependencies), ("lints", part("lints")?)] {
        vendor.insert(name.to_owned(), value);
    }
    let mut whole = toml::Table::new();
    whole.insert("workspace".to_owned(), toml::Value::Table(vendor));
    Ok(toml::to_string(&whole)?)
}

fn source_file(path: &str) -> anyhow::Result<&'static str> {
    sources::file(path).with_context(|| format!("this program carries no {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_holds_no_word_of_the_example() {
        for (language, own) in
            [(Language::Rust, "src/lib.rs"), (Language::Javascript, "src/channel.js"), (Language::Python, "parcel_pigeon/__init__.py")]
        {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("project");
            new("parcel-pigeon", language, Some(folder.clone())).unwrap();
            assert!(std::fs::read_to_string(folder.join(own)).unwrap().contains("ParcelPigeon") || language == Language::Javascript);
            let manifest = crate::manifest::Manifest::from_folder(&folder).unwrap();
            assert_eq!((manifest.id.as_str(), manifest.channel_type.as_str()), ("parcel-pigeon", "PARCEL_PIGEON"));
            assert_eq!(manifest.name, "Parcel Pigeon");
            for file in ["plugin.toml", own, "README.md", "conformance.json"] {
                let text = std::fs::read_to_string(folder.join(file)).unwrap();
                for word in ["Acme Chat", "AcmeChat", "acme-chat", "ACME_", "../../sdk"] {
                    assert!(!text.contains(word), "{file} of {language:?} says {word}");
                }
            }
            assert!(folder.join("vendor/wit/types.wit").exists());
            new("parcel-pigeon", language, Some(folder)).unwrap_err();
        }
    }

    #[test]
    fn what_is_no_name_is_refused_before_anything_is_written() {
        for name in ["", "Acme", "1st", "a b", "../x", &"a".repeat(41)] {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("project");
            let refused = new(name, Language::Rust, Some(folder.clone())).unwrap_err().to_string();
            assert!(refused.contains("acme-chat"), "{refused}");
            assert!(!folder.exists());
        }
    }
}
