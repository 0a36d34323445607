use crate::harness::{Chromium, Site};
use serde_json::json;

#[tokio::test]
async fn smoke() {
    let site = Site::start().await;
    let folder = "/work/w/f6/plugins/web-push";
    let fill = |name: &str| {
        std::fs::read_to_string(format!("{folder}/{name}")).unwrap().replace("{{account}}", "1").replace("{{base}}", &site.url("/push/1"))
            .replace("{{public_key:vapid_private_key}}", "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs")
            .replace("{{setting:sw_path}}", "null").replace("{{setting:default_icon}}", "null").replace("{{setting:default_title}}", "null")
    };
    site.put("/push/1/worker.js", "text/javascript", &fill("worker.js"));
    site.put("/sw.js", "text/javascript", "importScripts('/push/1/worker.js')");
    site.put("/", "text/html", "<title>shop</title>");
    site.put("/sale", "text/html", "<title>sale</title>");
    site.set_policy("default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'");
    let mut chromium = Chromium::start().await;
    chromium.allow_notifications(&site.origin()).await;
    let page = chromium.open(&site.url("/"), "").await;
    println!("{}", page.evaluate("navigator.serviceWorker.register('/sw.js', {scope: '/patchbay/1/'}).then(r => new Promise(d => { const w = r.installing; w.onstatechange = () => w.state === 'activated' && d(r.scope) }))").await);
    let scope = site.url("/patchbay/1/");
    for n in 0..3 {
        let payload = json!({"v": 1, "id": format!("m{n}"), "title": format!("T{n}"), "body": "B", "url": "/sale", "actions": [{"action": "buy", "title": "Buy", "url": "/sale"}], "track": site.url("/push/1/events"), "sub": "s", "tok": "t"});
        chromium.deliver(&page, &scope, &payload.to_string()).await;
        let shown = chromium.desktop.shown(&format!("T{n}")).await;
        println!("{shown:?} {:?}", shown.labels());
        let worker = chromium.worker(&site.url("/sw.js")).await;
        println!("{}", worker.evaluate("registration.getNotifications().then(l => l.map(n => [n.title, n.body, n.tag, n.actions.length]))").await);
        match n { 0 => chromium.desktop.press(&shown), 1 => chromium.desktop.press_button(&shown, "Buy"), _ => chromium.desktop.dismiss(&shown) }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        println!("{:?} {:?}", chromium.desktop.open(), chromium.pages().await);
        println!("{}", worker.evaluate("caches.open('patchbay-1').then(async c => Promise.all((await c.keys()).map(async k => [k.url, await (await c.match(k)).text()])))").await);
    }
    println!("{:#?}", chromium.complaints());
}
