//! Components that are none of the contract's.

use patchbay_guests::Guest;
use serde_json::json;

use super::cage::Cage;
use crate::harness::{Answer, Database, both, plugin_file};

/// The zoo's manifest around another component.
fn with_manifest(component: &[u8]) -> Vec<u8> {
    let zoo = std::fs::read(plugin_file("zoo.wasm")).unwrap();
    let mut manifest = patchbay::manifest::Manifest::from_component(&zoo).unwrap();
    manifest.version = "0.2.0".to_owned();
    patchbay::manifest::embed(component, &manifest).unwrap()
}

async fn install(cage: &Cage, component: Vec<u8>) -> Answer {
    cage.bench.gateway.upload("/admin/v1/plugins", "application/wasm", component).await
}

async fn what_does_not_fit_the_contract_is_refused_by_name(database: Database) {
    let cage = Cage::open(database).await;
    // A field of another type, a hook that is missing, an import that nobody offers.
    let retyped = Guest { wit: &[("display-name: string", "display-name: u32")], ..Guest::default() }.component();
    let renamed = Guest { wit: &[("health: func(call: call)", "healthy: func(call: call)")], ..Guest::default() }.component();
    let asks = Guest {
        wit: &[("import mail; }", "import mail; import moon:shot/rocket; }")],
        packages: "\npackage moon:shot { interface rocket { launch: func(); } }\n",
        items: "",
        hooks: &[("configure", "(call $rocket.launch) unreachable")],
        ..Guest::default()
    }
    .component();
    for (component, named) in [(retyped, "connect"), (renamed, "health"), (asks, "moon:shot/rocket")] {
        let refused = install(&cage, with_manifest(&component)).await.expect_status(422);
        assert_eq!(refused["code"], "plugin_refused");
        assert!(refused["message"].as_str().unwrap().contains(named), "{named}: {refused:#}");
    }
    // One that traps when it is called first.
    let refused = install(&cage, with_manifest(&Guest::default().component())).await.expect_status(422);
    assert!(refused["message"].as_str().unwrap().contains("configure"), "{refused:#}");
    let plugins = cage.bench.gateway.get("/admin/v1/plugins").await.expect_status(200);
    let running = plugins["types"].as_array().unwrap().iter().find(|running| running["type"] == "ZOO").unwrap();
    assert_eq!(running["version"], json!("0.1.0"), "{running}");
    cage.all_goes_on().await;
}

both! {
    what_does_not_fit_the_contract_is_refused_by_name,
}
