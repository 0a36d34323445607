// In place of the browser's push service: gives the subscriptions of a list, one after the other, and remembers the one that was given.
(() => {
  const given = GIVEN;
  const text = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

  function kept() {
    const found = JSON.parse(localStorage.getItem("push service") ?? "null");
    return found && {
      endpoint: found.subscription.endpoint,
      expirationTime: null,
      options: { userVisibleOnly: true, applicationServerKey: bytes(found.key).buffer },
      toJSON: () => found.subscription,
      unsubscribe: async () => {
        localStorage.removeItem("push service");
        return true;
      },
    };
  }

  PushManager.prototype.getSubscription = async () => kept();
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly) {
      throw new DOMException("Chromium allows no silent pushes", "NotAllowedError");
    }
    const count = Number(localStorage.getItem("given") ?? 0);
    localStorage.setItem("given", count + 1);
    localStorage.setItem("push service", JSON.stringify({ subscription: given[count], key: text(applicationServerKey) }));
    return kept();
  };
})();
