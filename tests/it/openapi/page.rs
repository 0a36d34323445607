//! `/docs` in a browser.

use serde_json::{Value, json};

use crate::harness::{Chromium, Database, Gateway, Settings, both, eventually};

/// Notes what the page loads and what its policy forbids, before any script of its own runs.
const WATCH: &str = "
    window.forbidden = [];
    document.addEventListener('securitypolicyviolation', (event) => forbidden.push(`${event.violatedDirective} ${event.blockedURI}`));
";
const LOADED: &str = "performance.getEntriesByType('resource').map((entry) => entry.name)";

async fn the_page_shows_the_api_and_loads_nothing_from_elsewhere(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let chromium = Chromium::start().await;
    let page = chromium.open(&format!("{}/docs", gateway.url), WATCH).await;
    let shown = || async { page.evaluate("document.querySelectorAll('.opblock').length").await.as_u64().filter(|shown| *shown > 0) };
    let shown = eventually("the operations are shown", shown).await;
    let described = gateway.get("/openapi.json").await.expect_status(200);
    let operations: usize = described["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(shown, u64::try_from(operations).unwrap(), "each operation");

    // One of them opened by the keyboard, with its example.
    page.evaluate("document.querySelector('#operations-operations-list_nodes button.opblock-summary-control').focus()").await;
    page.press("Enter").await;
    let example = || async {
        page.evaluate("document.querySelector('#operations-operations-list_nodes .example')?.textContent").await.as_str().map(str::to_owned)
    };
    let example = eventually("its example is shown", example).await;
    assert!(example.contains("gateway-1"), "{example}");

    for loaded in page.evaluate(LOADED).await.as_array().unwrap() {
        let loaded = loaded.as_str().unwrap();
        assert!(loaded.starts_with(&gateway.url) || loaded.starts_with("data:"), "{loaded}");
    }
    assert_eq!(page.evaluate("forbidden").await, json!([]));
    let complaints: Vec<Value> = chromium.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

async fn a_request_can_be_tried_with_a_key(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let chromium = Chromium::start().await;
    let page = chromium.open(&format!("{}/docs", gateway.url), WATCH).await;
    let there = |selector: &'static str| {
        let page = &page;
        async move {
            let found = || async { (page.evaluate(&format!("document.querySelector({selector:?}) !== null")).await == true).then_some(()) };
            eventually(selector, found).await;
        }
    };
    there("#operations-operations-list_nodes .opblock-summary-control").await;
    page.evaluate(&format!("ui.preauthorizeApiKey('apikey', {:?})", gateway.key)).await;
    page.evaluate("document.querySelector('#operations-operations-list_nodes .opblock-summary-control').click()").await;
    there("#operations-operations-list_nodes .try-out__btn").await;
    page.evaluate("document.querySelector('#operations-operations-list_nodes .try-out__btn').click()").await;
    there("#operations-operations-list_nodes .execute").await;
    page.evaluate("document.querySelector('#operations-operations-list_nodes .execute').click()").await;
    there("#operations-operations-list_nodes .live-responses-table .response").await;
    let answer = page.evaluate("document.querySelector('#operations-operations-list_nodes .live-responses-table').textContent").await;
    let answer = answer.as_str().unwrap();
    assert!(answer.contains("200") && answer.contains("\"answers\": true"), "{answer}");
    assert_eq!(page.evaluate("forbidden").await, json!([]));
}

both! {
    the_page_shows_the_api_and_loads_nothing_from_elsewhere,
    a_request_can_be_tried_with_a_key,
}
