// Patchbay's service worker: shows what is pushed, opens what is clicked, and tells the gateway of both.
// A site in another origin serves a file of one line: importScripts("{{base}}/worker.js");
(() => {
  "use strict";

  // As browsers write addresses: it is compared with those of requests.
  const BASE = new URL("{{base}}").href;
  const PUBLIC_KEY = "{{public_key:vapid_private_key}}";
  const DEFAULT_TITLE = {{setting:default_title}};
  const DEFAULT_ICON = {{setting:default_icon}};
  // The site's own store. client.js has the same one: what it knows of the subscription is under `${BASE}/memory`.
  const STORE = "patchbay-{{account}}";
  const SHOWN_MAX = 200;
  const TOLD_FOR_MS = 3 * 24 * 60 * 60 * 1000;
  const PATIENCE_MS = 10_000;
  const SETTLE_MS = 1000;

  self.addEventListener("push", (event) => event.waitUntil(receive(event.data)));
  self.addEventListener("notificationclick", (event) => event.waitUntil(click(event)));
  self.addEventListener("notificationclose", (event) => event.waitUntil(dismiss(event)));
  self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));
  self.addEventListener("sync", (event) => event.tag === STORE && event.waitUntil(tellAllOrFail()));
  self.addEventListener("message", (event) => event.data === "patchbay:tell" && event.waitUntil(tellAll()));

  // ---- showing ----

  // Every push shows something: browsers take the permission away from a site that stays silent.
  async function receive(data) {
    const payload = read(data);
    const again = await wasShown(payload.id);
    await show(payload, again);
    await track(payload, { type: "delivered" });
  }

  // A payload that nobody can read is one without a word.
  function read(data) {
    try {
      const payload = data.json();
      return payload && typeof payload.title === "string" ? payload : {};
    } catch {
      return {};
    }
  }

  // A message that came again replaces its own notification without a sound, or goes away at once where that was closed.
  async function show(payload, again) {
    const title = payload.title || DEFAULT_TITLE || self.location.hostname;
    const tag = payload.tag || payload.id || STORE;
    const gone = again && (await self.registration.getNotifications({ tag })).length === 0;
    const words = { body: payload.body || "", tag, data: payload };
    const looks = {
      icon: payload.icon || DEFAULT_ICON || undefined,
      image: payload.image || undefined,
      badge: payload.badge || undefined,
      actions: (payload.actions || []).map(({ action, title, icon }) => ({ action, title, icon: icon || undefined })),
      // A tag that the sender chose is a topic: what is new about it is worth a sound.
      renotify: Boolean(payload.tag) && !again,
      silent: again || undefined,
    };
    try {
      await self.registration.showNotification(title, { ...words, ...looks });
    } catch {
      // A browser that refuses one of the looks still shows the words.
      await self.registration.showNotification(title, words);
    }
    if (gone) {
      // Chromium can't take back what a Linux desktop hasn't answered for yet: it would stay there for good.
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      (await self.registration.getNotifications({ tag })).forEach((notification) => notification.close());
    }
    const count = payload.data?.app_badge;
    if (Number.isInteger(count) && !again) {
      await self.navigator.setAppBadge?.(count).catch(() => {});
    }
  }

  const shown = new Set();

  // Whether a message was shown before, here or by an earlier life of this worker.
  async function wasShown(id) {
    if (!id) {
      return false;
    }
    const before = shown.has(id);
    shown.add(id);
    const place = `${BASE}/shown/${encodeURIComponent(id)}`;
    return withStore(async (store) => {
      if (before || (await store.match(place))) {
        return true;
      }
      await store.put(place, new Response(""));
      const places = (await store.keys()).filter((request) => request.url.startsWith(`${BASE}/shown/`));
      await Promise.all(places.slice(0, -SHOWN_MAX).map((old) => store.delete(old)));
      return false;
    }, before);
  }

  // ---- what people do with it ----

  const handled = new Set();

  async function click(event) {
    const { notification, action } = event;
    const payload = notification.data || {};
    const button = (payload.actions || []).find((one) => one.action === action);
    const url = button?.url || payload.url;
    // Some browsers report a notification that was clicked as closed, too.
    handled.add(payload.id);
    notification.close();
    // Side by side: a browser lets a worker open a window only for a moment after the click.
    await Promise.all([open(url), track(payload, { type: "click", action: action || undefined, url })]);
  }

  async function dismiss(event) {
    const payload = event.notification.data || {};
    if (!handled.has(payload.id)) {
      await track(payload, { type: "dismiss" });
    }
  }

  // The window that shows the page already; without a page any window of the site; else a new one.
  async function open(url) {
    const target = new URL(url || "/", self.location.origin);
    if (target.protocol !== "https:" && target.protocol !== "http:") {
      return;
    }
    try {
      const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
      const there = windows.find((one) => !url || one.url === target.href);
      await (there ? there.focus() : self.clients.openWindow(target.href));
    } catch (error) {
      // The browser didn't allow it. The click is still told.
      console.warn("patchbay: no window could be opened", error);
    }
  }

  // ---- telling the gateway ----

  // Kept first and told then: a device that is offline, or a worker that is stopped, tells later. The gateway counts once.
  async function track(payload, what) {
    if (!payload.track || !payload.tok) {
      return;
    }
    const body = { ...what, message_id: payload.id, subscription_id: payload.sub, tok: payload.tok, ts: Date.now() };
    const place = ["told", payload.id, payload.sub, what.type, what.action || "-"].map(encodeURIComponent).join("/");
    const kept = await withStore(async (store) => {
      await store.put(`${BASE}/${place}`, new Response(JSON.stringify({ url: payload.track, body })));
      return true;
    }, false);
    if (!kept) {
      await tell(payload.track, body);
    } else if ((await tellAll()) > 0) {
      await self.registration.sync?.register(STORE).catch(() => {});
    }
  }

  let telling = Promise.resolve(0);

  // One round at a time, oldest first. Answers how many are left.
  function tellAll() {
    telling = telling.then(() => withStore(tellEach, 0));
    return telling;
  }

  async function tellEach(store) {
    let left = 0;
    for (const request of await store.keys()) {
      if (!request.url.startsWith(`${BASE}/told/`)) {
        continue;
      }
      const { url, body } = await (await store.match(request)).json();
      if (Date.now() - body.ts > TOLD_FOR_MS || (await tell(url, body))) {
        await store.delete(request);
      } else {
        left += 1;
      }
    }
    return left;
  }

  async function tellAllOrFail() {
    if ((await tellAll()) > 0) {
      throw new Error("the gateway isn't reached yet");
    }
  }

  // Whether it needs no more telling: taken, or refused for good.
  async function tell(url, body) {
    try {
      const { ok, status } = await post("POST", url, body);
      return ok || (status < 500 && status !== 408 && status !== 429);
    } catch {
      return false;
    }
  }

  function post(method, url, body) {
    return fetch(url, {
      method,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      keepalive: true,
      signal: AbortSignal.timeout?.(PATIENCE_MS),
    });
  }

  // ---- a subscription that the browser replaced ----

  async function renew(event) {
    const memory = await withStore(async (store) => (await store.match(`${BASE}/memory`))?.json(), undefined);
    const subscription = event.newSubscription || (await subscribe());
    const old_endpoint = event.oldSubscription?.endpoint || memory?.endpoint;
    const known = { contact: memory?.contact, meta: memory?.meta, at: Date.now() };
    const answer = await post("PUT", `${BASE}/subscriptions`, { old_endpoint, subscription: subscription.toJSON(), ...known });
    if (answer.ok) {
      const { id } = await answer.json();
      const renewed = new Response(JSON.stringify({ ...memory, id, endpoint: subscription.endpoint }));
      await withStore((store) => store.put(`${BASE}/memory`, renewed), undefined);
    }
  }

  async function subscribe() {
    const { pushManager } = self.registration;
    return (await pushManager.getSubscription()) || pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: PUBLIC_KEY });
  }

  // ---- the store ----

  // A store that is full or switched off never keeps a notification from being shown.
  async function withStore(act, otherwise) {
    try {
      return await act(await caches.open(STORE));
    } catch (error) {
      console.warn("patchbay: the store can't be used", error);
      return otherwise;
    }
  }
})();
