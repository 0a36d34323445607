// Light or dark as the browser is set.
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();

async function readDescription() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`openapi.json answers ${response.status}`);
  const description = await response.json();
  // Requests go to where the page came from, which a proxy may know by another name than the gateway.
  description.servers = [{ url: new URL(".", location.href).href.replace(/\/$/, "") }];
  return description;
}

readDescription().then(
  (spec) => {
    window.ui = SwaggerUIBundle({
      spec,
      dom_id: "#page",
      deepLinking: true,
      docExpansion: "list",
      filter: true,
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      // Neither the key nor anything else is kept.
      persistAuthorization: false,
      validatorUrl: null,
    });
  },
  (error) => {
    document.getElementById("page").textContent = `The description of the API can't be read: ${error.message}`;
  },
);
