const find = (id) => document.querySelector(`#${id}`);

function show({ status, id }) {
  find("status").textContent = id ? `${status} (${id})` : status;
}

function on(button, act) {
  find(button).addEventListener("click", async () => {
    try {
      await act();
      show(await Patchbay.state());
    } catch (problem) {
      find("status").textContent = `${problem.code ?? "error"}: ${problem.message}`;
    }
  });
}

on("subscribe", () => Patchbay.subscribe({ contact: { external_id: find("who").value || undefined } }));
on("unsubscribe", () => Patchbay.unsubscribe());
show(await Patchbay.ready);
