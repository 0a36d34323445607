// Patchbay's Web Push for a page of a site: <script src="{{base}}/client.js" defer></script>, then window.Patchbay.
//
//   await Patchbay.state()                        { status, permission, id }; status is one of
//                                                 unsupported, needs_install, denied, unsubscribed, subscribed
//   await Patchbay.subscribe({ contact, meta })   from a click or a tap: browsers ask for permission only then. Answers { id, endpoint }
//   await Patchbay.unsubscribe()                  from this device
//   await Patchbay.ready                          what loading the page found and mended: the same as state()
//
// `contact` is who uses this device: { external_id, email, phone, proof }, any of them or none. `meta` is what else to know of it.
// An error has a `code`: unsupported, needs_install, denied, dismissed, worker, push_service, gateway.
// On the script's element: data-worker is the path of a service worker of the site's own that imports worker.js, data-scope its scope.
(() => {
  "use strict";

  const ACCOUNT = "{{account}}";
  // As browsers write addresses.
  const BASE = new URL("{{base}}").href;
  const PUBLIC_KEY = "{{public_key:vapid_private_key}}";
  const SW_PATH = {{setting:sw_path}} || "/patchbay-sw.js";
  // worker.js has the same store, and finds the subscription there that the browser replaces.
  const STORE = `patchbay-${ACCOUNT}`;
  const MEMORY = `${BASE}/memory`;

  const { worker: ownWorker, scope: ownScope } = document.currentScript?.dataset ?? {};
  // On the gateway's own origin worker.js can be registered itself; elsewhere a browser takes workers from the site alone.
  const atHome = new URL(BASE).origin === location.origin;
  const worker = new URL(ownWorker ?? (atHome ? `${BASE}/worker.js` : SW_PATH), location.origin);
  // A scope of its own: the site may have a service worker already, and one scope has one worker.
  const scope = new URL(ownScope ?? (ownWorker ? "./" : `patchbay/${ACCOUNT}/`), worker).href;

  async function state() {
    const permission = "Notification" in window ? Notification.permission : "default";
    const missing = whatIsMissing();
    if (missing) {
      return { status: missing.code, permission, id: null };
    }
    if (permission === "denied") {
      return { status: "denied", permission, id: null };
    }
    const subscription = await current();
    const memory = await recall();
    const subscribed = subscription !== null && sameKey(subscription) && memory.endpoint === subscription.endpoint;
    return { status: subscribed ? "subscribed" : "unsubscribed", permission, id: subscribed ? memory.id : null };
  }

  async function subscribe({ contact, meta } = {}) {
    const missing = whatIsMissing();
    if (missing) {
      throw missing;
    }
    // Before anything is awaited: Safari and Firefox ask only while the click is being handled.
    const permission = await Notification.requestPermission();
    if (permission !== "granted") {
      throw permission === "denied"
        ? problem("denied", "notifications of this site are blocked: they can be allowed in the browser's settings of the site")
        : problem("dismissed", "nobody answered whether notifications may be shown");
    }
    // What loading began would write the earlier contact over this one.
    await ready;
    return save(await subscribed(), { contact, meta });
  }

  async function unsubscribe() {
    await ready;
    const subscription = whatIsMissing() ? null : await current();
    const { endpoint } = await recall();
    await forget();
    if (subscription) {
      await subscription.unsubscribe().catch((error) => console.warn("patchbay: the browser kept the subscription", error));
    }
    const known = subscription?.endpoint ?? endpoint;
    if (known) {
      // The browser has ended it already: a gateway that doesn't hear of it learns it with the next push.
      await call("DELETE", { endpoint: known }).catch((error) => console.warn("patchbay: the gateway wasn't told", error));
    }
  }

  // On each visit: a subscription that the browser dropped is made again, one of another key is replaced, and the gateway hears of
  // it once a session. None of it asks for anything.
  async function mend() {
    const memory = await recall();
    if (whatIsMissing() || Notification.permission !== "granted" || !memory.endpoint) {
      return state();
    }
    try {
      const subscription = await subscribed();
      const seen = `${STORE}:${subscription.endpoint}`;
      if (subscription.endpoint !== memory.endpoint || !sessionStorage.getItem(seen)) {
        await save(subscription, memory);
        sessionStorage.setItem(seen, "1");
      }
      (await registration())?.active?.postMessage("patchbay:tell");
    } catch (error) {
      // The next visit tries again.
      console.warn("patchbay: the subscription could not be refreshed", error);
    }
    return state();
  }

  // ---- what the browser can do ----

  function whatIsMissing() {
    if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) {
      return null;
    }
    // iPhones and iPads (which say that they are Macs) have push since 16.4, in apps of the Home Screen alone.
    const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
    const installed = navigator.standalone === true || matchMedia("(display-mode: standalone), (display-mode: fullscreen)").matches;
    if (apple && !installed && isSecureContext) {
      return problem("needs_install", "on iPhone and iPad add the site to the Home Screen first, and open it from there");
    }
    return problem("unsupported", isSecureContext ? "this browser has no push notifications" : "push notifications need https");
  }

  // ---- the subscription in the browser ----

  async function registration() {
    // Of that scope and no other: getRegistration answers a wider one, too.
    // With storage blocked there are none.
    const all = await navigator.serviceWorker.getRegistrations().catch(() => []);
    return all.find((one) => one.scope === scope);
  }

  async function current() {
    return (await (await registration())?.pushManager.getSubscription()) ?? null;
  }

  async function subscribed() {
    const { pushManager } = await registered();
    const there = await pushManager.getSubscription();
    if (there && sameKey(there)) {
      return there;
    }
    await there?.unsubscribe();
    try {
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(PUBLIC_KEY) });
    } catch (error) {
      // No network, or a browser whose push service is switched off, as Brave's is at first.
      throw problem("push_service", `the browser's push service refused: ${error.message}`, error);
    }
  }

  async function registered() {
    try {
      const one = await navigator.serviceWorker.register(worker.href, { scope, updateViaCache: "none" });
      await active(one);
      return one;
    } catch (error) {
      throw problem("worker", `${worker.pathname} can't be registered as a service worker: ${error.message}`, error);
    }
  }

  // `navigator.serviceWorker.ready` waits for a worker of this page, and ours has another scope.
  function active(one) {
    const coming = one.installing ?? one.waiting;
    if (one.active || !coming) {
      return undefined;
    }
    return new Promise((resolve, reject) => {
      coming.addEventListener("statechange", () => {
        if (coming.state === "activated") {
          resolve();
        } else if (coming.state === "redundant") {
          reject(new Error("it could not be installed"));
        }
      });
    });
  }

  // Browsers that don't tell the key are believed.
  function sameKey(subscription) {
    const key = subscription.options?.applicationServerKey;
    if (!key) {
      return true;
    }
    const [here, ours] = [new Uint8Array(key), bytes(PUBLIC_KEY)];
    return here.length === ours.length && here.every((byte, place) => byte === ours[place]);
  }

  function bytes(base64url) {
    return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  }

  // ---- the subscription at the gateway ----

  async function save(subscription, { contact, meta }) {
    const memory = await recall();
    const replaced = memory.endpoint && memory.endpoint !== subscription.endpoint ? memory.endpoint : undefined;
    const body = { old_endpoint: replaced, subscription: subscription.toJSON(), contact, meta: { ...device(), ...meta } };
    const { id } = await call(replaced ? "PUT" : "POST", body);
    await remember({ id, endpoint: subscription.endpoint, contact, meta });
    return { id, endpoint: subscription.endpoint };
  }

  function device() {
    return {
      platform: navigator.userAgentData?.platform ?? navigator.platform,
      language: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      page: location.origin + location.pathname,
    };
  }

  async function call(method, body) {
    const answer = await fetch(`${BASE}/subscriptions`, {
      method,
      headers: { "content-type": "application/json" },
      // The time tells a visit from the one before: the gateway takes the same words twice for one delivery of them.
      body: JSON.stringify({ ...body, at: Date.now() }),
      credentials: "omit",
    }).catch((error) => {
      throw problem("gateway", `${BASE} isn't reached: is ${location.origin} one of the account's site_origins?`, error);
    });
    if (!answer.ok) {
      throw problem("gateway", `the gateway answered ${answer.status}: ${await answer.text()}`);
    }
    return answer.status === 204 ? null : answer.json();
  }

  // ---- what this device knows ----

  async function recall() {
    try {
      const found = await (await caches.open(STORE)).match(MEMORY);
      return found ? await found.json() : {};
    } catch {
      return {};
    }
  }

  async function remember(memory) {
    await (await caches.open(STORE)).put(MEMORY, new Response(JSON.stringify(memory)));
  }

  async function forget() {
    await (await caches.open(STORE)).delete(MEMORY);
  }

  function problem(code, message, cause) {
    return Object.assign(new Error(message, { cause }), { code });
  }

  const ready = mend();
  window.Patchbay = { account: ACCOUNT, state, subscribe, unsubscribe, ready };
})();
